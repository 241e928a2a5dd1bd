//! A login over ssh with the key in the card of somebody's laptop, told to sshd by `countersign ssh-keys`.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

#[path = "gnupg/keyring.rs"]
#[expect(dead_code, reason = "shared with the tests of GnuPG")]
mod keyring;

use std::net::TcpStream;
use std::process::Command;

use countersign_tests::site::{Ending, HostKey, Person, SILENT_REST, SOON, Scene, stack, talk};
use countersign_tests::{Machine, PortPair, Running, ServiceHandle, target_bin, wait_until};
use keyring::Keyring;

/// Who asks on behalf of sshd.
const SSHD: &str = "countersign-ssh";

/// Where sshd finds the command: in a folder that is root's, as sshd wants it.
const COMMAND: &str = "/run/bin/countersign";

#[test]
fn ssh_with_the_key_in_the_card_lets_in_until_the_card_is_revoked() {
    let machine = Machine::start().unwrap();
    let scene = Scene::on(&machine, HostKey::Sealed).unwrap();
    scene.site.manage("user ana card\nservice sshd other-auth\n").unwrap();
    machine.pam_service("sshd", &stack(SILENT_REST).unwrap()).unwrap();
    let port = PortPair::claim().unwrap();
    let service = machine.service_cgroup("ssh.service").unwrap();
    let sshd = serve(&machine, &service, port.first());
    let _laptop = laptop(&machine, &scene.ana);
    let asks = || ssh(&machine, &scene.ana, port.first());

    let mut ending = asks();
    // The roster has her as soon as the host has asked about her.
    wait_until("ana's key to open her login", SOON, || {
        ending = asks();
        Ok(ending.status.success().then_some(()))
    })
    .unwrap_or_else(|_| panic!("{}\n{}\n{}", ending.shown, sshd.log(), scene.site.agent_log()));
    assert!(ending.shown.ends_with("ana\n"), "{}", ending.shown);

    let card = scene.olga.card.ident();
    let revoke = scene.olga.countersign(&["admin", "key", "revoke", "ana", "--card", &card]).unwrap();
    let pin = ("PIN for", Person::PIN);
    talk(&revoke, &[pin, pin], SOON).unwrap().success().unwrap();
    wait_until("the revoked key to be of no use", SOON, || {
        ending = asks();
        Ok((!ending.status.success()).then_some(()))
    })
    .unwrap();
    // sshd goes on to what PAM asks, which is no card, and says why.
    assert!(ending.shown.contains("you come from another machine"), "{}", ending.shown);
    assert!(ending.shown.contains("with the ssh key of your card"), "{}", ending.shown);
    assert!(ending.shown.contains("Permission denied"), "{}", ending.shown);
}

fn serve(machine: &Machine, service: &ServiceHandle, port: u16) -> Running {
    machine.add_user(SSHD, 986).unwrap();
    let folder = machine.path("/run/bin");
    std::fs::create_dir(&folder).unwrap();
    std::fs::copy(target_bin("countersign").unwrap(), folder.join("countersign")).unwrap();
    assert!(machine.command("ssh-keygen").arg("-A").status().unwrap().success());
    let config = format!(
        "Port {port}\nListenAddress 127.0.0.1\nUsePAM yes\nPidFile none\nHostKey /etc/ssh/ssh_host_ed25519_key\n\
         PasswordAuthentication no\nKbdInteractiveAuthentication yes\nAuthorizedKeysFile none\n\
         AuthorizedKeysCommand {COMMAND} ssh-keys %u\nAuthorizedKeysCommandUser {SSHD}\n"
    );
    machine.write("/etc/ssh/sshd_config", &config, 0o600).unwrap();
    let sshd = machine.spawn("sshd", service.command("/usr/sbin/sshd").args(["-D", "-e"])).unwrap();
    wait_until("sshd to listen", SOON, || Ok(TcpStream::connect(("127.0.0.1", port)).is_ok().then_some(())))
        .unwrap();
    sshd
}

/// Ana's laptop: her GnuPG with her card, and somebody who types the PIN when it is asked for.
fn laptop<'m>(machine: &'m Machine, ana: &Person<'m>) -> Keyring<'m> {
    let keyring = Keyring::of(machine, &ana.user, &ana.card);
    let pinentry = format!(
        "#!/bin/sh\necho OK\nwhile read -r word rest; do\n    case \"$word\" in\n    GETPIN) echo 'D {}' ;;\n    \
         BYE) exit 0 ;;\n    esac\n    echo OK\ndone\n",
        Person::PIN
    );
    machine.write("/run/bin/pinentry", &pinentry, 0o755).unwrap();
    let conf = "enable-ssh-support\npinentry-program /run/bin/pinentry\n";
    let home = ana.user.home.join(".gnupg");
    machine.write(home.join("gpg-agent.conf"), conf, 0o644).unwrap();
    let launched = machine.command_as(&ana.user, "gpgconf").args(["--launch", "gpg-agent"]).status();
    assert!(launched.unwrap().success());
    keyring
}

fn ssh(machine: &Machine, ana: &Person<'_>, port: u16) -> Ending {
    let socket = machine.command_as(&ana.user, "gpgconf").args(["--list-dirs", "agent-ssh-socket"]).output();
    let socket = String::from_utf8(socket.unwrap().stdout).unwrap().trim().to_owned();
    let mut command: Command = machine.command_as(&ana.user, "ssh");
    command.env("SSH_AUTH_SOCK", socket);
    command
        .args(["-p", &port.to_string(), "-o", "StrictHostKeyChecking=no"])
        .args(["ana@127.0.0.1", "id -un"]);
    talk(&command, &[], SOON).unwrap()
}
