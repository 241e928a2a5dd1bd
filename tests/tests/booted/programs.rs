//! The programs people use while they are logged in.

use countersign_tests::Trouble;

use crate::stage::{ADMIN_PIN, ANA, BOB, NOTHING, OTHER_PIN, PIN, ROOT, Stage, WRONG};

/// `sudo` and `su`, also with what sudo remembers.
pub(crate) fn sudo_and_su(stage: &mut Stage<'_>) -> Result<(), Trouble> {
    let console = &mut stage.console;
    console.login("ana", &[("PIN for", PIN)])?;
    console.run("sudo id -un", &[("PIN for", WRONG), ("PIN for", PIN)])?;
    // `pam enable` has sudo ask every time. With a timestamp of sudo's own it asks PAM for the account alone.
    console.note("root lets sudo remember: Defaults:ana timestamp_timeout=15");
    stage.debian.write("/etc/sudoers.d/zz-remember", "Defaults:ana timestamp_timeout=15\n", 0o440)?;
    let console = &mut stage.console;
    console.run("sudo id -un", &[("PIN for", PIN)])?;
    console.run("sudo id -un", &[])?;
    console.run("sudo -k", &[])?;
    console.run("sudo id -un", &[("PIN for", PIN)])?;
    console.note("root does not any more");
    stage.debian.administer("rm /etc/sudoers.d/zz-remember")?;
    let console = &mut stage.console;
    console.run("su ana -c 'id -un'", &[("PIN for", PIN)])?;
    console.run("su -c 'id -un'", &[("Password: ", ROOT)])?;
    console.run("su bob -c 'id -un'", &[("Password: ", BOB)])?;
    console.logout()
}

/// `passwd`: another PIN, and a new one for a card that was blocked.
pub(crate) fn passwd(stage: &mut Stage<'_>) -> Result<(), Trouble> {
    let console = &mut stage.console;
    console.login("ana", &[("PIN for", PIN)])?;
    console.run("passwd", &[("PIN for", WRONG), ("New PIN", OTHER_PIN), ("again", OTHER_PIN)])?;
    console.run("passwd", &[("PIN for", PIN), ("New PIN", OTHER_PIN), ("again", OTHER_PIN)])?;
    console.run("sudo id -un", &[("PIN for", PIN), ("PIN for", OTHER_PIN)])?;
    console.line("sudo id -un")?;
    console.answer(&[("PIN for", WRONG), ("PIN for", WRONG)])?;
    console.question("Type yes")?;
    console.line("yes")?;
    console.answer(&[("PIN for", WRONG)])?;
    console.prompt_again()?;
    console.run("passwd", &[("dmin PIN", ADMIN_PIN), ("New PIN", PIN), ("again", PIN)])?;
    console.run("sudo id -un", &[("PIN for", PIN)])?;
    console.logout()
}

/// Over ssh, where no card can be asked.
pub(crate) fn ssh(stage: &mut Stage<'_>) -> Result<(), Trouble> {
    let port = stage.debian.sshd_port();
    let keys = format!(
        "install -d -m 700 -o ana -g ana /home/ana/.ssh; cd /home/ana/.ssh; \
         ssh-keyscan -p {port} 127.0.0.1 > known_hosts 2> /dev/null; chown ana:ana known_hosts"
    );
    stage.debian.administer(&keys)?;
    let (ssh, id) = (format!("ssh -p {port} 127.0.0.1"), "id -un");
    let console = &mut stage.console;
    console.login("ana", &[("PIN for", PIN)])?;
    // A password is asked by the client, and the server shows nothing of what PAM says to it.
    console.run(&format!("{ssh} {id}"), &[("password: ", ANA), ("password: ", ANA), ("password: ", ANA)])?;
    let interactive = "echo 'KbdInteractiveAuthentication yes' >> /etc/ssh/sshd_config.d/port.conf; \
                       systemctl restart ssh";
    stage.debian.administer(interactive)?;
    let console = &mut stage.console;
    console.run(&format!("{ssh} -o PreferredAuthentications=keyboard-interactive {id}"), &[])?;
    console.run("ssh-keygen -q -t ed25519 -N '' -f .ssh/id_ed25519", &[])?;
    console.run("cp .ssh/id_ed25519.pub .ssh/authorized_keys", &[])?;
    console.run(&format!("{ssh} {id}"), &[])?;
    console.note("root allows sshd to let in by other means: service sshd other-auth");
    stage.debian.administer("echo 'service sshd other-auth' >> /etc/countersign/managed")?;
    let console = &mut stage.console;
    console.run(&format!("{ssh} {id}"), &[])?;
    console.run(&format!("{ssh} -t sudo {id}"), &[])?;
    console.logout()
}

/// Lockers: one that is root, and one that is not.
pub(crate) fn lockers(stage: &mut Stage<'_>) -> Result<(), Trouble> {
    let console = &mut stage.console;
    console.login("ana", &[("PIN for", PIN)])?;
    console.line("vlock")?;
    console.expect("[ENTER] to unlock.")?;
    console.press("Enter", b"\n")?;
    // vlock lets root unlock as well.
    console.answer(&[("PIN for", WRONG), ("root's Password: ", NOTHING)])?;
    console.expect("[ENTER] to unlock.")?;
    console.press("Enter", b"\n")?;
    console.answer(&[("PIN for", PIN)])?;
    console.prompt_again()?;
    console.line("TERM=vt100 screen -q")?;
    console.prompt_again()?;
    console.press("Ctrl-A x", b"\x01x")?;
    console.answer(&[("Password:", WRONG), ("Password:", PIN)])?;
    console.prompt_again()?;
    console.line("exit")?;
    console.prompt_again()?;
    console.logout()
}

/// polkit, asked by `systemctl` through its agent for terminals. (`pkexec`'s own agent does not work in Debian 12, cards or
/// not: "No session for cookie", mended in polkit 124.)
pub(crate) fn polkit(stage: &mut Stage<'_>) -> Result<(), Trouble> {
    stage.debian.administer("usermod -aG sudo ana")?;
    let console = &mut stage.console;
    console.login("ana", &[("PIN for", PIN)])?;
    console.run("systemctl restart cron", &[("PIN for", WRONG)])?;
    console.run("systemctl restart cron", &[("PIN for", PIN)])?;
    console.logout()
}

/// Jobs of somebody who is not there.
pub(crate) fn cron(stage: &mut Stage<'_>) -> Result<(), Trouble> {
    let console = &mut stage.console;
    console.login("ana", &[("PIN for", PIN)])?;
    console.run("echo '@reboot date >> jobs' | crontab -", &[])?;
    let reboot = "rm -f /run/crond.reboot; systemctl restart cron; sleep 1";
    console.note("the host is booted anew");
    stage.debian.administer(reboot)?;
    stage.console.run("ls jobs", &[])?;
    stage.console.note("root allows cron to let in by other means: service cron other-auth");
    stage.debian.administer("echo 'service cron other-auth' >> /etc/countersign/managed")?;
    stage.console.note("the host is booted anew");
    stage.debian.administer(reboot)?;
    stage.console.run("ls jobs", &[])?;
    stage.console.logout()
}

/// greetd, with its own greeter for a terminal, in getty's place.
pub(crate) fn greetd(stage: &mut Stage<'_>) -> Result<(), Trouble> {
    stage.debian.write("/etc/systemd/system/greetd.service.d/console.conf", GREETD_UNIT, 0o644)?;
    stage.debian.write("/etc/greetd/config.toml", GREETD, 0o644)?;
    stage
        .debian
        .administer("systemctl daemon-reload; systemctl stop console-getty; systemctl start greetd")?;
    let console = &mut stage.console;
    console.login("ana", &[("PIN for", PIN)])?;
    console.run("loginctl | cat", &[])?;
    console.run("sudo id -un", &[("PIN for", PIN)])?;
    console.leave_quietly("exit")?;
    stage.debian.administer("systemctl stop greetd; systemctl start console-getty").map(drop)
}

/// On the console as on a terminal, and without taking it for itself: greeter and session do.
const GREETD_UNIT: &str = "\
[Service]
StandardInput=file:/dev/console
StandardOutput=file:/dev/console
";

/// There are no virtual terminals in a container.
const GREETD: &str = "\
[terminal]
vt = \"none\"
[default_session]
command = \"setsid --ctty --wait /usr/sbin/agreety --cmd 'setsid --ctty --wait /bin/bash'\"
user = \"_greetd\"
";
