//! The file itself, and what it does to the process it is loaded into.
#![expect(unsafe_code, reason = "signal(2)")]

use std::process::Command;

use countersign_protocol::ipc::{Prompt, PromptKind, Reply};

use crate::bench::{Bench, module};
use crate::libpam::{AUTH_ERR, SUCCESS, text};
use crate::peer::{self, Peer};

#[test]
fn module_exports_only_pam_sm() {
    let listed =
        Command::new("nm").args(["-D", "--defined-only", "--format=posix"]).arg(module()).output().unwrap();
    assert!(listed.status.success());
    let listed = String::from_utf8(listed.stdout).unwrap();
    let mut exports: Vec<&str> = listed.lines().filter_map(|line| line.split(' ').next()).collect();
    exports.sort_unstable();
    assert_eq!(
        exports,
        [
            "pam_sm_acct_mgmt",
            "pam_sm_authenticate",
            "pam_sm_chauthtok",
            "pam_sm_close_session",
            "pam_sm_open_session",
            "pam_sm_setcred"
        ]
    );
}

#[test]
fn module_needs_libpam_and_the_c_runtime_and_nothing_else() {
    let listed = Command::new("readelf").args(["--dynamic", "--wide"]).arg(module()).output().unwrap();
    assert!(listed.status.success());
    let listed = String::from_utf8(listed.stdout).unwrap();
    let needed: Vec<&str> = listed
        .lines()
        .filter(|line| line.contains("(NEEDED)"))
        .filter_map(|line| line.split(['[', ']']).nth(1))
        .collect();
    assert!(needed.contains(&"libpam.so.0"), "{needed:?}");
    let allowed = |name: &&&str| {
        ["libpam.so", "libc.so", "libgcc_s.so", "ld-linux"].iter().any(|part| name.starts_with(part))
    };
    assert_eq!(needed.iter().find(|name| !allowed(name)), None);
}

#[test]
fn module_is_under_400_kb() {
    let size = std::fs::metadata(module()).unwrap().len();
    assert!(size < 400_000, "{size} bytes");
}

#[test]
fn module_starts_no_thread() {
    alone("artifact::threads_in_a_process_of_its_own");
}

#[test]
#[ignore = "counts the threads of its process, so it needs one of its own: module_starts_no_thread runs it"]
fn threads_in_a_process_of_its_own() {
    fn threads() -> usize {
        std::fs::read_dir("/proc/self/task").unwrap().count()
    }
    let bench = Bench::new();
    let _peer = Peer::listen(&bench.socket(), |mut stream| {
        let asked = peer::request(&mut stream);
        peer::reply(&mut stream, &Reply::Prompt(Prompt { kind: PromptKind::Hidden, text: "PIN: ".into() }));
        countersign_protocol::ipc::read_frame(&mut stream).unwrap();
        peer::reply(&mut stream, &peer::grant(peer::nonce(&asked)));
    });
    let before = threads();
    let mut pam = bench.start_with("test", "ana", move |_, _, _| {
        assert_eq!(threads(), before, "while the person is asked");
        text("123456")
    });
    assert_eq!([pam.authenticate(0), pam.account(), pam.setcred()], [SUCCESS; 3]);
    assert_eq!(threads(), before, "after the hooks");
    drop(pam);
    assert_eq!(threads(), before, "after pam_end");
}

#[test]
fn an_agent_that_hangs_up_does_not_kill_the_program() {
    alone("artifact::hanging_up_on_a_process_of_its_own");
}

#[test]
#[ignore = "restores the default SIGPIPE, so it needs a process of its own: the test above runs it"]
fn hanging_up_on_a_process_of_its_own() {
    let bench = Bench::new();
    let _peer = Peer::listen(&bench.socket(), |mut stream| {
        peer::request(&mut stream);
        peer::reply(&mut stream, &Reply::Prompt(Prompt { kind: PromptKind::Hidden, text: "PIN: ".into() }));
    });
    let mut pam = bench.start_with("test", "ana", |_, _, _| {
        // The agent is gone by now, and what is written next goes nowhere.
        std::thread::sleep(std::time::Duration::from_millis(200));
        text("123456")
    });
    // SAFETY: as login and sshd have it; this process runs this one test.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) };
    assert_eq!(pam.authenticate(0), AUTH_ERR);
}

fn alone(test: &str) {
    module();
    let run = Command::new(std::env::current_exe().unwrap())
        .args([test, "--exact", "--ignored", "--test-threads=1"])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&run.stdout);
    assert!(run.status.success() && said.contains("1 passed"), "{:?}: {said}", run.status);
}
