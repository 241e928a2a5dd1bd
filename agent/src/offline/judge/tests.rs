use countersign_protocol::binary::Binary;
use countersign_protocol::certificate::Cert;
use countersign_protocol::roster::Roster;

use super::*;
use crate::offline::scene::{NOW, fingerprint, scene};

/// What is asked, and how it differs from a login of Ana's by sudo.
struct Asked {
    roster: Box<dyn Fn(&mut Roster)>,
    statement: Box<dyn Fn(&mut Statement)>,
    by: &'static Cert,
    login: &'static str,
    service: &'static str,
    /// Seconds after noon.
    at: i64,
    refused: bool,
    instance: Option<&'static Cert>,
}

impl Default for Asked {
    fn default() -> Self {
        Self {
            roster: Box::new(|_| {}),
            statement: Box::new(|_| {}),
            by: &scene().ana,
            login: "ana",
            service: "sudo",
            at: 0,
            refused: false,
            instance: None,
        }
    }
}

impl Asked {
    fn judged(&self) -> Result<Permitted, String> {
        let verified = scene().verified(|roster| (self.roster)(roster));
        let signed = scene().says(self.by, |statement| {
            statement.login = Some(self.login.parse().unwrap());
            statement.service = Some(self.service.parse().unwrap());
            statement.time = NOW.plus(self.at);
            statement.expires = NOW.plus(self.at + 120);
            (self.statement)(statement);
        });
        let case = Case {
            roster: Some(&verified),
            refused: self.refused,
            signed: &signed,
            server: &fingerprint(&scene().server),
            instance: &fingerprint(self.instance.unwrap_or(&scene().host)),
            login: &self.login.parse().unwrap(),
            service: &self.service.parse().unwrap(),
            now: NOW.plus(self.at),
        };
        judge(case).map_err(|denial| denial.to_string())
    }
}

#[test]
fn what_the_roster_permits_is_permitted() {
    let permitted = Asked::default().judged().unwrap();
    assert_eq!(permitted.account.as_str(), "ana");
    assert_eq!((permitted.uses, permitted.until), (3, NOW.plus(24 * 3600)));
    let _ = Asked { login: "root", service: "login", ..Asked::default() }.judged().unwrap();
    let _ = Asked { at: 24 * 3600 - 1, ..Asked::default() }.judged().unwrap();
}

/// Each row differs from a permitted login in one thing.
#[test]
fn everything_else_is_denied_and_says_why() {
    let digest = || Some(Digest::of(b"body"));
    let no = |asked: Asked, part: &str| {
        let told = asked.judged().unwrap_err();
        assert!(told.contains(part), "{told:?} does not say {part:?}");
    };
    let of = Asked::default;
    no(Asked { at: 24 * 3600, ..of() }, "expired at");
    no(Asked { at: -121, ..of() }, "still to come");
    no(Asked { refused: true, ..of() }, "refused this host");
    no(Asked { service: "login", login: "ben", ..of() }, "does not permit login");
    no(Asked { login: "root", ..of() }, "does not permit sudo");
    no(Asked { service: "sshd", ..of() }, "does not permit sshd");
    no(Asked { login: "eve", ..of() }, "no such card");
    no(Asked { roster: Box::new(|roster| roster.offline_uses = 0), ..of() }, "does not permit sudo");
    // Somebody who is not Ana, as himself and as her.
    no(Asked { statement: Box::new(|said| said.account = "ben".parse().unwrap()), ..of() }, "no such card");
    no(Asked { by: &scene().host, ..of() }, "signature is not good");
    // Her certificate, but another key of it than the roster names.
    let other_key = |roster: &mut Roster| {
        for account in roster.entries.iter_mut().flat_map(|entry| &mut entry.accounts) {
            account.keys = vec![fingerprint(&scene().host)];
        }
    };
    no(Asked { roster: Box::new(other_key), ..of() }, "no such card");
    // A statement for something else, made at another time, or elsewhere.
    no(
        Asked { statement: Box::new(|said| said.operation = "create".parse().unwrap()), ..of() },
        "another operation",
    );
    no(
        Asked {
            statement: Box::new(|said| said.resource = format!("session/{}", said.server).parse().unwrap()),
            ..of()
        },
        "another resource",
    );
    no(
        Asked { statement: Box::new(|said| said.login = Some("root".parse().unwrap())), ..of() },
        "another login name",
    );
    no(Asked { statement: Box::new(|said| said.login = None), ..of() }, "another login name");
    no(
        Asked { statement: Box::new(|said| said.service = Some("login".parse().unwrap())), ..of() },
        "another service",
    );
    no(Asked { statement: Box::new(|said| said.service = None), ..of() }, "another service");
    no(Asked { statement: Box::new(move |said| said.body = digest()), ..of() }, "another request");
    no(Asked { statement: Box::new(move |said| said.transcript = digest()), ..of() }, "another request");
    no(
        Asked {
            statement: Box::new(|said| {
                said.time = NOW.plus(-300);
                said.expires = NOW.plus(-1);
            }),
            ..of()
        },
        "not valid now",
    );
    no(
        Asked { statement: Box::new(|said| said.server = said.instance.clone()), ..of() },
        "meant for the server",
    );
    no(
        Asked { statement: Box::new(|said| said.instance = said.server.clone()), ..of() },
        "made on the instance",
    );
}

#[test]
fn without_a_roster_nobody_is_let_in() {
    let signed = scene().says(&scene().ana, |_| {});
    let (server, instance) = (fingerprint(&scene().server), fingerprint(&scene().host));
    let (login, service) = ("ana".parse().unwrap(), "sudo".parse().unwrap());
    let case = Case {
        roster: None,
        refused: false,
        signed: &signed,
        server: &server,
        instance: &instance,
        login: &login,
        service: &service,
        now: NOW,
    };
    assert!(matches!(judge(case), Err(Denial::NoRoster)));
    let verified = scene().verified(|_| {});
    let mut forged = signed.clone();
    forged.signature = Binary(vec![0; 40]);
    let case = Case { roster: Some(&verified), signed: &forged, ..case };
    assert!(matches!(judge(case), Err(Denial::Statement(_))));
    let unreadable = SignedStatement { statement: Binary(b"{".to_vec()), ..signed.clone() };
    let case = Case { signed: &unreadable, ..case };
    assert!(matches!(judge(case), Err(Denial::Statement(_))));
}

#[test]
fn either_card_of_an_account_with_two_is_judged_by_its_own_key_and_a_third_by_none() {
    // The host's key plays the second card, the server's a stranger's.
    let with_second = || -> Box<dyn Fn(&mut Roster)> {
        Box::new(|roster| {
            let mut second = roster.entries[0].accounts[0].clone();
            second.certificate = Binary(certificate::to_bytes(&scene().host).unwrap());
            second.keys = vec![fingerprint(&scene().host)];
            roster.entries[0].accounts.push(second);
        })
    };
    for by in [&scene().ana, &scene().host] {
        let _ = Asked { roster: with_second(), by, ..Asked::default() }.judged().unwrap();
    }
    assert!(Asked { roster: with_second(), by: &scene().server, ..Asked::default() }.judged().is_err());
    // A certificate of one card with the key of another is nobody's.
    let mixed = Box::new(|roster: &mut Roster| {
        let mut second = roster.entries[0].accounts[0].clone();
        second.certificate = Binary(certificate::to_bytes(&scene().host).unwrap());
        roster.entries[0].accounts.push(second);
    });
    assert!(Asked { roster: mixed, by: &scene().host, ..Asked::default() }.judged().is_err());
}
