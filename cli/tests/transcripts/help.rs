//! Help is complete, on standard output, and successful.

use crate::program::countersign;

const COMMANDS: &[&[&str]] = &[
    &["enroll"],
    &["register"],
    &["emergency-code"],
    &["login", "try"],
    &["pam", "enable"],
    &["pam", "confirm"],
    &["pam", "disable"],
    &["pam", "revert"],
    &["pam", "status"],
    &["pam", "self-test"],
    &["status"],
    &["journal"],
    &["ssh-keys"],
    &["contact", "add"],
    &["contact", "confirm"],
    &["contact", "list"],
    &["contact", "remove"],
    &["card", "list"],
    &["card", "show"],
    &["card", "init"],
    &["card", "change-pin"],
    &["card", "unblock"],
    &["card", "set-touch"],
    &["card", "generate"],
    &["card", "adopt"],
    &["card", "factory-reset"],
    &["ledger", "export"],
    &["ledger", "verify"],
    &["ledger", "show"],
    &["ledger", "evidence"],
    &["admin", "user", "add"],
    &["admin", "application", "add"],
    &["admin", "application", "approve"],
    &["admin", "application", "list"],
    &["admin", "application", "resume"],
    &["admin", "application", "retire"],
    &["admin", "application", "retire-version"],
    &["admin", "application", "show"],
    &["admin", "application", "suspend"],
    &["admin", "user", "update"],
    &["admin", "user", "retire"],
    &["app", "create"],
    &["app", "list"],
    &["app", "publish"],
    &["app", "retire"],
    &["app", "retire-version"],
    &["app", "show"],
    &["app", "suspend"],
    &["key", "rotate"],
    &["key", "revoke-certificate"],
    &["recover", "begin"],
    &["recover", "finish"],
    &["recover", "withdraw"],
    &["recover", "new-code"],
    &["admin", "recovery", "approve"],
    &["admin", "recovery", "list"],
    &["collection", "appoint"],
    &["collection", "create"],
    &["collection", "dismiss"],
    &["collection", "grant"],
    &["collection", "list"],
    &["collection", "resume"],
    &["collection", "retire"],
    &["collection", "show"],
    &["collection", "suspend"],
    &["collection", "update"],
    &["collection", "withdraw"],
    &["admin", "host", "approve"],
    &["admin", "token", "add"],
];

#[test]
fn every_command_explains_itself_and_each_of_its_options() {
    for words in COMMANDS {
        let help = countersign(&[words, &["--help"][..]].concat());
        assert_eq!((help.code, help.err.as_str()), (Some(0), ""), "{words:?}");
        assert!(help.out.contains(&format!("Usage: countersign {}", words.join(" "))), "{}", help.out);
        let first = help.out.lines().next().unwrap_or_default();
        assert!(first.len() > 20 && !first.starts_with("Usage"), "{words:?} has no description: {first:?}");
    }
}

#[test]
fn options_without_an_explanation_do_not_exist() {
    for words in COMMANDS {
        let help = countersign(&[words, &["-h"][..]].concat());
        let lines: Vec<&str> = help.out.lines().chain([""]).collect();
        for pair in lines.windows(2).filter(|pair| pair[0].trim_start().starts_with('-')) {
            // The explanation stands behind the option, or below it and further in.
            let beside = pair[0].trim().split("  ").filter(|part| !part.trim().is_empty()).count() >= 2;
            let below = pair[1].starts_with("          ") && !pair[1].trim_start().starts_with('-');
            assert!(beside || below, "{words:?}: {:?}", pair[0]);
        }
    }
}

#[test]
fn the_main_help_lists_every_command_and_exit_code() {
    let help = countersign(&["--help"]);
    assert_eq!(help.code, Some(0));
    for words in COMMANDS {
        assert!(help.out.contains(&format!("\n  {}", words[0])), "{words:?}");
    }
    for code in ["0 ", "1 ", "2 ", "3 ", "4 ", "5 ", "6 ", "7 ", "8 ", "9 ", "10 ", "130 "] {
        assert!(help.out.contains(&format!("\n  {code}")), "{code}");
    }
}

#[test]
fn the_version_is_told() {
    let version = countersign(&["--version"]);
    assert_eq!(
        (version.code, version.out.trim()),
        (Some(0), concat!("countersign ", env!("CARGO_PKG_VERSION")))
    );
}
