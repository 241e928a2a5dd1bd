//! A Debian of its own, booted in a container: systemd, logind, the programs people log in with, and Countersign
//! installed in it as its packages would.
//!
//! It shares the network of this host and nothing else. Nobody gets in but by its console, as at a real one; what an
//! administrator would do from elsewhere is done by [`Booted::as_root`].

mod console;
mod golden;
mod install;
mod tree;

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

pub use console::{Console, Key};
pub use golden::{Golden, Names};

use crate::card::{Card, CardSpec};
use crate::dialogue::Dialogue;
use crate::machine::Machine;
use crate::ports::PortPair;
use crate::trouble::{Attempt as _, Trouble};
use crate::waiting::wait_until;

/// Where the root of the system is mounted, in the machine that holds it.
const ROOT: &str = "/run/debian/root";

/// The system's host name.
const HOST: &str = "debian";

/// Long enough for the system to come up beside other tests.
const BOOT: Duration = Duration::from_secs(60);

/// A running system. Everything in it dies with its machine.
pub struct Booted<'m> {
    machine: &'m Machine,
    leader: u32,
    server: PortPair,
    sshd: PortPair,
}

impl<'m> Booted<'m> {
    /// Boots a Debian with Countersign and `readers` card readers on this machine, and sits down at its console.
    ///
    /// # Errors
    /// What is missing on this host, or what did not start and what it said.
    pub fn start(machine: &'m Machine, readers: usize) -> Result<(Self, Console), Trouble> {
        need("systemd-nspawn", "systemd-container")?;
        let tree = tree::of_this_release()?;
        mount(machine, &tree)?;
        let (server, sshd) = (PortPair::claim()?, PortPair::claim()?);
        install::all(machine, &machine.reserve_readers(readers)?, sshd.first())?;
        let dialogue = Dialogue::start(&boot(machine))?;
        let mut console = Console::new(dialogue, HOST);
        console.wait_for_getty()?;
        let leader = wait_until("systemd in the container", BOOT, || Ok(leader(machine)));
        let leader = leader.map_err(|trouble| told(trouble, &console))?;
        Ok((Self { machine, leader, server, sshd }, console))
    }

    /// Shuts the system down and boots it again, with all its files as they were left; what sat at its console goes.
    ///
    /// # Errors
    /// It does not go down, or not come up.
    pub fn boots_again(&mut self, console: Console) -> Result<Console, Trouble> {
        // The command's own process goes down with the rest.
        let _ = self.administer("systemctl poweroff --no-block");
        let machine = self.machine;
        wait_until("the system to go down", BOOT, || Ok(leader(machine).is_none().then_some(())))?;
        drop(console);
        let mut console = Console::new(Dialogue::start(&boot(machine))?, HOST);
        console.wait_for_getty()?;
        self.leader = wait_until("systemd in the container", BOOT, || Ok(leader(machine)))?;
        Ok(console)
    }

    /// Puts a card into a reader, for the system's own pcscd.
    ///
    /// # Errors
    /// As [`Machine::card`].
    pub fn card(&self, reader: usize, spec: CardSpec) -> Result<Card<'m>, Trouble> {
        self.machine.card(reader, spec)
    }

    /// Waits until the system's pcscd has the card or has noticed that it is gone, and its clients know it.
    ///
    /// # Errors
    /// After twenty seconds.
    pub fn wait_for(&self, card: &Card<'_>) -> Result<(), Trouble> {
        let inserted = card.status()?.inserted;
        wait_until("pcscd in the container to look", Duration::from_secs(20), || {
            Ok((card.status()?.connected == inserted).then_some(()))
        })?;
        // pcscd looks for what changed every 400 ms.
        std::thread::sleep(Duration::from_millis(900));
        Ok(())
    }

    /// The port that the system's Countersign server may have.
    #[must_use]
    pub fn server_port(&self) -> u16 {
        self.server.first()
    }

    /// The port of the system's sshd.
    #[must_use]
    pub fn sshd_port(&self) -> u16 {
        self.sshd.first()
    }

    /// A command inside, as root, outside any session and service: what an administrator does from elsewhere.
    #[must_use]
    pub fn as_root(&self, program: &str) -> Command {
        let mut command = Command::new("nsenter");
        command.args(["--all", "--target", &self.leader.to_string(), "--", program]).env_clear();
        command.env("PATH", "/usr/sbin:/usr/bin").env("HOME", "/root").env("LC_ALL", "C.UTF-8");
        command.env("SYSTEMD_COLORS", "0").env("SYSTEMD_PAGER", "cat");
        command
    }

    /// Runs a shell script as [`Self::as_root`] and returns what it said.
    ///
    /// # Errors
    /// [`Trouble::Program`] if it fails.
    pub fn administer(&self, script: &str) -> Result<String, Trouble> {
        let done =
            self.as_root("sh").args(["-ec", script]).output().attempt(|| "start nsenter".to_owned())?;
        let said =
            format!("{}{}", String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
        if done.status.success() {
            return Ok(said);
        }
        Err(Trouble::Program { program: script.to_owned(), status: done.status.to_string(), output: said })
    }

    /// Writes a file of the system with the given mode.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn write(&self, inside: &str, text: &str, mode: u32) -> Result<(), Trouble> {
        // The container's own mounts, such as /run, are not seen from outside.
        let root = format!("/proc/{}/root", self.leader);
        install::write(&PathBuf::from(root), inside, text, mode)
    }

    /// The path of the machine's files of this run, for a card that is kept.
    #[must_use]
    pub fn machine(&self) -> &'m Machine {
        self.machine
    }
}

/// Says which program is missing, and the Debian package that has it.
fn need(program: &str, package: &str) -> Result<(), Trouble> {
    if Command::new(program).arg("--version").output().is_ok() {
        return Ok(());
    }
    Err(Trouble::Machine(format!("{program} is missing; install it: apt-get install {package}")))
}

/// The system's root: the tree below, and what this run writes above it, in memory.
fn mount(machine: &Machine, tree: &std::path::Path) -> Result<(), Trouble> {
    const SCRIPT: &str = r#"
cd /run/debian
mount -t tmpfs -o mode=0755 tmpfs .
mkdir -p /run/debian/upper /run/debian/work /run/debian/root
mount -t overlay -o "lowerdir=$1,upperdir=/run/debian/upper,workdir=/run/debian/work" overlay /run/debian/root
"#;
    let mut make = machine.command("sh");
    make.args(["-ec", &format!("mkdir -p /run/debian\n{SCRIPT}"), "mount"]).arg(tree);
    let done = make.output().attempt(|| "mount the container's root".to_owned())?;
    if done.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&done.stderr).into_owned();
    Err(Trouble::Machine(format!("the container's root cannot be mounted (overlay): {said}")))
}

fn boot(machine: &Machine) -> Command {
    let mut command = machine.command_among_files("sh");
    // As wide as no line of a transcript: bash would scroll what is typed.
    command.args(["-c", "stty rows 50 columns 250; exec \"$@\"", "boot", "systemd-nspawn"]);
    command.args(["--quiet", "--boot", "--register=no", "--keep-unit"]);
    command.arg(format!("--directory={ROOT}"));
    // The agent and greetd lock their memory.
    command.arg("--capability=CAP_IPC_LOCK");
    command.args(["--", "systemd.show_status=no", "systemd.log_level=warning"]);
    command.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
    // What the console understands; the container's getty is told the same.
    command.env("TERM", "dumb").env("LC_ALL", "C.UTF-8");
    command
}

/// The container's first process, once it is systemd: the one of the machine's processes whose root is the container's.
fn leader(machine: &Machine) -> Option<u32> {
    let asked = machine.command_beside("sh").args(["-c", FIND_LEADER]).output().ok()?;
    String::from_utf8_lossy(&asked.stdout).trim().parse().ok()
}

/// systemd-nspawn's grandchild that is process 1 of its own namespace, by `NSpid` of proc(5). This shell is in the
/// machine's cgroup, and so are they.
const FIND_LEADER: &str = r#"
own=$(sed -n 's/^0:://p' /proc/self/cgroup)
for status in /proc/[0-9]*/status; do
    pid=${status#/proc/}; pid=${pid%/status}
    case "$(sed -n 's/^0:://p' "/proc/$pid/cgroup" 2> /dev/null)" in "$own"*) ;; *) continue ;; esac
    grep -q '^NSpid:[[:space:]]*[0-9]*[[:space:]]1$' "$status" 2> /dev/null || continue
    [ "$(cat "/proc/$pid/comm")" = systemd ] && echo "$pid" && break
done
exit 0
"#;

fn told(trouble: Trouble, console: &Console) -> Trouble {
    match trouble {
        Trouble::Timeout { what, limit, .. } => {
            Trouble::Timeout { what, limit, detail: format!("; the console showed:\n{}", console.screen()) }
        }
        other => other,
    }
}
