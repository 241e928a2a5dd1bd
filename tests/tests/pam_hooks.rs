//! Beside the login itself: sessions, `passwd`, and the rescue file, through the programs that people use.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on says where")]

use std::net::TcpStream;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

use countersign_tests::site::{HostKey, Person, SILENT_REST, SOON, Scene, talk, whole_stack};
use countersign_tests::{Dialogue, Machine, PortPair, wait_until};

const PIN: [(&str, &str); 1] = [("PIN for", Person::PIN)];

fn scene_with<'m>(machine: &'m Machine, services: &[&str]) -> Scene<'m> {
    let scene = Scene::on(machine, HostKey::Sealed).unwrap();
    for service in services {
        machine.pam_service(service, &whole_stack(SILENT_REST).unwrap()).unwrap();
    }
    scene
}

/// Olga becomes Ana, with Ana's card.
fn su(scene: &Scene<'_>) -> Command {
    let mut su = scene.olga.seat.command_as(&scene.olga.user, "su");
    su.args(["ana", "-c", "id -un"]);
    su
}

/// Everything under one id, on one line.
fn story(scene: &Scene<'_>, id: &str) -> String {
    journal(scene, &["--correlation", id]).split_whitespace().collect::<Vec<&str>>().join(" ")
}

fn journal(scene: &Scene<'_>, arguments: &[&str]) -> String {
    let mut command = scene.site.machine.command(countersign_tests::target_bin("countersign").unwrap());
    command.arg("journal").args(arguments);
    talk(&command, &[], SOON).unwrap().success().unwrap().shown
}

/// The id at the end of the first line of the journal that says all of this.
fn id_of(journal: &str, words: &[&str]) -> String {
    let line = journal.lines().find(|line| words.iter().all(|word| line.contains(word)));
    let line = line.unwrap_or_else(|| panic!("no line with {words:?}:\n{journal}"));
    line.split_whitespace().last().unwrap().to_owned()
}

/// The ledger once it has this many lines with these words.
fn ledger_with(scene: &Scene<'_>, words: &str, count: usize) -> String {
    /// No export replaces another.
    static EXPORTS: AtomicUsize = AtomicUsize::new(0);
    wait_until(words, SOON, || {
        let ledger = scene.ledger(&format!("{}.jsonl", EXPORTS.fetch_add(1, Ordering::SeqCst)))?;
        Ok((ledger.lines().filter(|line| line.contains(words)).count() >= count).then_some(ledger))
    })
    .unwrap()
}

#[test]
fn sessions_are_in_the_journal_and_the_ledger_and_an_end_is_told_with_its_beginning() {
    let machine = Machine::start().unwrap();
    let scene = scene_with(&machine, &["su", "sshd"]);
    scene.site.manage("user ana card\nservice sshd other-auth\n").unwrap();

    // After a login by card: login, beginning and end are one story.
    talk(&su(&scene), &PIN, SOON).unwrap().success().unwrap();
    let text = journal(&scene, &[]);
    let id = id_of(&text, &["session opened", "ana, su"]);
    assert_eq!(id, id_of(&text, &["login allowed", "ana, su"]));
    assert_eq!(id, id_of(&text, &["session closed", "ana, su"]));
    let told = story(&scene, &id);
    assert!(told.contains(" a login as ana through su. It was allowed"), "{told}");
    assert!(
        told.contains("began after a login by card")
            && told.contains(", for olga.")
            && told.contains("ended after"),
        "{told}"
    );

    // With an ssh key: no card of ours, and an id of its own.
    let sshd = Sshd::start(&machine);
    let ending = talk(&sshd.as_ana(&machine, &["id", "-un"]), &[], SOON).unwrap();
    assert!(ending.shown.lines().any(|line| line == "ana"), "{}\n{}", ending.shown, sshd.running.log());
    let own = wait_until("the session's end", SOON, || {
        let text = journal(&scene, &[]);
        let closed = text.lines().any(|line| line.contains("session closed") && line.contains("ana, sshd"));
        Ok(closed.then(|| id_of(&text, &["session opened", "ana, sshd"])))
    })
    .unwrap();
    assert_ne!(own, id);
    let told = story(&scene, &own);
    assert!(told.contains(" a session of ana through sshd. It has ended."), "{told}");
    assert!(
        told.contains("began without a login by card")
            && told.contains("from 127.0.0.1.")
            && told.contains("ended after"),
        "{told}"
    );

    let ledger = ledger_with(&scene, "session closed as ana", 2);
    for words in ["session opened as ana through su", "session opened as ana through sshd"] {
        assert!(ledger.contains(words), "{ledger}");
    }
    assert!(ledger.contains(&format!("({id})")) && ledger.contains(&format!("({own})")), "{ledger}");

    // What an unknown end looks like, and that nobody but root's programs tells of others.
    let mut stranger = scene.olga.seat.command_as(&scene.olga.user, "pamtester");
    stranger.args(["su", "ana", "open_session"]);
    talk(&stranger, &[], SOON).unwrap();
    let mut herself = scene.ana.seat.command_as(&scene.ana.user, "pamtester");
    herself.args(["su", "ana", "open_session", "close_session"]);
    talk(&herself, &[], SOON).unwrap();
    let text = journal(&scene, &[]);
    let told = [text.matches("session opened").count(), text.matches("session closed").count()];
    assert_eq!(told, [2, 2], "olga may not tell of ana, nor ana of herself:\n{text}");
}

#[test]
fn passwd_changes_the_pin_of_ana_s_card_and_unblocks_it() {
    let machine = Machine::start().unwrap();
    let scene = scene_with(&machine, &["passwd", "su"]);
    let passwd = scene.ana.seat.command_as(&scene.ana.user, "passwd");

    let ending =
        talk(&passwd, &[("PIN for", Person::PIN), ("New PIN", "161803"), ("New PIN again", "161803")], SOON)
            .unwrap()
            .success()
            .unwrap();
    assert!(ending.shown.contains("3 tries left"), "{}", ending.shown);
    assert!(ending.shown.contains("is changed"), "{}", ending.shown);
    talk(&su(&scene), &[("PIN for", "161803")], SOON).unwrap().success().unwrap();

    // A wrong one costs a try, and changes nothing.
    let wrong = [("(3 tries left)", "999999"), ("New PIN", "141421"), ("New PIN again", "141421")];
    let ending = talk(&passwd, &wrong, SOON).unwrap();
    assert!(!ending.status.success() && ending.shown.contains("2 tries"), "{}", ending.shown);
    // PAM_AUTHTOK_RECOVERY_ERR, in libpam's words.
    assert!(ending.shown.contains("information cannot be recovered"), "{}", ending.shown);
    let again = [("(2 tries left)", "999999"), ("New PIN", "141421"), ("New PIN again", "141421")];
    assert!(!talk(&passwd, &again, SOON).unwrap().status.success());
    let unwilling = talk(&passwd, &[("Type yes", "no")], SOON).unwrap();
    assert!(unwilling.shown.contains("information cannot be recovered"), "{}", unwilling.shown);
    let last =
        [("Type yes", "yes"), ("(1 try left)", "999999"), ("New PIN", "141421"), ("New PIN again", "141421")];
    assert!(!talk(&passwd, &last, SOON).unwrap().status.success());

    // Blocked: the admin PIN sets a new one.
    let unblock = [("Admin PIN for", Person::ADMIN_PIN), ("New PIN", "141421"), ("New PIN again", "141421")];
    let ending = talk(&passwd, &unblock, SOON).unwrap().success().unwrap();
    assert!(ending.shown.contains("is blocked"), "{}", ending.shown);
    assert!(ending.shown.contains("has a new PIN"), "{}", ending.shown);
    talk(&su(&scene), &[("PIN for", "141421")], SOON).unwrap().success().unwrap();

    // Another's card is not touched, and who sits elsewhere touches none.
    scene.ana.card.pull().unwrap();
    let list = scene.ana.countersign(&["card", "list"]).unwrap();
    wait_until("the agent to miss the card", SOON, || {
        let shown = talk(&list, &[], SOON)?.shown;
        Ok((!shown.contains(&scene.ana.card.ident())).then_some(()))
    })
    .unwrap();
    scene.olga.card.reset_counts().unwrap();
    let mut dialogue = Dialogue::start(&passwd).unwrap();
    dialogue.expect("Insert the card of this login", SOON).unwrap();
    scene.ana.card.insert().unwrap();
    dialogue.expect("(3 tries left)", SOON).unwrap();
    dialogue.send_line("").unwrap();
    dialogue.expect_eof(SOON).unwrap();
    assert!(!dialogue.wait(SOON).unwrap().success());
    assert_eq!(scene.olga.card.counts().unwrap().total, 0, "olga's card is in, and is not ana's");
    let away = machine.command_as(&scene.ana.user, "passwd");
    let ending = talk(&away, &[], SOON).unwrap();
    assert!(!ending.status.success() && ending.shown.contains("at its seat"), "{}", ending.shown);

    let ledger = ledger_with(&scene, "card unblocked as ana", 1);
    assert!(ledger.contains("pin changed as ana through passwd"), "{ledger}");
    let text = journal(&scene, &[]);
    assert!(text.contains("pin changed") && text.contains("card unblocked"), "{text}");
}

#[test]
fn a_rescue_file_of_root_lets_passwords_decide_and_everybody_hears_of_it() {
    let machine = Machine::start().unwrap();
    let scene = scene_with(&machine, &["su"]);
    // Below the module somebody else lets in.
    let rest =
        "auth required pam_permit.so\naccount required pam_permit.so\nsession required pam_permit.so\n";
    machine.pam_service("su", &whole_stack(rest).unwrap()).unwrap();
    let mut status = machine.command(countersign_tests::target_bin("countersign").unwrap());
    status.arg("status");
    assert!(!talk(&status, &[], SOON).unwrap().shown.contains("rescue"));
    talk(&su(&scene), &PIN, SOON).unwrap().success().unwrap();

    machine.write("/etc/countersign/rescue", "", 0o666).unwrap();
    talk(&su(&scene), &PIN, SOON).unwrap().success().unwrap();
    let shown = talk(&status, &[], SOON).unwrap().shown;
    assert!(shown.contains("rescues nobody"), "{shown}");

    machine.write("/etc/countersign/rescue", "", 0o644).unwrap();
    talk(&su(&scene), &[], SOON).unwrap().success().unwrap();
    let shown = talk(&status, &[], SOON).unwrap().shown;
    assert!(shown.contains("ALARM: the rescue file"), "{shown}");
    ledger_with(&scene, "rescue began", 1);

    let mut remove = machine.command("rm");
    remove.arg("/etc/countersign/rescue");
    talk(&remove, &[], SOON).unwrap().success().unwrap();
    ledger_with(&scene, "rescue ended", 1);
    talk(&su(&scene), &PIN, SOON).unwrap().success().unwrap();
}

struct Sshd {
    port: String,
    key: PathBuf,
    running: countersign_tests::Running,
    /// It ends with its control group.
    _service: countersign_tests::ServiceHandle,
}

impl Sshd {
    /// One that takes Ana's key.
    fn start(machine: &Machine) -> Self {
        let ports = PortPair::claim().unwrap();
        let port = ports.first().to_string();
        let (host_key, key) = (machine.scratch().join("host-key"), machine.scratch().join("ana-key"));
        for file in [&host_key, &key] {
            let mut keygen = machine.command("ssh-keygen");
            keygen.args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(file);
            talk(&keygen, &[], SOON).unwrap().success().unwrap();
        }
        let public = std::fs::read_to_string(key.with_extension("pub")).unwrap();
        machine.write("/etc/countersign-test-keys", &public, 0o644).unwrap();
        let service = machine.service_cgroup("ssh.service").unwrap();
        let mut sshd = service.command("/usr/sbin/sshd");
        sshd.args(["-D", "-e", "-f", "/dev/null", "-p", &port]);
        sshd.arg("-h").arg(&host_key);
        for option in [
            "ListenAddress=127.0.0.1",
            "UsePAM=yes",
            "KbdInteractiveAuthentication=no",
            "PasswordAuthentication=no",
            "AuthorizedKeysFile=/etc/countersign-test-keys",
            "StrictModes=no",
            "PidFile=none",
        ] {
            sshd.args(["-o", option]);
        }
        let running = machine.spawn("sshd", &mut sshd).unwrap();
        wait_until("sshd", SOON, || Ok(TcpStream::connect(("127.0.0.1", ports.first())).ok())).unwrap();
        Self { port, key, running, _service: service }
    }

    fn as_ana(&self, machine: &Machine, words: &[&str]) -> Command {
        let mut ssh = machine.command("ssh");
        ssh.args(["-p", &self.port, "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"]);
        ssh.arg("-i").arg(&self.key).arg("ana@127.0.0.1").args(words);
        ssh
    }
}
