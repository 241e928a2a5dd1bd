//! The rescue file: who made it decides what it is worth.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown, symlink};

use crate::bench::Bench;
use crate::libpam::{AUTH_ERR, IGNORED, PERM_DENIED};
use crate::peer::{self, Peer};

#[test]
fn a_rescue_file_of_root_ends_all_asking_whatever_else_is_wrong() {
    let bench = Bench::new();
    let peer = Peer::listen(&bench.socket(), peer::grants);
    fs::write(bench.rescue(), "").unwrap();
    for managed in [crate::bench::MANAGED, "nonsense\n"] {
        bench.manage(managed);
        for user in ["ana", "bob", "carl"] {
            assert_eq!(bench.start("test", user).all_hooks(), [IGNORED; 6], "{user}");
        }
    }
    assert_eq!(peer.calls(), 0);
    fs::remove_file(bench.rescue()).unwrap();
    bench.manage(crate::bench::MANAGED);
    assert_eq!(bench.start("test", "ana").account(), PERM_DENIED, "cards are asked for again");
}

#[test]
fn what_others_could_have_made_rescues_nobody() {
    let bench = Bench::new();
    let (rescue, plain) = (bench.rescue(), bench.path().join("plain"));
    let denied = |what: &str| {
        let mut pam = bench.start("test", "ana");
        assert_eq!([pam.authenticate(0), pam.account()], [AUTH_ERR, PERM_DENIED], "{what}");
    };
    fs::write(&rescue, "").unwrap();
    fs::set_permissions(&rescue, fs::Permissions::from_mode(0o666)).unwrap();
    denied("writable");
    fs::set_permissions(&rescue, fs::Permissions::from_mode(0o644)).unwrap();
    chown(&rescue, Some(1000), Some(1000)).unwrap();
    denied("another's");
    fs::remove_file(&rescue).unwrap();
    fs::write(&plain, "").unwrap();
    symlink(&plain, &rescue).unwrap();
    denied("a link");
    fs::remove_file(&rescue).unwrap();
    fs::create_dir(&rescue).unwrap();
    denied("a folder");
}
