use super::*;
use crate::seat::LoginSession;

use countersign_protocol::ids::CardIdent;

const LEADER: i32 = 4711;

struct Host {
    origin: Option<Origin>,
    session: LoginSession,
}

impl World for Host {
    fn has_logind(&self) -> bool {
        true
    }

    fn origin(&self, pid: i32) -> Option<Origin> {
        self.origin.clone().filter(|_| pid == LEADER)
    }

    fn session(&self, id: &str) -> Option<LoginSession> {
        (id == "c3").then(|| self.session.clone())
    }

    fn sessions_of(&self, _uid: u32) -> Vec<LoginSession> {
        vec![self.session.clone()]
    }

    fn greeters(&self) -> Vec<LoginSession> {
        Vec::new()
    }

    fn seats(&self) -> Vec<String> {
        vec!["seat0".to_owned()]
    }

    fn terminal(&self, _pid: i32) -> Option<u32> {
        None
    }
}

fn anas() -> (Host, CardSession) {
    let session = LoginSession {
        uid: Some(1000),
        active: true,
        seat: Some("seat0".to_owned()),
        leader: Some(LEADER),
        ..LoginSession::default()
    };
    let by_card = CardSession {
        correlation: "7K3M-Q2ZD".parse().unwrap(),
        card: CardIdent::new(6, 0x1234),
        account: "ana".parse().unwrap(),
        login: "ana".parse().unwrap(),
        uid: 1000,
        service: "login".parse().unwrap(),
        leader: LEADER,
        started: 1,
    };
    (Host { origin: Some(Origin::Session("c3".to_owned())), session }, by_card)
}

fn found(change: impl FnOnce(&mut Host)) -> Result<String, Spared> {
    let (mut host, session) = anas();
    change(&mut host);
    session_of(&host, "seat0", &session)
}

#[test]
fn only_the_session_that_the_card_itself_opened_at_this_seat_is_acted_upon() {
    assert_eq!(found(|_| {}), Ok("c3".to_owned()));
    // Another VT is in front: it is her session all the same.
    assert_eq!(found(|host| host.session.active = false), Ok("c3".to_owned()));
    assert_eq!(found(|host| host.session.remote = true), Err(Spared::Elsewhere));
    assert_eq!(found(|host| host.session.seat = Some("seat1".to_owned())), Err(Spared::Elsewhere));
    assert_eq!(found(|host| host.session.seat = None), Err(Spared::Elsewhere));
    // `su ana` in olga's session; `sudo` in a session that ana opened with her password.
    assert_eq!(found(|host| host.session.uid = Some(1001)), Err(Spared::AnothersSession));
    assert_eq!(found(|host| host.session.leader = Some(17)), Err(Spared::NotItsOwn));
    assert_eq!(found(|host| host.session.leader = None), Err(Spared::NotItsOwn));
    assert_eq!(found(|host| host.origin = None), Err(Spared::NoSession));
    assert_eq!(found(|host| host.origin = Some(Origin::UserManager(1000))), Err(Spared::NoSession));
    assert_eq!(found(|host| host.origin = Some(Origin::Session("c4".to_owned()))), Err(Spared::NoSession));
}

#[test]
fn logind_is_asked_in_its_own_words_with_an_empty_environment() {
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("loginctl");
    let heard = folder.path().join("heard");
    let script = |end: &str| {
        let text = format!(
            "#!/bin/sh\n(echo \"$@\"; env | grep -v '^PWD=\\|^_=\\|^SHLVL=') > {}\n{end}\n",
            heard.display()
        );
        std::fs::write(&program, text).unwrap();
        std::fs::set_permissions(&program, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    };
    script("exit 0");
    carry_out(&program, OnRemoval::Lock, "c3").unwrap();
    assert_eq!(std::fs::read_to_string(&heard).unwrap(), "lock-session c3\n");
    carry_out(&program, OnRemoval::End, "c3").unwrap();
    assert_eq!(std::fs::read_to_string(&heard).unwrap(), "terminate-session c3\n");
    script("printf 'no\\033[2J such' >&2; exit 1");
    let told = carry_out(&program, OnRemoval::End, "c3").unwrap_err();
    assert!(told.contains("exit status: 1: no [2J such"), "{told:?}");
    assert!(carry_out(Path::new("/nonexistent"), OnRemoval::End, "c3").is_err());
}
