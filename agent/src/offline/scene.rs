//! For tests: a server, this host, and Ana with a key, all of software.

use std::sync::OnceLock;

use countersign_protocol::binary::Binary;
use countersign_protocol::certificate::{self, Cert};
use countersign_protocol::clock::Timestamp;
use countersign_protocol::envelope::{self, BoxedSigner, VerifiedRoster, open_roster, sign_roster};
use countersign_protocol::ids::{CardIdent, Digest, Fingerprint, Nonce};
use countersign_protocol::message::{OfflineEmergency, OfflineUse};
use countersign_protocol::roster::{
    OfflineServices, Roster, RosterAccount, RosterEntry, RosterPurpose, SignedRoster,
};
use countersign_protocol::statement::{Purpose, SignedStatement, Statement};

/// Noon.
pub(crate) const NOW: Timestamp = Timestamp::from_seconds(1_790_000_000);

pub(crate) struct Scene {
    pub(crate) server: Cert,
    pub(crate) host: Cert,
    pub(crate) ana: Cert,
}

/// One for all tests: keys take their time.
pub(crate) fn scene() -> &'static Scene {
    static SCENE: OnceLock<Scene> = OnceLock::new();
    let make = |name| certificate::generate_software(name, NOW.plus(-86_400), None).unwrap();
    SCENE.get_or_init(|| Scene { server: make("server"), host: make("host"), ana: make("ana") })
}

pub(crate) fn fingerprint(cert: &Cert) -> Fingerprint {
    certificate::fingerprint(cert).unwrap()
}

pub(crate) fn signer(cert: &Cert) -> BoxedSigner {
    Box::new(certificate::signer_of(cert, &fingerprint(cert)).unwrap())
}

pub(crate) fn card() -> CardIdent {
    CardIdent::new(6, 0x1234)
}

impl Scene {
    /// Ana may open `ana` by `login` and `sudo`, and `root` by `login`; three times each.
    pub(crate) fn roster(&self) -> Roster {
        let ana = |offline| RosterAccount {
            account: "ana".parse().unwrap(),
            certificate: Binary(certificate::to_bytes(&self.ana).unwrap()),
            keys: vec![fingerprint(&self.ana)],
            authentication: None,
            unasked: OfflineServices::None,
            offline,
            emergency: None,
        };
        let entry = |login: &str, offline| RosterEntry {
            login: login.parse().unwrap(),
            accounts: vec![ana(offline)],
        };
        Roster {
            countersign: RosterPurpose::Roster,
            instance: fingerprint(&self.host),
            server: fingerprint(&self.server),
            issued: NOW,
            expires: NOW.plus(24 * 3600),
            policy_epoch: 1,
            services: vec!["login".parse().unwrap(), "sudo".parse().unwrap()],
            offline_uses: 3,
            entries: vec![
                entry("ana", OfflineServices::All),
                entry("root", OfflineServices::These(vec!["login".parse().unwrap()])),
                entry("ben", OfflineServices::None),
            ],
        }
    }

    pub(crate) fn signed(&self, change: impl FnOnce(&mut Roster)) -> SignedRoster {
        let mut roster = self.roster();
        change(&mut roster);
        sign_roster(&roster, signer(&self.server)).unwrap()
    }

    pub(crate) fn verified(&self, change: impl FnOnce(&mut Roster)) -> VerifiedRoster {
        open_roster(&self.signed(change), &self.server, &fingerprint(&self.host), NOW.plus(7 * 86_400))
            .unwrap()
    }

    pub(crate) fn statement(&self) -> Statement {
        Statement {
            countersign: Purpose::Statement,
            dry_run: false,
            operation: "open-session".parse().unwrap(),
            resource: format!("session/{}", fingerprint(&self.host)).parse().unwrap(),
            account: "ana".parse().unwrap(),
            login: Some("ana".parse().unwrap()),
            service: Some("sudo".parse().unwrap()),
            claimed: None,
            place: None,
            instance: fingerprint(&self.host),
            server: fingerprint(&self.server),
            time: NOW,
            expires: NOW.plus(120),
            nonce: Nonce::from_bytes([7; 32]),
            body: None,
            approves: None,
            transcript: None,
        }
    }

    pub(crate) fn says(&self, by: &Cert, change: impl FnOnce(&mut Statement)) -> SignedStatement {
        let mut statement = self.statement();
        change(&mut statement);
        envelope::statement::sign(&statement, signer(by)).unwrap()
    }

    /// Always of the same statement and roster.
    pub(crate) fn offline_use(&self, number: u32) -> OfflineUse {
        static SIGNED: OnceLock<(SignedStatement, SignedRoster)> = OnceLock::new();
        let (statement, roster) =
            SIGNED.get_or_init(|| (self.says(&self.ana, |_| {}), self.signed(|_| {}))).clone();
        OfflineUse {
            statement,
            roster,
            use_number: number,
            at: NOW,
            correlation: "7K3M-Q2ZD".parse().unwrap(),
            account: "ana".parse().unwrap(),
            login: "ana".parse().unwrap(),
            service: "sudo".parse().unwrap(),
            card: card(),
        }
    }

    /// Always of the same statement and roster.
    pub(crate) fn offline_emergency(&self) -> OfflineEmergency {
        let OfflineUse { statement, roster, at, correlation, account, login, service, .. } =
            self.offline_use(1);
        let statement = statement.statement;
        OfflineEmergency { statement, roster, at, correlation, account, login, service }
    }

    pub(crate) fn statement_digest(&self) -> Digest {
        Digest::of(&self.offline_use(1).statement.statement.0)
    }
}
