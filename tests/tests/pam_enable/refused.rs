//! What is refused before anything is changed.

use std::process::Output;

use countersign_tests::Machine;

use super::lobby::{Lobby, assert_same, files};

fn pam(machine: &Machine, arguments: &[&str]) -> (i32, String) {
    let mut command = machine.command(countersign_tests::target_bin("countersign").unwrap());
    let Output { status, stdout, stderr } = command.arg("pam").args(arguments).output().unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
    (status.code().unwrap(), said)
}

#[test]
fn mistakes_are_told_before_anything_is_changed_and_root_is_never_managed() {
    let machine = Machine::start().unwrap();
    Lobby::furnish_bare(&machine);
    machine.add_user("ana", 4201).unwrap();
    machine.does("useradd", &["-o", "-u", "0", "-M", "toor"]).unwrap();
    let before = files(&machine);
    for (arguments, code, words) in [
        (vec!["--user", "root"], 2, "root is root"),
        (vec!["--user", "toor"], 2, "toor is root"),
        (vec!["--user", "nobody-here"], 2, "there is no user nobody-here"),
        (vec!["--user", "a:b"], 2, "a:b"),
        (
            vec!["--user", "ana", "--other-auth", "no-such-service"],
            2,
            "there is no PAM service no-such-service",
        ),
        (vec!["--user", "ana", "--test-service", "logn"], 2, "there is no PAM service logn"),
        (vec!["--user", "ana", "--minutes", "0"], 2, "from one to sixty minutes"),
        (vec!["--user", "ana", "--test-as", "toor"], 2, "toor needs no card"),
        (vec!["--password-fallback"], 2, "--user"),
        (vec![], 2, "nobody on this host needs a card yet"),
    ] {
        let (ended, said) = pam(&machine, &[vec!["enable"], arguments.clone()].concat());
        assert_eq!(ended, code, "{arguments:?}: {said}");
        assert!(said.contains(words), "{arguments:?}: {said}");
        assert_same(&before, &files(&machine), &format!("{arguments:?}"));
    }
    for (text, words) in [("user root card\n", "leaves root's own login alone"), ("user ana\n", "line 1")] {
        machine.write("/etc/countersign/managed", text, 0o644).unwrap();
        let (ended, said) = pam(&machine, &["enable", "--user", "ana"]);
        assert!(ended == 1 && said.contains(words), "{said}");
    }
    machine.does("rm", &["/etc/countersign/managed"]).unwrap();

    // A module that is not there would refuse everybody.
    machine.does("rm", &["/usr/lib/x86_64-linux-gnu/security/pam_countersign.so"]).unwrap();
    let (ended, said) = pam(&machine, &["enable", "--user", "ana"]);
    assert!(ended == 1 && said.contains("pam_countersign.so is not among the PAM modules"), "{said}");
    assert_same(&before, &files(&machine), "without the module");

    let (ended, said) = pam(&machine, &["status", "--json"]);
    assert_eq!(ended, 0, "{said}");
    assert!(said.contains(r#""state":"off""#), "{said}");
}

#[test]
fn files_that_pam_auth_update_leaves_alone_are_left_alone_and_said() {
    let machine = Machine::start().unwrap();
    Lobby::furnish_bare(&machine);
    machine.add_user("ana", 4201).unwrap();
    let auth = machine.text("/etc/pam.d/common-auth");
    let by_hand = auth.replacen("auth\t", "auth required pam_faildelay.so delay=1\nauth\t", 1);
    machine.write("/etc/pam.d/common-auth", &by_hand, 0o644).unwrap();
    let before = files(&machine);
    let (ended, said) = pam(&machine, &["enable", "--user", "ana"]);
    assert_eq!(ended, 1, "{said}");
    assert!(said.contains("edited by hand") && said.contains("Everything is as it was"), "{said}");
    assert_same(&before, &files(&machine), "edited by hand");
}

#[test]
fn a_host_that_nothing_writes_pam_for_is_told_the_lines() {
    let machine = Machine::start().unwrap();
    Lobby::furnish_bare(&machine);
    machine.add_user("ana", 4201).unwrap();
    let before = files(&machine);
    machine.does("mount", &["--bind", "/dev/null", "/usr/sbin/pam-auth-update"]).unwrap();
    let (ended, said) = pam(&machine, &["enable", "--user", "ana"]);
    assert_eq!(ended, 1, "{said}");
    let auth = "auth     [success=done ignore=ignore authinfo_unavail=ignore default=die] pam_countersign.so";
    let account = "account  [success=ok ignore=ignore default=die] pam_countersign.so";
    assert!(said.contains("by hand") && said.contains(auth) && said.contains(account), "{said}");
    assert_same(&before, &files(&machine), "by hand");
}

/// A file that is no module, as a disk that was full leaves it: PAM would refuse everybody, root included but for the
/// console.
#[test]
fn a_change_that_would_touch_roots_own_login_is_put_back_before_anybody_is_asked_for_a_card() {
    let machine = Machine::start().unwrap();
    Lobby::furnish_bare(&machine);
    machine.add_user("ana", 4201).unwrap();
    let module = "/usr/lib/x86_64-linux-gnu/security/pam_countersign.so";
    machine.write(module, "not a module", 0o644).unwrap();
    let before = files(&machine);
    let (ended, said) = pam(&machine, &["enable", "--user", "ana", "--test-service", "su-l", "--json"]);
    assert_eq!(ended, 1, "{said}");
    assert!(said.contains("root's own login through su-l would change"), "{said}");
    assert!(said.contains(r#""kind":"trial-failed""#) && said.contains("Everything is as it was"), "{said}");
    assert!(!said.contains("Trial login of"), "{said}");
    assert_same(&before, &files(&machine), "a module that is none");
}

#[test]
fn nothing_is_enabled_while_the_rescue_file_hides_what_a_login_would_be() {
    let machine = Machine::start().unwrap();
    Lobby::furnish_bare(&machine);
    machine.add_user("ana", 4201).unwrap();
    machine.write("/etc/countersign/rescue", "", 0o644).unwrap();
    let before = files(&machine);
    let (ended, said) = pam(&machine, &["enable", "--user", "ana"]);
    assert!(ended == 1 && said.contains("/etc/countersign/rescue is there"), "{said}");
    assert_same(&before, &files(&machine), "with a rescue file");
    let (ended, said) = pam(&machine, &["status"]);
    assert!(ended == 10 && said.contains("nobody is asked for a card"), "{said}");
}
