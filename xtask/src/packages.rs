//! Debian packages that building and testing need.

use std::process::Command;

use crate::step::{Stop, output, run, say, step, works};

/// To compile and link.
const BUILD: &[&str] = &[
    "build-essential", // C compiler for SQLite and ring, `nm` for the export check
    "pkg-config",      // finds the libraries below
    "libssl-dev",      // Sequoia's back end
    "libclang-dev",    // Sequoia's OpenSSL bindings are generated
    "clang",           // the system headers that libclang reads
    "libpam0g-dev",    // the PAM module
    "libpcsclite-dev", // cards
];

/// To show and test it on real parts.
const RUN: &[&str] = &[
    "pcscd",             // the smartcard daemon; tests start their own, in a namespace
    "vsmartcard-vpcd",   // its driver for virtual cards
    "pamtester",         // a program that does nothing but PAM
    "sudo",              // a program that does more
    "oathtool",          // an independent opinion on codes by time
    "zbar-tools",        // reads the pictures for authenticator programs
    "python3-aiosmtpd",  // a mail server; tests start their own
    "postgresql",        // the server's other database; tests start their own
    "openssl",           // a web server with a certificate, for a test
    "gnupg",             // an independent opinion on signatures
    "scdaemon",          // GnuPG's card driver, an independent opinion on cards
    "openssh-client",    // logging in from elsewhere
    "openssh-server",    // being logged in to; tests start their own
    "expect",            // typing at a terminal
    "procps",            // looking at processes
    "strace",            // killing the agent at a chosen write
    "util-linux",        // namespaces, `setpriv`, `setsid`
    "iproute2",          // `ss`, with which the agent names who holds a card
    "mmdebstrap",        // a Debian of its own for the booted tests, from the network
    "systemd-container", // boots it
];

/// For `bench agent` alone: the neighbours it is compared with. They change no PAM configuration.
const NEIGHBOURS: &[&str] = &[
    "libpam-poldi", // logs in with an OpenPGP card through scdaemon
    "libpam-p11",   // logs in with any PKCS#11 token
    "opensc",       // makes one of an OpenPGP card
];

/// Installs what is missing, or says the one command that does. Services of the system are neither started
/// nor restarted.
pub(crate) fn ensure() -> Result<(), Stop> {
    install(&[])
}

/// The same, and the programs that the bench compares with.
pub(crate) fn ensure_for_bench() -> Result<(), Stop> {
    install(NEIGHBOURS)
}

fn install(more: &[&'static str]) -> Result<(), Stop> {
    let wanted = BUILD.iter().chain(RUN).chain(more).copied();
    let missing: Vec<&str> = wanted.filter(|package| !installed(package)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    if !works(Command::new("apt-get").arg("--version")) {
        return Err(Stop::Missing(format!(
            "this is not a Debian system; install what these Debian packages hold: {}",
            missing.join(" ")
        )));
    }
    if !is_root()? {
        return Err(Stop::Missing(format!(
            "packages are missing; run: sudo apt-get install --no-install-recommends {}",
            missing.join(" ")
        )));
    }
    step(&format!("install {}", missing.join(", ")), || {
        run(apt().arg("update"))?;
        run(apt().args(["install", "--yes", "--no-install-recommends"]).args(&missing))?;
        if missing.iter().any(|package| ["pcscd", "openssh-server"].contains(package)) {
            say(
                "Note: under systemd, pcscd.socket and ssh.service are enabled from the next boot on, as their \
                 packages want it.",
            );
        }
        Ok(())
    })
}

/// Demands root, with the command to get it.
pub(crate) fn demand_root(command: &str) -> Result<(), Stop> {
    if is_root()? {
        return Ok(());
    }
    Err(Stop::Missing(format!(
        "`{command}` makes private machines, which takes root; run: sudo -E env \"PATH=$PATH\" cargo xtask {command}"
    )))
}

fn is_root() -> Result<bool, Stop> {
    Ok(output(Command::new("id").arg("-u"))?.trim() == "0")
}

fn installed(package: &str) -> bool {
    let asked =
        Command::new("dpkg-query").args(["--show", "--showformat=${db:Status-Status}", package]).output();
    asked.is_ok_and(|answer| answer.stdout == b"installed")
}

fn apt() -> Command {
    let mut apt = Command::new("apt-get");
    // The last two keep package scripts from starting daemons: invoke-rc.d obeys one, systemctl the other.
    apt.env("DEBIAN_FRONTEND", "noninteractive").env("RUNLEVEL", "1").env("SYSTEMD_OFFLINE", "1");
    apt
}
