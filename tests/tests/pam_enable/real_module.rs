//! The module itself, at its place in Debian's own stacks: what the model of them says of its answers is so.

use countersign_tests::Machine;
use countersign_tests::site::{SOON, talk};

use super::PIN;
use super::lobby::{Lobby, PASSWORD};

#[test]
fn with_the_agent_stopped_or_the_module_gone_nobody_gets_in_who_should_not_and_disable_lets_all_back_in() {
    let machine = Machine::start().unwrap();
    let mut lobby = Lobby::on(&machine);
    lobby.set_password("ana");
    lobby.set_password("olga");
    lobby.pam(&["enable", "--user", "ana", "--other-auth", "su"], &[PIN], 0);
    lobby.pam(&["confirm"], &[], 0);
    lobby.pam(&["enable", "--user", "olga", "--password-fallback", "--test-as", "ana"], &[PIN], 0);
    lobby.pam(&["confirm"], &[], 0);

    // The account check alone: a program that authenticated nobody, and one that root marked.
    assert!(!lobby.pamtester("login", "ana", &["acct_mgmt"], &[]).0);
    assert!(lobby.pamtester("su", "ana", &["acct_mgmt"], &[]).0);

    lobby.scene.site.stop_agent().unwrap();
    let whole = ["authenticate", "acct_mgmt", "setcred"];
    let (gets_in, shown) = lobby.pamtester("login", "ana", &whole, &[]);
    assert!(!gets_in && shown.contains("this login needs a card") && !shown.contains("Password:"), "{shown}");
    let (gets_in, shown) = lobby.pamtester("login", "olga", &whole, &[("Password:", PASSWORD)]);
    assert!(gets_in && shown.contains("your password will do"), "{shown}");
    assert!(!lobby.pamtester("login", "olga", &whole, &[("Password:", "wrong")]).0);
    lobby.people_without_a_card_get_in("the agent stopped");
    lobby.a_module_that_su_has_no_memory_to_load_is_no_way_around_the_card();
    lobby.scene.site.start_agent().unwrap();

    // A module that is gone is a locked door for everybody but root at the console, who is told so and opens it.
    let module = "/usr/lib/x86_64-linux-gnu/security/pam_countersign.so";
    machine.does("mv", &[module, "/run/the-module"]).unwrap();
    let only_root_gets_in_at_the_console = |why: &str| {
        for (service, login) in [("login", "ana"), ("login", "bob"), ("sshd", "root"), ("su", "root")] {
            let (gets_in, shown) = lobby.pamtester(service, login, &["acct_mgmt"], &[]);
            assert!(!gets_in && shown.contains("Module is unknown"), "{login}, {service}, {why}: {shown}");
            assert!(!lobby.pamtester(service, login, &whole, &[]).0, "{login}, {service}");
        }
        assert!(lobby.pamtester("login", "root", &whole, &[("Password:", PASSWORD)]).0, "{why}");
        assert!(!lobby.pamtester("login", "root", &whole, &[("Password:", "wrong")]).0, "{why}");
    };
    only_root_gets_in_at_the_console("gone");
    assert!(lobby.pam(&["status"], &[], 10).contains("pam_countersign.so is missing"));
    machine.write(module, "not a module", 0o644).unwrap();
    only_root_gets_in_at_the_console("something else");
    machine.does("rm", &[module]).unwrap();
    lobby.pam(&["disable"], &[], 0);
    lobby.people_without_a_card_get_in("disabled without the module");
}

impl Lobby<'_> {
    /// Why `module_unknown` is never forgiven, not even for root: a setuid program runs within the limits of whoever
    /// started it, and one of them makes every module fail to load from a certain size on. Bob knows Ana's password.
    fn a_module_that_su_has_no_memory_to_load_is_no_way_around_the_card(&self) {
        self.set_password("ana");
        let mut unloadable = 0;
        for kilobytes in (4_000..8_000).step_by(100) {
            if unloadable == 4 {
                break;
            }
            let limited = format!("ulimit -v {kilobytes}; exec su ana -c 'echo in as $(id -un)'");
            let mut command = self.scene.console.command("setpriv");
            command.args(["--reuid=4300", "--regid=4300", "--clear-groups", "sh", "-c", &limited]);
            let ending = talk(&command, &[], SOON).unwrap();
            let shown = &ending.shown;
            assert!(!shown.contains("Password:") && !shown.contains("in as"), "{kilobytes} kB: {shown}");
            unloadable += usize::from(shown.contains("Module is unknown"));
        }
        assert!(unloadable > 0, "no limit kept su from loading the module");
    }

    fn pamtester(
        &self,
        service: &str,
        login: &str,
        hooks: &[&str],
        answers: &[(&str, &str)],
    ) -> (bool, String) {
        let mut command = self.scene.console.command("pamtester");
        command.args([service, login]).args(hooks);
        let ending = talk(&command, answers, SOON).unwrap();
        (ending.status.success(), ending.shown)
    }
}
