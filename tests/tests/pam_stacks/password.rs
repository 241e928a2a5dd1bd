//! `passwd`, and passwords that must be changed at a login.

use countersign_tests::pam_stack::{Code, Facility, Transaction};

use super::configurations;
use super::modules::{Hook, code, constant, honest, is_ours, refusal};

#[test]
fn passwd_says_yes_only_if_we_did_or_stood_aside_and_never_asks_for_both() {
    let mut cells = 0_u64;
    for configuration in configurations::all() {
        let fresh = Transaction::start(&configuration.with, "passwd", configuration.dialect);
        let stack = fresh.stack(Facility::Password).to_vec();
        assert!(stack.iter().any(is_ours), "{}", configuration.name);
        let others = [Code::SUCCESS, code("authtok_err"), Code::IGNORE, code("user_unknown")];
        for ours_first in Code::all() {
            for ours_then in Code::all() {
                for (other_first, other_then) in others.iter().flat_map(|a| others.map(|b| (*a, b))) {
                    let mut others_asked = false;
                    let result = fresh.change_password(
                        |at| match &stack[at] {
                            line if is_ours(line) => ours_first,
                            line => constant(line, Hook::Preliminary).unwrap_or(other_first),
                        },
                        |at| match &stack[at] {
                            line if is_ours(line) => ours_then,
                            line => {
                                others_asked = true;
                                constant(line, Hook::Update).unwrap_or(other_then)
                            }
                        },
                    );
                    cells += 1;
                    if result != Code::SUCCESS {
                        continue;
                    }
                    let said = format!("{ours_first:?} {ours_then:?} {other_first:?} {other_then:?}");
                    let at = format!("{}: {said}", configuration.name);
                    let allowed = [Code::SUCCESS, Code::IGNORE];
                    assert!(allowed.contains(&ours_first) && allowed.contains(&ours_then), "{at}");
                    assert!(
                        ours_then != Code::IGNORE || other_then == Code::SUCCESS,
                        "nobody changed it: {at}"
                    );
                    // Fedora's own list goes on behind the substack: with a keyring and nothing that decides.
                    let both = ours_then == Code::SUCCESS && others_asked;
                    assert!(!both || configuration.name.starts_with("authselect"), "asked for both: {at}");
                }
            }
        }
    }
    println!("{cells} cells of passwd");
}

#[test]
fn without_a_card_a_password_is_changed_as_before() {
    for configuration in configurations::all() {
        for service in ["passwd", "login", "sshd"] {
            let [with, without] = [&configuration.with, &configuration.without]
                .map(|folder| Transaction::start(folder, service, configuration.dialect));
            let change = |transaction: &Transaction, ours: Code, works: bool| {
                let stack = transaction.stack(Facility::Password).to_vec();
                let say = |hook: Hook| {
                    let stack = stack.clone();
                    move |at: usize| match &stack[at] {
                        line if is_ours(line) => ours,
                        line if works => honest(line, hook),
                        line => constant(line, hook).unwrap_or(refusal(hook)),
                    }
                };
                transaction.change_password(say(Hook::Preliminary), say(Hook::Update))
            };
            for works in [true, false] {
                let at = format!("{service} in {}", configuration.name);
                assert_eq!(change(&with, Code::IGNORE, works), change(&without, Code::IGNORE, works), "{at}");
            }
        }
    }
}

#[test]
fn pam_unix_still_asks_for_the_new_password_itself() {
    for configuration in configurations::all().iter().filter(|one| one.name.starts_with("Debian")) {
        let arguments = |folder: &countersign_tests::pam_stack::Folder| {
            let stack = folder.stack("passwd", Facility::Password);
            stack
                .iter()
                .filter(|line| !is_ours(line))
                .map(|line| format!("{line:?}").replace("\"passwd\", 1", "\"passwd\", 0"))
                .collect::<Vec<_>>()
        };
        assert_eq!(
            arguments(&configuration.with),
            arguments(&configuration.without),
            "{}",
            configuration.name
        );
    }
}
