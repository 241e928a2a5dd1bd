//! From an installed Countersign to a host where Ana needs her card.

use countersign_tests::Trouble;

use crate::stage::{ADMIN_PIN, ANA, PIN, ROOT, Stage};

/// Root makes a server and enrols the host, which is the same machine here, and registers the first card.
pub(crate) fn server_and_host(stage: &mut Stage<'_>) -> Result<(), Trouble> {
    stage.console.login("root", &[("Password: ", ROOT)])?;
    let url = format!("http://127.0.0.1:{}", stage.debian.server_port());
    let init = format!(
        "runuser -u countersign-server -- countersign-server init --data /var/lib/countersign-server --url {url}"
    );
    let shown = stage.console.run(&init, &[])?;
    let after = |label: &str| -> String {
        let line = shown.lines().find_map(|line| line.strip_prefix(label)?.strip_prefix(':'));
        line.unwrap_or_default().trim().to_owned()
    };
    let word = |label: &str| after(label).split_whitespace().next().unwrap_or_default().to_owned();
    let (fingerprint, bundle) = (after("Server fingerprint").replace(' ', ""), after("Application bundle"));
    let (token, code) = (word("Enrolment token"), word("Registration code"));
    stage.names.call(&token, "THE-TOKEN");
    stage.names.call(&code, "THE-CODE");
    let console = &mut stage.console;
    console.run("systemctl enable --now countersign-server.service countersignd.service", &[])?;
    let enroll = format!(
        "countersign enroll --server-fingerprint {fingerprint} --bundle {bundle} --token {token} --sealed"
    );
    console.run(&enroll, &[])?;
    console.note("puts the administrator's card in");
    stage.admins_card.insert()?;
    stage.debian.wait_for(&stage.admins_card)?;
    console.run("countersign card list", &[])?;
    register(stage, "admin", code)?;
    let shown = stage.console.run("countersign admin user add ana --login ana", &[("PIN for", PIN)])?;
    let code = shown.lines().find_map(|line| line.trim_start().strip_prefix("code")).unwrap_or_default();
    let code = code.split_whitespace().next().unwrap_or_default().to_owned();
    stage.names.call(&code, "ANAS-CODE");
    stage.anas_code = code;
    stage.console.note("pulls the administrator's card");
    stage.admins_card.pull()?;
    stage.debian.wait_for(&stage.admins_card)?;
    stage.console.run("countersign status", &[])?;
    stage.console.logout()
}

/// Ana, whose login needs only a password so far.
pub(crate) fn ana_registers(stage: &mut Stage<'_>) -> Result<(), Trouble> {
    stage.console.login("ana", &[("Password: ", ANA)])?;
    stage.console.note("puts her card in");
    stage.anas_card.insert()?;
    stage.debian.wait_for(&stage.anas_card)?;
    let code = stage.anas_code.clone();
    register(stage, "ana", code)?;
    stage.console.run("countersign status", &[])?;
    stage.console.run("countersign login try", &[("PIN for", PIN)])?;
    stage.console.logout()
}

fn register(stage: &mut Stage<'_>, account: &str, code: String) -> Result<(), Trouble> {
    let console = &mut stage.console;
    console.line(&format!("countersign register {account}"))?;
    console.question("Type yes")?;
    console.line("yes")?;
    console.answer(&[
        ("New PIN (", PIN),
        ("New PIN again", PIN),
        ("New admin PIN (", ADMIN_PIN),
        ("New admin PIN again", ADMIN_PIN),
    ])?;
    console.question("One-time code")?;
    console.hidden_word("the code", &code)?;
    console.expect("keep somewhere else? [y/N] ")?;
    console.line("n")?;
    console.prompt_again()
}

/// Root says who needs a card, tries it, and lets it stay.
pub(crate) fn enable(stage: &mut Stage<'_>) -> Result<(), Trouble> {
    let console = &mut stage.console;
    console.login("root", &[("Password: ", ROOT)])?;
    console.run("countersign pam enable --user ana", &[("PIN for", PIN)])?;
    console.run("sudo -iu ana true", &[])?;
    console.run("countersign pam confirm", &[])?;
    console.run("countersign pam status", &[])?;
    console.run("cat /etc/countersign/managed", &[])?;
    console.logout()
}
