//! A login with a card, from an empty server to a ledger that anyone can check, on real parts: `pcscd`, three
//! cards running a vendor's firmware, a server on SQLite, an agent, libpam and sudo. Run by `cargo xtask demo`.
//!
//! Everything happens on a private machine made of namespaces, which is gone at the end.
#![forbid(unsafe_code)]

use std::io::{IsTerminal as _, Write as _};
use std::process::{Command, ExitCode};
use std::time::Instant;

use countersign_tests::site::{
    Ending, HostKey, KEY_GENERATION, Person, SILENT_REST, SOON, Site, stack, talk,
};
use countersign_tests::{Dialogue, Machine, Trouble};

const SERVICE: &str = "countersign-demo";

fn main() -> ExitCode {
    let began = Instant::now();
    match play() {
        Ok(()) => {
            say(&format!("The demo took {} s. Nothing is left running.\n", began.elapsed().as_secs()));
            ExitCode::SUCCESS
        }
        Err(trouble) => {
            let _ = writeln!(std::io::stderr(), "\nThe demo stopped: {trouble}");
            ExitCode::FAILURE
        }
    }
}

fn play() -> Result<(), Trouble> {
    say(INTRODUCTION);
    let machine = Machine::start()?;

    title("A server is made, and serves");
    let mut site = Site::new(&machine, 2, HostKey::Card)?;
    typed("root", "countersign-server init --data … --url …");
    shown(&site.server.shown);
    site.server.start(&machine)?;
    typed("root", "countersign-server serve --config …");
    shown(&site.server.log());

    title("The host is enrolled, with its key on a card of its own");
    site.start_agent()?;
    typed("root", "countersign enroll --server-fingerprint … --bundle … --token … --card FFFE:00000001");
    shown(&site.enroll()?.shown);

    title("Olga, the administrator, registers her card and makes an account for Ana");
    let olga = site.person("olga", 4200, 1)?;
    typed("olga", "countersign register admin");
    shown(&olga.register(&site.server.administrator, &site.server.code)?.shown);
    typed("olga", "countersign admin user add ana");
    let added = olga.administer(&["admin", "user", "add", "ana"])?;
    shown(&added.shown);
    let code = added.after("code")?;

    title("Ana registers: her key is generated on her card");
    let ana = site.person("ana", 4201, 2)?;
    typed("ana", "countersign register ana");
    shown(&ana.register("ana", &code)?.shown);

    title("From now on this host wants Ana's card");
    site.manage("user ana card\n")?;
    let pam = stack(SILENT_REST)?;
    for service in [SERVICE, "sudo"] {
        machine.pam_service(service, &pam)?;
    }
    machine.sudoers("Defaults timestamp_timeout=0\nDefaults !lecture\nana ALL=(root) ALL\n")?;
    say("    /etc/countersign/managed:  user ana card\n");
    say(&format!("    /etc/pam.d/{SERVICE} and /etc/pam.d/sudo:\n"));
    shown(&pam);

    title("Ana logs in through libpam");
    typed("root", &format!("pamtester {SERVICE} ana authenticate acct_mgmt"));
    let console = machine.service_cgroup("getty@tty1.service")?;
    let mut login = console.command("pamtester");
    login.args([SERVICE, "ana", "authenticate", "acct_mgmt"]);
    let pin = [("PIN for", Person::PIN)];
    shown(&talk(&login, &pin, SOON)?.success()?.shown);

    title("Ana becomes root through sudo");
    typed("ana", "sudo id");
    shown(&sudo(&ana, &pin)?.success()?.shown);

    title("A wrong PIN is denied, and the tries left are shown");
    typed("root", &format!("pamtester {SERVICE} ana authenticate"));
    let mut wrong = console.command("pamtester");
    wrong.args([SERVICE, "ana", "authenticate"]);
    shown(&expect_failure(talk(&wrong, &[("PIN for", "999999")], SOON)?)?);

    title("A card that is pulled is denied at once");
    typed("root", &format!("pamtester {SERVICE} ana authenticate"));
    let mut dialogue = Dialogue::start(&wrong)?;
    dialogue.expect("PIN for", SOON)?;
    ana.card.pull()?;
    let pulled = Instant::now();
    dialogue.send_line(Person::PIN)?;
    dialogue.expect_eof(SOON)?;
    shown(&dialogue.transcript());
    say(&format!("    (denied {} ms after the card was pulled)\n", pulled.elapsed().as_millis()));
    if dialogue.wait(SOON)?.success() {
        return Err(Trouble::Machine("a pulled card let somebody in".to_owned()));
    }
    ana.card.wait_until_seen()?;
    ana.card.insert()?;
    ana.card.wait_until_seen()?;

    title("The ledger has all of it, and proves it");
    ledger(&machine, &olga)?;

    say(NEXT);
    Ok(())
}

fn sudo(ana: &Person<'_>, answers: &[(&str, &str)]) -> Result<Ending, Trouble> {
    let mut command = ana.seat.command_as(&ana.user, "sudo");
    command.arg("id");
    talk(&command, answers, SOON)
}

fn ledger(machine: &Machine, olga: &Person<'_>) -> Result<(), Trouble> {
    let folder = machine.scratch().join("olga");
    run(machine, Command::new("install").args(["-d", "-o", "olga", "-m", "700"]).arg(&folder))?;
    let export = folder.join("ledger.jsonl");
    let export = export.to_string_lossy();
    typed("olga", "countersign ledger export ledger.jsonl");
    shown(&olga.administer(&["ledger", "export", &export])?.shown);

    typed("olga", "countersign ledger show ledger.jsonl");
    let list = talk(&olga.countersign(&["ledger", "show", &export])?, &[], SOON)?.success()?;
    shown(&list.shown);
    typed("olga", "countersign ledger verify ledger.jsonl");
    shown(&talk(&olga.countersign(&["ledger", "verify", &export])?, &[], SOON)?.success()?.shown);

    let entry = sudo_entry(&list.shown)?;
    let out = folder.join("evidence");
    let out = out.to_string_lossy();
    typed("olga", &format!("countersign ledger evidence ledger.jsonl --entry {entry} --out evidence"));
    let take = olga.countersign(&["ledger", "evidence", &export, "--entry", &entry, "--out", &out])?;
    shown(&talk(&take, &[], SOON)?.success()?.shown);
    typed("olga", "cat evidence/statement.json");
    shown(&run(machine, Command::new("cat").arg(format!("{out}/statement.json")))?);

    typed(
        "olga",
        "gpg --import evidence/certificate.asc; gpg --verify evidence/statement.json.sig evidence/statement.json",
    );
    let home = machine.scratch().join("gnupg");
    run(machine, Command::new("install").args(["-d", "-m", "700"]).arg(&home))?;
    let gpg = |arguments: &[&str]| {
        let mut command = Command::new("gpg");
        command.args(["--batch", "--no-tty", "--homedir"]).arg(&home).args(arguments);
        run(machine, &mut command)
    };
    gpg(&["--import", &format!("{out}/certificate.asc")])?;
    shown(&gpg(&["--verify", &format!("{out}/statement.json.sig"), &format!("{out}/statement.json")])?);
    run(machine, Command::new("gpgconf").arg("--homedir").arg(&home).args(["--kill", "all"]))?;
    Ok(())
}

/// The number of the entry about sudo in the list that `ledger show` prints.
fn sudo_entry(list: &str) -> Result<String, Trouble> {
    list.lines()
        .find(|line| line.contains("sudo"))
        .and_then(|line| line.split_whitespace().next())
        .map(|number| number.trim_matches(|c: char| !c.is_ascii_digit()).to_owned())
        .ok_or_else(|| Trouble::Machine(format!("the ledger does not list the sudo:\n{list}")))
}

/// Runs a command inside the machine and returns what it said on both streams.
fn run(machine: &Machine, outside: &mut Command) -> Result<String, Trouble> {
    let mut command = machine.command(outside.get_program());
    command.args(outside.get_args());
    talk(&command, &[], KEY_GENERATION)?.success().map(|ending| ending.shown)
}

fn expect_failure(ending: Ending) -> Result<String, Trouble> {
    if ending.status.success() {
        return Err(Trouble::Machine(format!("this should have been denied:\n{}", ending.shown)));
    }
    Ok(ending.shown)
}

fn title(text: &str) {
    say(&format!("\n{}\n", coloured("1", &format!("── {text}"))));
}

fn typed(who: &str, command: &str) {
    let sign = if who == "root" { '#' } else { '$' };
    say(&format!("  {who}{sign} {}\n", coloured("36", command)));
}

/// In colour where somebody looks at it.
fn coloured(colour: &str, text: &str) -> String {
    if std::io::stdout().is_terminal() { format!("\x1b[{colour}m{text}\x1b[0m") } else { text.to_owned() }
}

fn shown(screen: &str) {
    for line in screen.replace('\r', "").trim_end().lines() {
        say(&format!("    {line}\n"));
    }
}

fn say(text: &str) {
    // A reader who went away does not stop the demo from cleaning up.
    let _ = std::io::stdout().write_all(text.as_bytes());
    let _ = std::io::stdout().flush();
}

const INTRODUCTION: &str = "\
Countersign: logging in to Linux with an OpenPGP card, countersigned by the machine, decided by a server.

This demo builds a private machine (namespaces, nothing of yours is touched) with a real pcscd and three
virtual cards that run a vendor's card firmware: the host's, an administrator's, and Ana's.
";

const NEXT: &str = "
What to try next:
  cargo xtask test                   every promise above, and how each of them is broken, as tests
  README.md                          set up a server, a host and a card of your own
  ARCHITECTURE.md                    which file does what in a login
  docs/protocol-envelope.md          what went over the wire

";
