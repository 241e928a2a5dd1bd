//! Somebody's GnuPG.

use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use countersign_tests::site::Person;
use countersign_tests::{Card, Machine, User, wait_until};

const SOON: Duration = Duration::from_secs(30);

/// The GnuPG of one user of a machine, with its agent and scdaemon. They end with it.
pub(crate) struct Keyring<'m> {
    machine: &'m Machine,
    user: User,
}

impl<'m> Keyring<'m> {
    /// GnuPG 2.2 looks into one reader: the first one, unless it is told.
    pub(crate) fn of(machine: &'m Machine, user: &User, card: &Card<'_>) -> Self {
        let folder = machine.path(user.home.join(".gnupg"));
        std::fs::create_dir_all(&folder).unwrap();
        // A virtual card has no USB; looking for one takes time.
        let conf = format!("disable-ccid\nreader-port \"{}\"\n", card.reader_name());
        std::fs::write(folder.join("scdaemon.conf"), conf).unwrap();
        std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o700)).unwrap();
        for path in [folder.clone(), folder.join("scdaemon.conf")] {
            chown(path, Some(user.uid), Some(user.uid)).unwrap();
        }
        Self { machine, user: user.clone() }
    }

    fn run(&self, program: &str, arguments: &[&str]) -> Output {
        self.machine.command_as(&self.user, program).args(arguments).output().unwrap()
    }

    fn gpg(&self, arguments: &[&str]) -> String {
        let output = self.run("gpg", &[&["--batch", "--no-tty", "--yes"], arguments].concat());
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert!(output.status.success(), "gpg {arguments:?}: {said}");
        said
    }

    /// `gpg --card-status` works, and scdaemon has the card after it.
    pub(crate) fn has_the_card(&self) {
        let said = self.gpg(&["--card-status"]);
        assert!(said.contains("Application ID"), "{said}");
    }

    /// Every certificate that was registered on this host.
    pub(crate) fn import_known(&self, machine: &Machine) {
        let known = std::fs::read(machine.path("/var/lib/countersign/known.json")).unwrap();
        let known: serde_json::Value = serde_json::from_slice(&known).unwrap();
        for (number, one) in known.as_array().unwrap().iter().enumerate() {
            let path = machine.scratch().join(format!("known-{number}.b64"));
            std::fs::write(&path, one["certificate"].as_str().unwrap()).unwrap();
            let path = path.to_str().unwrap();
            let import = format!("base64 -d < {path} | gpg --batch --import");
            let output = self.run("sh", &["-c", &import]);
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        }
        // The stubs that say which keys are on the card.
        self.has_the_card();
    }

    /// `gpg --sign` with the card works.
    pub(crate) fn signs(&self, what: &str) {
        let script = format!(
            "printf %s '{what}' | gpg --batch --yes --pinentry-mode loopback --passphrase {} -u ana --sign --output $HOME/signed && gpg --batch --decrypt $HOME/signed",
            Person::PIN
        );
        let output = self.run("sh", &["-c", &script]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{said}");
        assert_eq!(String::from_utf8_lossy(&output.stdout), what, "{said}");
    }

    /// Ends scdaemon and gpg-agent.
    pub(crate) fn ends(&self) {
        self.run("gpgconf", &["--kill", "all"]);
        wait_until("gpg-agent and scdaemon to end", SOON, || {
            let left = ["gpg-agent", "scdaemon"].iter().flat_map(|name| self.processes(name)).count();
            Ok((left == 0).then_some(()))
        })
        .unwrap();
    }

    /// Sends a signal to every process of this user with this name.
    pub(crate) fn signal(&self, name: &str, signal: &str) {
        let processes = self.processes(name);
        assert!(!processes.is_empty(), "no {name} runs");
        for process in processes {
            self.signal_process(&process, signal);
        }
    }

    /// Sends a signal to one process, as this user.
    pub(crate) fn signal_process(&self, process: &Path, signal: &str) {
        let pid = process.file_name().unwrap().to_str().unwrap();
        assert!(self.run("kill", &[&format!("-{signal}"), pid]).status.success());
    }

    /// The agent's visitors to this user.
    pub(crate) fn visitors(&self) -> Vec<PathBuf> {
        self.living(|process| {
            let arguments = std::fs::read(process.join("cmdline")).unwrap_or_default();
            arguments.split(|byte| *byte == 0).nth(1) == Some(b"--visit")
        })
    }

    fn processes(&self, name: &str) -> Vec<PathBuf> {
        self.living(|process| {
            std::fs::read_to_string(process.join("comm")).is_ok_and(|comm| comm.trim() == name)
        })
    }

    /// This user's processes on this machine, dead ones that nobody waited for left out.
    fn living(&self, wanted: impl Fn(&Path) -> bool) -> Vec<PathBuf> {
        let name = self.machine.host_name();
        let all = std::fs::read_dir("/proc").unwrap().flatten().map(|entry| entry.path());
        let mut all: Vec<PathBuf> = all
            .filter(|process| {
                let read = |file: &str| std::fs::read_to_string(process.join(file)).unwrap_or_default();
                let status = read("status");
                let uid = status.lines().find_map(|line| line.strip_prefix("Uid:\t"));
                let is_mine =
                    uid.is_some_and(|uid| uid.split('\t').next() == Some(&self.user.uid.to_string()));
                is_mine && !status.contains("State:\tZ") && read("cgroup").contains(name)
            })
            .filter(|process| wanted(process))
            .collect();
        all.sort();
        all
    }
}

impl Drop for Keyring<'_> {
    fn drop(&mut self) {
        // One that was stopped does not end otherwise.
        for process in ["scdaemon", "gpg-agent"].iter().flat_map(|name| self.processes(name)) {
            let _ = Command::new("kill").arg("-KILL").arg(process.file_name().unwrap()).status();
        }
    }
}
