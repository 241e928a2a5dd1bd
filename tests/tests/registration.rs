//! People come to their accounts as the seed has it: by an administrator (2.1.1), and alone (2.1.2).
#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

use std::process::Command;

use countersign_protocol::contact::Address;
use countersign_server::config::Config;
use countersign_server::post::carriers;
use countersign_server_core::outbox::{Failed, Letter};
use countersign_tests::site::{HostKey, KEY_GENERATION, Person, SOON, Site, talk};
use countersign_tests::{Dialogue, Machine, MailServer, SmsGateway};

/// The first thing in `text` that looks like a code.
fn code_in(text: &str) -> String {
    let is_code = |word: &&str| {
        word.len() == 9
            && word.chars().nth(4) == Some('-')
            && word.chars().filter(|c| *c != '-').all(|c| c.is_ascii_uppercase() || c.is_ascii_digit())
    };
    text.split_whitespace().find(is_code).unwrap().to_owned()
}

/// What another program shows for a secret.
fn oathtool(secret: &str) -> String {
    let told = Command::new("oathtool").args(["--totp", "--base32", secret]).output().unwrap();
    String::from_utf8(told.stdout).unwrap().trim().to_owned()
}

/// The words behind `label` on its line.
fn words_after<'t>(text: &'t str, label: &str) -> &'t str {
    let line = text.lines().find(|line| line.trim_start().starts_with(label)).unwrap();
    line.trim_start().strip_prefix(label).unwrap().trim()
}

fn to_the_end(mut dialogue: Dialogue) -> String {
    if dialogue
        .expect_one_of(&["Register a second card now", "second card, whenever"], KEY_GENERATION)
        .unwrap()
        .0
        == 0
    {
        dialogue.send_line("").unwrap();
    }
    dialogue.expect_eof(SOON).unwrap();
    let shown = dialogue.transcript().replace('\r', "");
    assert!(dialogue.wait(SOON).unwrap().success(), "{shown}");
    shown
}

fn person_says(person: &Person<'_>, arguments: &[&str]) -> String {
    person.administer(arguments).unwrap().shown
}

#[test]
fn somebody_registers_alone_by_mail_while_the_mail_server_and_then_the_server_are_down() {
    let machine = Machine::start().unwrap();
    let mut site = Site::new(&machine, 1, HostKey::Sealed).unwrap();
    let mut mail = MailServer::new(machine.scratch(), "starttls").unwrap();
    site.server.configure(&machine, "\n[registration]\nmethods = [\"email\"]\n").unwrap();
    site.server.configure(&machine, &mail.section()).unwrap();
    site.put_to_work().unwrap();
    let bob = site.person("bob", 4201, 1).unwrap();

    // Nothing waits for the mail server: the code is asked for at once.
    let mut dialogue = bob.begin_registering("bob", &["--email", "bob@example.org"]).unwrap();
    dialogue.expect("Code from the message to bob@example.org: ", KEY_GENERATION).unwrap();
    mail.start().unwrap();
    let letter = mail.letter_to("bob@example.org").unwrap();
    let shown = dialogue.transcript().replace('\r', "");
    for label in ["this host", "your new key"] {
        assert_eq!(words_after(&shown, label), words_after(&letter, label), "{shown}\n{letter}");
    }
    assert!(
        letter.contains("From: countersign@example.org\n")
            && letter.contains("Auto-Submitted: auto-generated")
    );
    dialogue.send_line("0000-0000").unwrap();
    dialogue.expect("Tries left: 4", SOON).unwrap();
    dialogue.expect("Code from the message", SOON).unwrap();
    // The server goes away between two steps, and comes back.
    site.server.stop().unwrap();
    dialogue.send_line(&code_in(&letter).to_lowercase()).unwrap();
    dialogue.expect("trying again for a while", SOON).unwrap();
    site.server.start(&machine).unwrap();
    let shown = to_the_end(dialogue);
    assert!(shown.contains("is the key of bob now") && shown.contains("It opens no login yet"), "{shown}");

    // Another address: told to the old one.
    assert!(person_says(&bob, &["contact", "list", "bob"]).contains("bob@example.org"));
    person_says(&bob, &["contact", "add", "bob", "bob@new.example"]);
    let code = code_in(&mail.letter_to("bob@new.example").unwrap());
    person_says(&bob, &["contact", "confirm", "bob", &code]);
    assert!(mail.letter_to("bob@example.org").unwrap().contains("another address"));
    let shown = person_says(&bob, &["contact", "remove", "bob", "bob@example.org"]);
    assert!(shown.contains("bob@new.example") && !shown.contains(" bob@example.org ("), "{shown}");
    assert!(mail.letter_to("bob@example.org").unwrap().contains("one address less"));
    assert!(
        site.server.log().contains("handed over") && !site.server.log().contains("@"),
        "{}",
        site.server.log()
    );
}

#[test]
fn people_register_by_short_message_by_authenticator_and_by_an_administrators_code_with_one() {
    let machine = Machine::start().unwrap();
    let mut site = Site::new(&machine, 4, HostKey::Sealed).unwrap();
    let gateway = SmsGateway::start(machine.scratch()).unwrap();
    site.server.configure(&machine, "\n[registration]\nmethods = [\"sms\", \"totp\"]\n").unwrap();
    site.server.configure(&machine, &gateway.section()).unwrap();
    site.put_to_work().unwrap();

    // By short message; five wrong codes end one, and the card's keys are kept for the next.
    let max = site.person("max", 4201, 1).unwrap();
    let sms = ["--sms", "+49 151 2345678"];
    let mut dialogue = max.begin_registering("max", &sms).unwrap();
    for _ in 0..5 {
        dialogue.expect("Code from the message to +491512345678: ", KEY_GENERATION).unwrap();
        dialogue.send_line("0000-0000").unwrap();
    }
    dialogue.expect("worth nothing any more", SOON).unwrap();
    dialogue.expect_eof(SOON).unwrap();
    let dead = code_in(&gateway.message_to("+491512345678").unwrap());
    // The pause between two messages to one address.
    std::thread::sleep(std::time::Duration::from_secs(16));
    let again = max.countersign(&["register", "max", "--card", &max.card.ident(), sms[0], sms[1]]).unwrap();
    let mut dialogue = Dialogue::start(&again).unwrap();
    dialogue.expect("Code from the message", SOON).unwrap();
    let message = gateway.message_to("+491512345678").unwrap();
    assert!(message.contains("application") || message.contains("Application"), "{message}");
    dialogue.send_line(&dead).unwrap();
    dialogue.expect("Tries left: 4", SOON).unwrap();
    dialogue.expect("Code from the message", SOON).unwrap();
    dialogue.send_line(&code_in(&message)).unwrap();
    dialogue.expect("PIN for", SOON).unwrap();
    dialogue.send_line(Person::PIN).unwrap();
    to_the_end(dialogue);

    // By authenticator program: the picture is on the terminal, and the account may do nothing.
    let eve = site.person("eve", 4202, 2).unwrap();
    let mut dialogue = eve.begin_registering("eve", &["--totp"]).unwrap();
    dialogue.expect("Six digits that your authenticator program shows: ", KEY_GENERATION).unwrap();
    let shown = dialogue.transcript().replace('\r', "");
    assert!(shown.contains("▀▀▀▀▀") && shown.contains("48;5;231"), "{shown}");
    let secret = words_after(&shown, "address").split("secret=").nth(1).unwrap().split('&').next().unwrap();
    dialogue.send_line("000000").unwrap();
    dialogue.expect("Tries left: 4", SOON).unwrap();
    dialogue.expect("Six digits", SOON).unwrap();
    dialogue.send_line(&oathtool(secret)).unwrap();
    let shown = to_the_end(dialogue);
    assert!(shown.contains("It may do nothing yet"), "{shown}");
    let list = eve.countersign(&["admin", "user", "list", "--card", &eve.card.ident()]).unwrap();
    assert!(!talk(&list, &[("PIN for", Person::PIN)], SOON).unwrap().status.success());

    // By an administrator, who wants an authenticator program beside the code.
    let olga = site.person("olga", 4200, 3).unwrap();
    olga.register(&site.server.administrator, &site.server.code).unwrap();
    let shown = olga.administer(&["admin", "user", "add", "kim", "--totp"]).unwrap().shown;
    let (code, secret) = (
        words_after(&shown, "code").to_owned(),
        words_after(&shown, "address").split("secret=").nth(1).unwrap(),
    );
    let secret = secret.split('&').next().unwrap().to_owned();
    // She says who eve is.
    let bound =
        olga.administer(&["admin", "user", "update", "eve", "--role", "user", "--login", "eve"]).unwrap();
    assert!(bound.shown.contains("has other logins, roles or groups now"), "{}", bound.shown);
    let kim = site.person("kim", 4203, 4).unwrap();
    let mut dialogue = kim.begin_registering("kim", &[]).unwrap();
    dialogue.expect("One-time code", KEY_GENERATION).unwrap();
    dialogue.send_line(&code).unwrap();
    dialogue.expect("Six digits", SOON).unwrap();
    dialogue.send_line("000000").unwrap();
    dialogue.expect("Tries left: 4", SOON).unwrap();
    dialogue.expect("One-time code", SOON).unwrap();
    dialogue.send_line(&code).unwrap();
    dialogue.expect("Six digits", SOON).unwrap();
    dialogue.send_line(&oathtool(&secret)).unwrap();
    assert!(to_the_end(dialogue).contains("is the key of kim now"));
}

/// Beside any site: what the server's own carrier does with a mail server that speaks TLS from the first byte.
#[test]
fn mail_goes_under_tls_from_the_first_byte_and_a_receiver_that_there_is_not_is_given_up_without_their_address()
 {
    let folder = tempfile::tempdir().unwrap();
    let mut mail = MailServer::new(folder.path(), "tls").unwrap();
    mail.start().unwrap();
    let file = folder.path().join("server.toml");
    let head = "listen = \"127.0.0.1:8443\"\nurl = \"http://127.0.0.1:8443\"\ndata = \"/nonexistent\"\n";
    let carrier = |section: &str| {
        std::fs::write(&file, format!("{head}{section}")).unwrap();
        carriers(&Config::read(&file).unwrap()).unwrap().remove(0)
    };
    let letter = |to: &str| Letter {
        to: Address::typed(to).unwrap(),
        subject: "A try".into(),
        text: "Nothing but a try.\n".into(),
    };
    let good = carrier(&mail.section());
    good.carry(&letter("bob@example.org"), "1").unwrap();
    assert!(mail.letter_to("bob@example.org").unwrap().contains("Nothing but a try."));
    let why = good.carry(&letter("nobody@example.org"), "2").unwrap_err();
    assert_eq!(why.failed, Failed::ForGood, "{}", why.why);
    assert!(why.why.contains("(the receiver)"), "{}", why.why);
    assert!(!why.why.to_lowercase().contains("nobody@") && !why.why.contains("Nobody"), "{}", why.why);
    // Neither an unknown authority nor a wrong password is the receiver's: it is mended, and tried again.
    let without =
        mail.section().lines().filter(|line| !line.starts_with("ca_file")).collect::<Vec<_>>().join("\n");
    let wrong = mail.section().replace("\"countersign\"\n", "\"somebody\"\n");
    for section in [without, wrong] {
        let why = carrier(&section).carry(&letter("bob@example.org"), "3").unwrap_err();
        assert_eq!(why.failed, Failed::ForNow, "{}", why.why);
    }
    assert_eq!(mail.letters(), 1);
}
