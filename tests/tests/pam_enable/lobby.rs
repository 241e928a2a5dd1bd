//! A host with the module installed, people with cards, and Bob with a password.

use std::collections::BTreeMap;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

use countersign_tests::Machine;
use countersign_tests::site::{HostKey, Person, SOON, Scene, talk};

/// Bob's password, and root's.
pub(crate) const PASSWORD: &str = "Linden-Alley-42";

/// A scene of which PAM knows nothing yet.
pub(crate) struct Lobby<'m> {
    pub(crate) scene: Scene<'m>,
}

/// Owner, permissions and bytes by path.
pub(crate) type Files = BTreeMap<String, (u32, u32, Vec<u8>)>;

impl<'m> Lobby<'m> {
    pub(crate) fn on(machine: &'m Machine) -> Self {
        let lobby = Self { scene: Scene::on(machine, HostKey::Sealed).unwrap() };
        lobby.furnish();
        lobby
    }

    /// The same without server, cards and people: where it comes to no login.
    pub(crate) fn furnish_bare(machine: &Machine) {
        machine.install_module().unwrap();
        machine.does("mkdir", &["-p", "/etc/countersign"]).unwrap();
    }

    fn furnish(&self) {
        let machine = self.machine();
        Self::furnish_bare(machine);
        machine.does("rm", &["-f", "/etc/countersign/managed"]).unwrap();
        machine.add_user("bob", 4300).unwrap();
        self.set_password("bob");
        self.set_password("root");
    }

    pub(crate) fn machine(&self) -> &'m Machine {
        self.scene.site.machine
    }

    pub(crate) fn set_password(&self, login: &str) {
        let text = format!("printf '%s\\n' '{login}:{PASSWORD}' | chpasswd");
        self.machine().does("sh", &["-c", &text]).unwrap();
    }

    /// `countersign pam` as root at Ana's seat, as after `sudo -s`; what it showed.
    pub(crate) fn pam(&self, arguments: &[&str], answers: &[(&str, &str)], code: i32) -> String {
        let mut command = self.scene.ana.seat.command(countersign_tests::target_bin("countersign").unwrap());
        command.arg("pam").args(arguments);
        let ending = talk(&command, answers, SOON).unwrap();
        assert_eq!(ending.code(), Some(code), "pam {arguments:?}: {}", ending.shown);
        ending.shown
    }

    /// Bob and root by their passwords.
    pub(crate) fn people_without_a_card_get_in(&self, when: &str) {
        for login in ["bob", "root"] {
            self.logs_in_with(login, PASSWORD, true, when);
        }
    }

    /// It costs the seconds that a wrong password costs.
    pub(crate) fn a_wrong_password_does_not_do(&self, when: &str) {
        self.logs_in_with("bob", "wrong", false, when);
    }

    fn logs_in_with(&self, login: &str, password: &str, gets_in: bool, when: &str) {
        let mut command = self.scene.console.command("pamtester");
        command.args(["login", login, "authenticate", "acct_mgmt", "setcred"]);
        let ending = talk(&command, &[("Password:", password)], SOON).unwrap();
        assert_eq!(ending.status.success(), gets_in, "{login}, {when}: {}", ending.shown);
    }

    /// Ana's card, and nothing else, opens `login`.
    pub(crate) fn ana_gets_in_by_card_alone(&self) {
        for (pin, gets_in) in [(Person::PIN, true), ("999999", false)] {
            let mut command = self.scene.console.command("pamtester");
            command.args(["login", "ana", "authenticate", "acct_mgmt", "setcred"]);
            let ending = talk(&command, &[("PIN for", pin)], SOON).unwrap();
            assert_eq!(ending.status.success(), gets_in, "{}", ending.shown);
            assert!(!ending.shown.contains("Password:"), "{}", ending.shown);
        }
        self.scene.ana_logs_in_again();
    }

    /// Everything that `enable` may touch.
    pub(crate) fn files(&self) -> Files {
        files(self.machine())
    }

    pub(crate) fn are_as(&self, before: &Files, when: &str) {
        assert_same(before, &self.files(), when);
    }
}

/// A right PIN gives the card its tries back.
trait Again {
    fn ana_logs_in_again(&self);
}

impl Again for Scene<'_> {
    fn ana_logs_in_again(&self) {
        let mut command = self.console.command("pamtester");
        command.args(["login", "ana", "authenticate"]);
        talk(&command, &[("PIN for", Person::PIN)], SOON).unwrap().success().unwrap();
    }
}

pub(crate) fn files(machine: &Machine) -> Files {
    let mut files = Files::new();
    for folder in
        ["/etc/pam.d", "/etc/sudoers.d", "/etc/countersign", "/var/lib/pam", "/usr/share/pam-configs"]
    {
        for entry in std::fs::read_dir(machine.path(folder)).unwrap().map(Result::unwrap) {
            let about = entry.metadata().unwrap();
            if about.is_file() {
                let name = format!("{folder}/{}", entry.file_name().to_string_lossy());
                let mode = about.permissions().mode();
                files.insert(name, (about.uid(), mode, std::fs::read(entry.path()).unwrap()));
            }
        }
    }
    files
}

pub(crate) fn assert_same(before: &Files, after: &Files, when: &str) {
    let names = |files: &Files| files.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(before), names(after), "{when}");
    for (name, was) in before {
        let is = after.get(name).unwrap();
        assert!(is == was, "{when}: {name} is\n{}", String::from_utf8_lossy(&is.2));
    }
}
