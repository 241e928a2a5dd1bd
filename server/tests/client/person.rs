//! A person with a card, played by a key in software.

use countersign_protocol::certificate::{self, Cert};
use countersign_protocol::clock::Timestamp;
use countersign_protocol::envelope::statement;
use countersign_protocol::ids::{AccountName, CardIdent, Fingerprint, Nonce};
use countersign_protocol::random::SystemRandom;
use countersign_protocol::statement::{Purpose, SignedStatement, Statement};

use super::keys;

/// An account and its key.
pub(crate) struct Person {
    pub(crate) account: AccountName,
    pub(crate) cert: Cert,
    /// What it calls itself.
    pub(crate) card: CardIdent,
}

impl Person {
    pub(crate) fn new(account: &str, now: Timestamp) -> Self {
        let cert = certificate::generate_software(account, now, None).unwrap();
        Self { account: account.parse().unwrap(), cert, card: "FFFE:0000AAAA".parse().unwrap() }
    }

    pub(crate) fn statement(
        &self,
        operation: &str,
        resource: &str,
        instance: &Fingerprint,
        server: &Fingerprint,
        now: Timestamp,
    ) -> Statement {
        Statement {
            countersign: Purpose::Statement,
            dry_run: false,
            operation: operation.parse().unwrap(),
            resource: resource.parse().unwrap(),
            account: self.account.clone(),
            login: None,
            service: None,
            claimed: None,
            place: None,
            instance: instance.clone(),
            server: server.clone(),
            time: now,
            expires: now.plus(120),
            nonce: Nonce::new(&SystemRandom).unwrap(),
            body: None,
            approves: None,
            transcript: None,
        }
    }

    pub(crate) fn sign(&self, statement: &Statement) -> SignedStatement {
        statement::sign(statement, keys::primary(&self.cert)).unwrap()
    }
}
