//! The scripts that the fuzzers begin with reach what they are meant to reach.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

use std::path::{Path, PathBuf};

use countersign_pam_fuzz::frames;
use countersign_pam_fuzz::module::Stage;
use countersign_protocol::ipc::LoginReply;

/// PAM codes: yes, permission denied, authentication error, credentials unavailable, PIN not changed.
const SUCCESS: i32 = 0;
const PERM_DENIED: i32 = 6;
const AUTH_ERR: i32 = 7;
const CRED_UNAVAIL: i32 = 15;
const AUTHTOK_ERR: i32 = 20;

fn seed(target: &str, name: &str) -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds").join(target).join(name)).unwrap()
}

/// The module as it ships, which `cargo xtask test` and the module's own tests build.
fn module() -> PathBuf {
    let here = std::env::current_exe().unwrap();
    let target = here.ancestors().nth(3).unwrap();
    let built = std::process::Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--package", "countersign-pam", "--profile", "module", "--target-dir"])
        .arg(target)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .status()
        .unwrap();
    assert!(built.success(), "the module does not build");
    target.join("module/libpam_countersign.so")
}

#[test]
fn seeds_of_the_client_are_granted_denied_and_refused() {
    let play = |name| frames::play(&seed("frames", name));
    assert!(matches!(play("login-granted"), Some(LoginReply::Granted(_))));
    assert!(matches!(play("account-granted"), Some(LoginReply::Granted(_))));
    assert!(matches!(play("denied-silent"), Some(LoginReply::Denied(_))));
    assert!(matches!(play("failed"), Some(LoginReply::Failed { .. })));
    assert!(play("oversize").is_none());
    assert!(play("a-secret-from-the-agent").is_none());
}

#[test]
fn seeds_of_the_module_are_granted_denied_and_refused() {
    let stage = Stage::new(&module()).unwrap();
    let play = |name| stage.play(&seed("module", name));
    assert_eq!(play("login-granted"), [SUCCESS; 3]);
    assert_eq!(play("dialog-granted"), [SUCCESS; 3]);
    assert_eq!(play("one-field-granted"), [SUCCESS; 3]);
    assert_eq!(play("login-twice")[..3], [SUCCESS; 3]);
    assert_eq!(play("account-granted"), [SUCCESS; 2]);
    assert_eq!(play("account-denied")[0], PERM_DENIED);
    assert_eq!(play("session")[3..], [SUCCESS; 2]);
    assert_eq!(play("pin-changed"), [SUCCESS]);
    assert_eq!(play("pin-kept"), [AUTHTOK_ERR]);
    let refused = [AUTH_ERR, PERM_DENIED, CRED_UNAVAIL];
    for name in ["denied-silent", "failed", "oversize", "a-secret-from-the-agent", "user-changed", "escapes"]
    {
        assert_eq!(play(name), refused, "{name}");
    }
}
