//! The systemd units: what an attacker, or a short failure, must not be able to bring about.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::path::Path;

fn unit(name: &str) -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../systemd").join(name);
    std::fs::read_to_string(path).unwrap().lines().map(str::to_owned).collect()
}

#[test]
fn no_number_of_failed_starts_or_calls_closes_the_sockets_for_good() {
    let service = unit("countersignd.service");
    let in_unit: Vec<&String> = service.iter().take_while(|line| *line != "[Service]").collect();
    assert!(in_unit.iter().any(|line| *line == "StartLimitIntervalSec=0"), "{in_unit:?}");
    assert!(service.iter().any(|line| line == "Restart=always"));
    for name in ["countersign-pam.socket", "countersign-user.socket"] {
        let socket = unit(name);
        assert!(socket.iter().any(|line| line == "TriggerLimitIntervalSec=0"), "{name}");
        assert!(!socket.iter().any(|line| line.starts_with("RemoveOnStop")), "{name}");
    }
}

#[test]
fn the_agent_sees_nobodys_home_but_the_sockets_of_sessions() {
    let service = unit("countersignd.service");
    for wanted in ["InaccessiblePaths=-/home -/root", "ReadOnlyPaths=-/run/user", "ProtectSystem=strict"] {
        assert!(service.iter().any(|line| line == wanted), "{wanted}");
    }
    // It would hide /run/user, too, and with it every scdaemon.
    assert!(!service.iter().any(|line| line.starts_with("ProtectHome")));
}
