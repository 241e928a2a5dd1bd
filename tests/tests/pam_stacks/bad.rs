//! Stacks with a fault that others shipped, or nearly: each is caught.

use countersign_tests::pam_stack::{Code, Dialect, Facility, Folder, Transaction};

use super::configurations::{Configuration, all, generated_with};
use super::honest::locked_out;
use super::outcomes;
use super::programs::PROGRAMS;
use super::sweep::sweep;

/// What is wrong with a folder, if anything is found.
fn found(with: &Folder, without: &Folder, dialect: Dialect) -> Vec<String> {
    let rows = outcomes::table();
    let programs =
        PROGRAMS.into_iter().filter(|program| ["login", "sudo", "sshd"].contains(&program.service));
    let mut found: Vec<String> =
        programs.flat_map(|program| sweep(with, dialect, program, &rows).holes).collect();
    found.extend(locked_out(with, without, dialect));
    found
}

fn debian() -> &'static Configuration {
    all().iter().find(|one| one.name == "Debian with capabilities and systemd").unwrap()
}

/// The shipped stack with one change in one file.
fn changed(file: &str, from: &str, to: &str) -> Vec<String> {
    let Configuration { with, without, dialect, .. } = debian();
    let (_, text) = with.files().find(|(name, _)| *name == file).unwrap();
    assert!(text.contains(from), "{file} has no {from:?}:\n{text}");
    let mut bad = with.clone();
    bad.put(file, &text.replace(from, to));
    found(&bad, without, *dialect)
}

#[test]
fn the_shipped_stack_has_none_of_these_faults() {
    let Configuration { with, without, dialect, .. } = debian();
    assert_eq!(found(with, without, *dialect), Vec::<String>::new());
}

#[test]
fn default_ignore_is_caught() {
    let from = "authinfo_unavail=ignore default=die";
    let holes = changed("common-auth", from, "authinfo_unavail=ignore default=ignore");
    assert!(holes.iter().any(|hole| hole.contains("we said no, and they are in")), "{holes:?}");
    let holes = changed("common-account", "ignore=ignore default=die", "default=ignore");
    assert!(holes.iter().any(|hole| hole.contains("our account check said no")), "{holes:?}");
}

#[test]
fn a_jump_one_too_far_or_one_too_short_is_caught() {
    let far = changed("common-auth", "[success=2 ignore=ignore", "[success=3 ignore=ignore");
    assert!(!far.is_empty());
    let short = changed("common-auth", "[success=2 ignore=ignore", "[success=1 ignore=ignore");
    assert!(short.iter().any(|hole| hole.contains("locked out")), "{short:?}");
    let over_pam_unix = changed("common-auth", "[success=2 ignore=ignore", "[success=2 ignore=2");
    assert!(over_pam_unix.iter().any(|hole| hole.contains("nobody said who it is")), "{over_pam_unix:?}");
}

#[test]
fn sufficient_and_required_and_optional_are_caught() {
    let ours = "[success=2 ignore=ignore authinfo_unavail=ignore default=die]";
    for word in ["sufficient", "optional"] {
        let holes = changed("common-auth", ours, word);
        assert!(holes.iter().any(|hole| hole.contains("we said no, and they are in")), "{word}: {holes:?}");
    }
    let holes = changed("common-auth", ours, "required");
    assert!(holes.iter().any(|hole| hole.contains("locked out")), "{holes:?}");
    let ours = "[success=ok ignore=ignore default=die]";
    for word in ["sufficient", "optional"] {
        assert!(!changed("common-account", ours, word).is_empty(), "{word}");
    }
}

#[test]
fn a_password_for_an_agent_that_is_down_is_caught_where_it_is_a_yes_by_itself() {
    for action in ["ok", "done", "2"] {
        let to = format!("authinfo_unavail={action} default=die");
        let holes = changed("common-auth", "authinfo_unavail=ignore default=die", &to);
        assert!(!holes.is_empty(), "{action}");
    }
}

/// Tempting, because a module that is gone locks root out too. But a module "is gone" as well for a setuid program that
/// was given too little memory to load it.
#[test]
fn forgiving_a_module_that_cannot_be_loaded_is_caught() {
    let holes = changed("common-auth", "default=die", "module_unknown=ignore default=die");
    assert!(holes.iter().any(|hole| hole.contains("ours: Some(module_unknown)")), "{holes:?}");
    let holes = changed("common-account", "default=die", "module_unknown=ignore default=die");
    assert!(holes.iter().any(|hole| hole.contains("our account check said no")), "{holes:?}");
}

/// Forgiven for root alone, by a line of root's own that jumps over everybody's: where jumps count, root would still not
/// get credentials.
#[test]
fn a_jump_over_our_line_for_root_does_not_let_root_in_where_jumps_count() {
    let mut folder = Folder::default();
    folder.put(
        "login",
        "auth [success=ignore default=1] pam_succeed_if.so quiet uid = 0\n\
         auth [success=3 ignore=1 module_unknown=1 default=die] pam_countersign.so\n\
         auth [success=2 ignore=ignore default=die] pam_countersign.so\n\
         auth [success=1 default=ignore] pam_unix.so\n\
         auth requisite pam_deny.so\n\
         auth required pam_permit.so\n",
    );
    let stack = folder.stack("login", Facility::Auth);
    let setcred = Dialect::ALL.map(|dialect| {
        let mut root = Transaction::start(&folder, "login", dialect);
        let say = |at: usize| match stack[at].module() {
            Some("pam_countersign.so") => Code::MODULE_UNKNOWN,
            _ => Code::SUCCESS,
        };
        assert_eq!(root.authenticate(say), Code::SUCCESS);
        // As the real one does.
        root.setcred(
            |at| if stack[at].module() == Some("pam_succeed_if.so") { Code::IGNORE } else { say(at) },
        )
    });
    assert_eq!(setcred, [Code::MODULE_UNKNOWN, Code::SUCCESS]);
}

/// The account line in the additional block would be after pam_unix's `new_authtok_reqd=done`, which ends the list.
#[test]
fn an_account_line_behind_pam_unix_is_caught() {
    let folder = tempfile::tempdir().unwrap();
    let ours = include_str!("../../../packaging/pam-configs/countersign");
    let moved = ours.replace("Account-Type: Primary", "Account-Type: Additional");
    std::fs::write(folder.path().join("countersign"), moved).unwrap();
    let Configuration { with, without, dialect, .. } = debian();
    let bad = with.clone().with(&generated_with(&["unix", "capability", "countersign"], folder.path()));
    let holes = found(&bad, without, *dialect);
    assert!(holes.iter().any(|hole| hole.contains("nobody asked us")), "{holes:?}");
}

/// A profile above ours would be asked first, and could let somebody in.
#[test]
fn a_lower_priority_than_anothers_is_caught() {
    let folder = tempfile::tempdir().unwrap();
    let ours = include_str!("../../../packaging/pam-configs/countersign");
    std::fs::write(folder.path().join("countersign"), ours.replace("Priority: 10000", "Priority: 1"))
        .unwrap();
    let Configuration { with, without, dialect, .. } = debian();
    let bad = with.clone().with(&generated_with(&["unix", "capability", "countersign"], folder.path()));
    let first = bad.stack("sudo", Facility::Auth);
    assert_eq!(first.first().and_then(|line| line.module()), Some("pam_unix.so"));
    assert!(!found(&bad, without, *dialect).is_empty());
}
