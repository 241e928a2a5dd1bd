use super::host::parse;
use super::*;

struct Paper {
    logind: bool,
    cgroup: &'static str,
    sessions: Vec<(&'static str, LoginSession)>,
    terminal: Option<u32>,
    seats: Vec<&'static str>,
}

impl World for Paper {
    fn has_logind(&self) -> bool {
        self.logind
    }
    fn origin(&self, _: i32) -> Option<Origin> {
        origin(self.cgroup, "0::/init.scope\n")
    }
    fn session(&self, id: &str) -> Option<LoginSession> {
        self.sessions.iter().find(|(have, _)| *have == id).map(|(_, session)| session.clone())
    }
    fn sessions_of(&self, uid: u32) -> Vec<LoginSession> {
        self.sessions.iter().map(|(_, session)| session.clone()).filter(|s| s.uid == Some(uid)).collect()
    }
    fn greeters(&self) -> Vec<LoginSession> {
        self.sessions.iter().map(|(_, session)| session.clone()).filter(|s| s.greeter).collect()
    }
    fn seats(&self) -> Vec<String> {
        self.seats.iter().map(|seat| (*seat).to_owned()).collect()
    }
    fn terminal(&self, _: i32) -> Option<u32> {
        self.terminal
    }
}

const LOCAL: &str = "UID=1000\nACTIVE=1\nSTATE=active\nREMOTE=0\nSEAT=seat0\nCLASS=user\n";
const SSH: &str = "UID=1000\nACTIVE=1\nSTATE=active\nREMOTE=1\nREMOTE_HOST=::1\nCLASS=user\n";
const BEHIND: &str = "UID=1000\nACTIVE=0\nSTATE=online\nREMOTE=0\nSEAT=seat0\nCLASS=user\n";

const GREETER: &str = "UID=42\nACTIVE=1\nSTATE=active\nREMOTE=0\nSEAT=seat0\nCLASS=greeter\n";
const REMOTE_GREETER: &str = "UID=42\nACTIVE=1\nSTATE=active\nREMOTE=0\nCLASS=greeter\n";

fn rule() -> SeatRule {
    SeatRule { seat: "seat0".to_owned(), without_logind: WithoutLogind::Refuse }
}

fn peer(uid: u32) -> Peer {
    Peer { uid, gid: uid, pid: 42, started: 1 }
}

fn judged(cgroup: &'static str, sessions: &[(&'static str, &str)], uid: u32, door: Door) -> Place {
    let sessions = sessions.iter().map(|(id, text)| (*id, parse(text))).collect();
    let world = Paper { logind: true, cgroup, sessions, terminal: None, seats: vec!["seat0"] };
    judge(&world, &rule(), &peer(uid), door, None)
}

type Row = (&'static str, Vec<(&'static str, &'static str)>, u32, Door, Place);

#[test]
fn the_seat_table_is_exactly_this() {
    use Door::{Pam, User};
    let in_session = "0::/user.slice/user-1000.slice/session-3.scope\n";
    let in_v1 = "9:name=systemd:/user.slice/user-1000.slice/session-3.scope\n8:pids:/\n0::/\n";
    let in_manager = "0::/user.slice/user-1000.slice/user@1000.service/app.slice/x.scope\n";
    let forged = "0::/user.slice/user-1000.slice/user@1000.service/session-3.scope\n";
    let crossed = "0::/user.slice/user-1000.slice/user@1001.service/app.slice\n";
    let getty = "0::/system.slice/system-getty.slice/getty@tty1.service\n";
    let serial = "0::/system.slice/system-serial\\x2dgetty.slice/serial-getty@ttyS0.service\n";
    let getty_on_a_line = "0::/system.slice/system-getty.slice/getty@ttyS0.service\n";
    let gdm = "0::/system.slice/gdm.service\n";
    let sshd = "0::/system.slice/ssh.service\n";
    let hidden = "0::/system.slice/ssh.service/getty@tty1.service\n";
    let cron = "0::/system.slice/cron.service\n";
    let away = Place::Away;
    let table: Vec<Row> = vec![
        (in_session, vec![("3", LOCAL)], 1000, User, Place::Here),
        (in_session, vec![("3", LOCAL)], 0, Pam, Place::Here),
        (in_v1, vec![("3", LOCAL)], 0, Pam, Place::Here),
        (in_session, vec![("3", SSH)], 0, Pam, away(Away::RemoteSession)),
        (in_session, vec![("3", BEHIND)], 0, Pam, away(Away::Inactive)),
        (
            in_session,
            vec![("3", "UID=1000\nACTIVE=1\nREMOTE=0\nSEAT=seat1\n")],
            0,
            Pam,
            away(Away::OtherSeat),
        ),
        (in_session, vec![("3", "UID=1000\nACTIVE=1\nREMOTE=0\n")], 0, Pam, away(Away::OtherSeat)),
        (in_session, vec![("3", "UID=1000\nACTIVE=1\nSEAT=seat0\n")], 0, Pam, away(Away::RemoteSession)),
        (
            in_session,
            vec![("3", "ACTIVE=1\nSTATE=closing\nREMOTE=0\nSEAT=seat0\n")],
            0,
            Pam,
            away(Away::Inactive),
        ),
        (in_session, vec![("3", "")], 0, Pam, away(Away::RemoteSession)),
        (in_session, vec![], 0, Pam, away(Away::Unknown)),
        (in_manager, vec![("3", LOCAL)], 0, Pam, Place::Here),
        (in_manager, vec![("4", SSH), ("3", LOCAL)], 1000, User, Place::Here),
        (in_manager, vec![("4", SSH)], 1000, User, away(Away::RemoteSession)),
        (in_manager, vec![], 1000, User, away(Away::Unknown)),
        (forged, vec![("3", LOCAL), ("4", SSH)], 1000, User, Place::Here),
        (forged, vec![("4", SSH)], 1000, User, away(Away::RemoteSession)),
        (crossed, vec![("3", LOCAL)], 1000, User, away(Away::Unknown)),
        (getty, vec![], 0, Pam, Place::Here),
        (getty, vec![], 0, User, away(Away::Service)),
        (getty, vec![], 33, Pam, away(Away::Service)),
        (gdm, vec![], 0, Pam, Place::Here),
        (gdm, vec![("c1", GREETER)], 0, Pam, Place::Here),
        (gdm, vec![("c1", GREETER), ("c2", REMOTE_GREETER)], 0, Pam, away(Away::Service)),
        (serial, vec![], 0, Pam, away(Away::Service)),
        (getty_on_a_line, vec![], 0, Pam, away(Away::Service)),
        (sshd, vec![], 0, Pam, away(Away::Service)),
        (hidden, vec![], 0, Pam, away(Away::Service)),
        (cron, vec![], 0, Pam, away(Away::Service)),
        ("0::/init.scope\n", vec![], 0, Pam, away(Away::Service)),
        ("0::/machine.slice/x.scope\n", vec![], 0, Pam, away(Away::Unknown)),
        ("0::/\n", vec![], 0, Pam, away(Away::Unknown)),
        ("", vec![], 0, Pam, away(Away::Unknown)),
        ("0::/user.slice/user-1000.slice/session-../../x.scope\n", vec![], 0, Pam, away(Away::Unknown)),
    ];
    for (cgroup, sessions, uid, door, expected) in table {
        assert_eq!(judged(cgroup, &sessions, uid, door), expected, "{cgroup} {sessions:?} {uid} {door:?}");
    }
}

#[test]
fn a_remote_host_is_remote_wherever_the_process_runs() {
    let world = Paper {
        logind: true,
        cgroup: "0::/system.slice/system-getty.slice/getty@tty1.service\n",
        sessions: vec![],
        terminal: None,
        seats: vec!["seat0"],
    };
    let judge = |host| judge(&world, &rule(), &peer(0), Door::Pam, host);
    assert_eq!(judge(Some("192.0.2.1")), Place::Away(Away::RemoteHost));
    assert_eq!(judge(Some("")), Place::Here);
}

#[test]
fn without_logind_only_a_virtual_console_counts_and_only_if_configured() {
    let console = SeatRule { without_logind: WithoutLogind::Console, ..rule() };
    let (tty1, pts0, ttys0) = (0x401, 0x8800, 0x440);
    for (rule, terminal, expected) in [
        (rule(), Some(tty1), Place::Away(Away::Unknown)),
        (console.clone(), Some(tty1), Place::Here),
        (console.clone(), Some(pts0), Place::Away(Away::Unknown)),
        (console.clone(), Some(ttys0), Place::Away(Away::Unknown)),
        (console, None, Place::Away(Away::Unknown)),
    ] {
        let world =
            Paper { logind: false, cgroup: "0::/\n", sessions: vec![], terminal, seats: vec!["seat0"] };
        assert_eq!(judge(&world, &rule, &peer(0), Door::Pam, None), expected, "{terminal:?}");
    }
}

#[test]
fn a_rescue_shell_of_init_needs_the_console() {
    for (terminal, expected) in
        [(Some(CONSOLE), Place::Here), (Some(0x401), Place::Here), (None, Place::Away(Away::Service))]
    {
        let world = Paper {
            logind: true,
            cgroup: "0::/init.scope\n",
            sessions: vec![],
            terminal,
            seats: vec!["seat0"],
        };
        assert_eq!(judge(&world, &rule(), &peer(0), Door::Pam, None), expected, "{terminal:?}");
    }
}

#[test]
fn a_container_without_its_own_namespace_is_read_from_its_init() {
    let init = "0::/docker/ab/init.scope\n";
    assert_eq!(
        origin("0::/docker/ab/user.slice/user-7.slice/session-c1.scope\n", init),
        Some(Origin::Session("c1".to_owned()))
    );
    assert_eq!(origin("0::/user.slice/user-7.slice/session-c1.scope\n", init), None);
}

#[test]
fn a_display_manager_counts_only_where_its_seat_can_be_told() {
    let gdm = "0::/system.slice/gdm.service\n";
    for (seat, seats, expected) in [
        ("seat0", vec!["seat0"], Place::Here),
        ("seat0", vec!["seat0", "seat1"], Place::Away(Away::Service)),
        ("seat1", vec!["seat0"], Place::Away(Away::Service)),
        ("seat0", vec![], Place::Away(Away::Service)),
    ] {
        let world = Paper { logind: true, cgroup: gdm, sessions: vec![], terminal: None, seats };
        let rule = SeatRule { seat: seat.to_owned(), ..rule() };
        assert_eq!(judge(&world, &rule, &peer(0), Door::Pam, None), expected, "{seat} {:?}", world.seats);
    }
}

#[test]
fn a_console_is_at_seat0_and_at_no_other() {
    let rule = SeatRule { seat: "seat1".to_owned(), without_logind: WithoutLogind::Console };
    for (logind, cgroup) in
        [(true, "0::/system.slice/getty@tty1.service\n"), (true, "0::/init.scope\n"), (false, "0::/\n")]
    {
        let world =
            Paper { logind, cgroup, sessions: vec![], terminal: Some(0x401), seats: vec!["seat0", "seat1"] };
        assert_ne!(judge(&world, &rule, &peer(0), Door::Pam, None), Place::Here, "{cgroup}");
    }
}
