//! Countersign and the people, put into the system before it boots: as its packages would, and as an installer asks.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use super::{HOST, ROOT};
use crate::machine::{Machine, reader_entry, reader_friendly_name};
use crate::site::module_path;
use crate::trouble::{Attempt as _, Trouble};

/// `login name, password` of everybody who can log in. Only root does more than log in.
const PEOPLE: [(&str, &str); 3] = [("root", "rootword"), ("ana", "anaword"), ("bob", "bobword")];

pub(super) fn all(machine: &Machine, reader_ports: &[u16], sshd_port: u16) -> Result<(), Trouble> {
    let root = machine.path(ROOT);
    programs(&root)?;
    units(&root)?;
    pam_profiles(&root)?;
    readers(&root, reader_ports)?;
    surroundings(&root, sshd_port)?;
    people(machine)
}

/// Writes a file below `root`; missing folders are made.
pub(super) fn write(root: &Path, inside: &str, text: &str, mode: u32) -> Result<(), Trouble> {
    let path = root.join(inside.trim_start_matches('/'));
    path.parent()
        .map_or(Ok(()), std::fs::create_dir_all)
        .and_then(|()| std::fs::write(&path, text))
        .and_then(|()| std::fs::set_permissions(&path, Permissions::from_mode(mode)))
        .attempt(|| format!("write the container's {inside}"))
}

/// The installed layout: the programs and the module.
fn programs(root: &Path) -> Result<(), Trouble> {
    let copy = |from: PathBuf, to: String, mode| {
        let to = root.join(to);
        to.parent()
            .map_or(Ok(()), std::fs::create_dir_all)
            .and_then(|()| std::fs::copy(&from, &to).map(drop))
            .and_then(|()| std::fs::set_permissions(&to, Permissions::from_mode(mode)))
            .attempt(|| format!("copy {} into the container", from.display()))
    };
    for (name, folder) in [
        ("countersign", "usr/bin"),
        ("countersign-server", "usr/bin"),
        ("countersignd", "usr/libexec/countersign"),
        ("countersign-courier", "usr/libexec/countersign"),
    ] {
        copy(crate::target_bin(name)?, format!("{folder}/{name}"), 0o755)?;
    }
    let modules = format!("usr/lib/{}-linux-gnu/security", std::env::consts::ARCH);
    copy(module_path()?, format!("{modules}/pam_countersign.so"), 0o644)
}

/// The units and what goes with them, from the folder they are shipped from.
fn units(root: &Path) -> Result<(), Trouble> {
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("../systemd");
    let entries = std::fs::read_dir(&shipped).attempt(|| format!("read {}", shipped.display()))?;
    for entry in entries {
        let path = entry.attempt(|| format!("read {}", shipped.display()))?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let text = std::fs::read_to_string(&path).attempt(|| format!("read {}", path.display()))?;
        let to = if let Some(part) = name.strip_suffix(".sysusers.conf") {
            format!("usr/lib/sysusers.d/{part}.conf")
        } else if let Some(part) = name.strip_suffix(".tmpfiles.conf") {
            format!("usr/lib/tmpfiles.d/{part}.conf")
        } else {
            format!("usr/lib/systemd/system/{name}")
        };
        write(root, &to, &text, 0o644)?;
    }
    Ok(())
}

/// What pam-auth-update(8) offers. Nothing of it is in use yet.
fn pam_profiles(root: &Path) -> Result<(), Trouble> {
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("../packaging/pam-configs");
    let read = || format!("read {}", shipped.display());
    for entry in std::fs::read_dir(&shipped).attempt(read)? {
        let path = entry.attempt(read)?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let text = std::fs::read_to_string(&path).attempt(|| format!("read {}", path.display()))?;
        write(root, &format!("/usr/share/pam-configs/{name}"), &text, 0o644)?;
    }
    Ok(())
}

/// vpcd's readers, each with a copy of the driver: pcscd maps one file once, and the driver's sockets are global.
fn readers(root: &Path, ports: &[u16]) -> Result<(), Trouble> {
    let drivers = "/usr/lib/pcsc/drivers/serial";
    let driver = format!("{drivers}/libifdvpcd.so");
    let bytes =
        std::fs::read(root.join(driver.trim_start_matches('/'))).attempt(|| format!("read {driver}"))?;
    let mut entries = String::new();
    for (number, port) in ports.iter().enumerate() {
        let copy = format!("{drivers}/libifdvpcd-{number}.so");
        std::fs::write(root.join(copy.trim_start_matches('/')), &bytes)
            .attempt(|| format!("write {copy}"))?;
        entries.push_str(&reader_entry(&reader_friendly_name(number), &copy, *port));
    }
    write(root, "/etc/reader.conf.d/vpcd", &entries, 0o644)?;
    // Debian's ends a minute after its last client, and takes vpcd's ports along.
    let stays = "[Service]\nExecStart=\nExecStart=/usr/sbin/pcscd --foreground\n";
    write(root, "/etc/systemd/system/pcscd.service.d/stays.conf", stays, 0o644)
}

/// What makes a container's console a place where somebody sits, and keeps transcripts to what matters.
fn surroundings(root: &Path, sshd_port: u16) -> Result<(), Trouble> {
    // A container has no virtual terminals, so logind counts no session at its console to a seat. Root says here what
    // a tty1 says by itself, in the words of pam_systemd(8); the agent's rule stays as it is.
    let seat = "[Service]\nEnvironment=XDG_SEAT=seat0\n";
    write(root, "/etc/systemd/system/console-getty.service.d/seat.conf", seat, 0o644)?;
    write(
        root,
        "/etc/ssh/sshd_config.d/port.conf",
        &format!("Port {sshd_port}\nListenAddress 127.0.0.1\n"),
        0o644,
    )?;
    write(root, "/etc/hostname", &format!("{HOST}\n"), 0o644)?;
    write(root, "/etc/hosts", &format!("127.0.0.1 localhost {HOST}\n"), 0o644)?;
    // The kernel's name and Debian's licence.
    write(root, "/etc/motd", "", 0o644)?;
    let _ = std::fs::remove_dir_all(root.join("etc/update-motd.d"));
    write(root, "/etc/default/locale", "LANG=C.UTF-8\n", 0o644)?;
    write(root, "/etc/sudoers.d/everybody", "Defaults !lecture\nALL ALL=(ALL) ALL\n", 0o440)?;
    // Started when its scene comes.
    write(root, "/etc/systemd/system-preset/00-tests.preset", "disable greetd.service\n", 0o644)?;
    for unit in [
        "etc/systemd/system/display-manager.service",
        "etc/systemd/system/multi-user.target.wants/cron.service",
    ] {
        let _ = std::fs::remove_file(root.join(unit));
    }
    Ok(())
}

fn people(machine: &Machine) -> Result<(), Trouble> {
    let script = PEOPLE.iter().fold(String::new(), |script, (name, password)| {
        let add = if *name == "root" { String::new() } else { format!("useradd -m -s /bin/bash {name}\n") };
        format!("{script}{add}echo '{name}:{password}' | chpasswd -c SHA256 -s 1000\n")
    });
    let mut inside = machine.command("chroot");
    let done = inside.args([ROOT, "sh", "-ec", &script]).output().attempt(|| "start chroot".to_owned())?;
    if done.status.success() {
        return Ok(());
    }
    let output = String::from_utf8_lossy(&done.stderr).into_owned();
    Err(Trouble::Program { program: "useradd".to_owned(), status: done.status.to_string(), output })
}
