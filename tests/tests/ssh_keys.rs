//! `countersign ssh-keys`: what sshd would be told, while cards, accounts and the server come and go.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

#[path = "gnupg/keyring.rs"]
#[expect(dead_code, reason = "shared with the tests of GnuPG")]
mod keyring;
#[path = "offline/roster.rs"]
#[expect(dead_code, reason = "shared with the tests of logins without the server")]
mod roster;

use std::process::Output;

use countersign_tests::site::{HostKey, SOON, Scene, Site, Way, Weather};
use countersign_tests::{Machine, User, target_bin, wait_until};
use keyring::Keyring;

/// Who asks on behalf of sshd.
const SSHD: &str = "countersign-ssh";

/// What `sshd` would read, asked as it asks.
fn asked(scene: &Scene<'_>, login: &str) -> Output {
    asked_by(scene, &User { name: SSHD.to_owned(), uid: 986, home: "/".into() }, login)
}

fn asked_by(scene: &Scene<'_>, user: &User, login: &str) -> Output {
    let mut command = scene.site.machine.command_as(user, target_bin("countersign").unwrap());
    command.args(["ssh-keys", login]).output().unwrap()
}

fn keys(scene: &Scene<'_>, login: &str) -> Vec<String> {
    let output = asked(scene, login);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

/// Waits until sshd would be told these accounts' keys.
fn wait_for(scene: &Scene<'_>, login: &str, accounts: &[&str]) -> Vec<String> {
    let of = |line: &String| line.rsplit(' ').next().unwrap().to_owned();
    wait_until("the keys", SOON, || {
        let keys = keys(scene, login);
        Ok((keys.iter().map(of).collect::<Vec<_>>() == accounts).then_some(keys))
    })
    .unwrap()
}

/// The indented block with this word in it.
fn block<'t>(text: &'t str, start: &str, word: &str) -> Vec<&'t str> {
    let blocks: Vec<Vec<&str>> = text
        .lines()
        .collect::<Vec<_>>()
        .chunk_by(|one, two| one.starts_with(start) == two.starts_with(start))
        .filter(|lines| lines.iter().all(|line| line.starts_with(start)))
        .filter(|lines| lines.iter().any(|line| line.contains(word)))
        .map(|lines| lines.iter().map(|line| line.strip_prefix(start).unwrap()).collect())
        .collect();
    assert_eq!(blocks.len(), 1, "{word}: {blocks:?}");
    blocks.into_iter().next().unwrap()
}

#[test]
fn the_example_for_sshd_says_word_for_word_what_the_manual_says() {
    let [manual, example] = [include_str!("../../docs/ssh.md"), include_str!("../../packaging/pam.d/sshd")];
    for word in ["AuthorizedKeysCommandUser", "other-auth"] {
        assert_eq!(block(example, "#     ", word), block(manual, "    ", word));
    }
    // As whom the agent answers it, no other key than the card's, and nobody else kept from a password.
    let mut lines = block(example, "#     ", "AuthorizedKeysCommandUser");
    assert!(lines.contains(&format!("AuthorizedKeysCommandUser {SSHD}").as_str()));
    let at = lines.iter().position(|line| line.starts_with("Match User ")).unwrap();
    assert_eq!(
        lines.split_off(at + 1),
        ["    AuthorizedKeysFile none", "    AuthenticationMethods publickey"]
    );
}

#[test]
fn a_key_is_told_while_its_card_lives_and_its_account_is_not_barred() {
    let machine = Machine::start().unwrap();
    machine.add_user(SSHD, 986).unwrap();
    let scene = Scene::at(Site::enrolled(&machine, 3, HostKey::Sealed).unwrap()).unwrap();
    let told = wait_for(&scene, "ana", &["ana"]);
    assert!(told[0].starts_with("ssh-ed25519 AAAA"), "{told:?}");

    // GnuPG makes the same of the same certificate, and of the card.
    let gpg = Keyring::of(&machine, &scene.ana.user, &scene.ana.card);
    gpg.import_known(&machine);
    let shell = |script: &str| {
        let output = machine.command_as(&scene.ana.user, "sh").args(["-c", script]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let words = |line: &str| line.split(' ').take(2).collect::<Vec<_>>().join(" ");
    let exported = shell("gpg --batch --quiet --export-ssh-key ana");
    assert_eq!(words(exported.trim()), words(&told[0]));
    let listed =
        shell("gpgconf --launch gpg-agent; SSH_AUTH_SOCK=$(gpgconf --list-dirs agent-ssh-socket) ssh-add -L");
    assert!(listed.lines().any(|line| words(line) == words(&told[0])), "{listed}");
    gpg.ends();

    // Nobody whom the file does not name, and nobody whom nobody knows.
    for (login, why) in [("olga", "needs no card"), ("nobody-at-all", "needs no card")] {
        let output = asked(&scene, login);
        assert_eq!((output.status.code(), output.stdout.len()), (Some(0), 0));
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(said.contains(why), "{said}");
    }
    // Ana asks about herself, root about everybody, others about nobody else.
    assert_eq!(asked_by(&scene, &scene.ana.user, "ana").stdout, asked(&scene, "ana").stdout);
    let other = asked_by(&scene, &scene.olga.user, "ana");
    assert_eq!((other.status.code(), other.stdout.len()), (Some(7), 0));

    scene.olga.administer(&["admin", "user", "suspend", "ana"]).unwrap();
    wait_for(&scene, "ana", &[]);
    scene.olga.administer(&["admin", "user", "resume", "ana"]).unwrap();
    wait_for(&scene, "ana", &["ana"]);

    // Root takes the name out of the file: at once, whatever the roster says.
    scene.site.manage("").unwrap();
    assert!(keys(&scene, "ana").is_empty());
    scene.site.manage("user ana card\n").unwrap();
    wait_for(&scene, "ana", &["ana"]);

    // A second card, of another account that opens the same login.
    let add = ["admin", "user", "add", "ana.spare", "--login", "ana"];
    let code = scene.olga.administer(&add).unwrap().after("code").unwrap();
    let spare = scene.site.person("bea", 4202, 3).unwrap();
    spare.register_keys("ana.spare", &code, "nist-p256").unwrap();
    let both = wait_for(&scene, "ana", &["ana", "ana.spare"]);
    assert_eq!(both[0], told[0]);
    assert!(both[1].starts_with("ecdsa-sha2-nistp256 AAAA"), "{both:?}");

    let entries = roster::held(&scene).unwrap().entries;
    let key = entries[0].accounts[0].keys[0].to_string();
    scene.olga.administer(&["admin", "key", "revoke", &key]).unwrap();
    assert_eq!(wait_for(&scene, "ana", &["ana.spare"]), both[1..]);
}

#[test]
fn without_the_server_a_key_is_told_only_where_sshd_may_let_in_without_it() {
    let machine = Machine::start().unwrap();
    machine.add_user(SSHD, 986).unwrap();
    let mut site = Site::by(Way::Road, &machine, 2, HostKey::Sealed).unwrap();
    site.server.permit_offline(&machine, 24, 5).unwrap();
    site.put_to_work().unwrap();
    let mut scene = Scene::at(site).unwrap();
    machine.pam_service("sshd", "auth required pam_deny.so\n").unwrap();
    wait_for(&scene, "ana", &["ana"]);
    scene.site.server.road.as_ref().unwrap().weather(Weather::Refused).unwrap();
    // The last word of the server is old, and it gives no other.
    scene.site.stop_agent().unwrap();
    let contact = machine.path("/var/lib/countersign/check-in.json");
    let mut kept: serde_json::Value = serde_json::from_slice(&std::fs::read(&contact).unwrap()).unwrap();
    kept["at"] = "2026-01-01T00:00:00Z".into();
    std::fs::write(&contact, kept.to_string()).unwrap();
    scene.site.start_agent().unwrap();
    assert_eq!(keys(&scene, "ana").len(), 1, "the roster permits her sshd without the server");

    // Without a roster there is no key, and a clear word.
    scene.site.stop_agent().unwrap();
    std::fs::remove_file(machine.path("/var/lib/countersign/roster.json")).unwrap();
    scene.site.start_agent().unwrap();
    let output = asked(&scene, "ana");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!((output.status.code(), output.stdout.len()), (Some(5), 0), "{said}");
    assert!(said.contains("holds no roster"), "{said}");
}
