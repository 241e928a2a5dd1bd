//! A log to take receipts and exports from: real trees, real signatures, real certificates.

use std::cell::RefCell;

use rand_core::OsRng;
use signed_note::{Note, StandardSigner};
use tlog_tiles::{Hash, HashReader, prove_record, prove_tree, stored_hashes, tree_hash};

use crate::binary::Binary;
use crate::certificate::{self, Cert};
use crate::clock::Timestamp;
use crate::envelope::statement;
use crate::ids::{Digest, Fingerprint, MessageId, Nonce};
use crate::ledger::{Entry, EntryKind, LedgerKey, Outcome};
use crate::message::Receipt;
use crate::message::result::{Evidence, ExportedEntry, LedgerPage};
use crate::statement::{Purpose, Statement};

pub(super) const SERVER: &str = "0123456789ABCDEF0123456789ABCDEF01234567";
pub(super) const HOST: &str = "AAAA456789ABCDEF0123456789ABCDEF01234567";

/// A moment after every certificate here was made.
pub(super) const NOON: Timestamp = Timestamp::from_seconds(1_795_348_800);

pub(super) struct Log {
    signer: StandardSigner,
    pub(super) key: LedgerKey,
    hashes: RefCell<Vec<Hash>>,
    pub(super) entries: Vec<ExportedEntry>,
    pub(super) certificates: Vec<Binary>,
}

impl HashReader for Log {
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<Hash>, tlog_tiles::Error> {
        let hashes = self.hashes.borrow();
        Ok(indexes.iter().map(|index| hashes[usize::try_from(*index).unwrap()]).collect())
    }
}

impl Log {
    pub(super) fn new() -> Self {
        Self::of(SERVER)
    }

    pub(super) fn of(server: &str) -> Self {
        let name = LedgerKey::name_of(&server.parse().unwrap());
        let (secret, public) = signed_note::generate_key(&mut OsRng, &name);
        Self {
            signer: StandardSigner::new(&secret).unwrap(),
            key: public.parse().unwrap(),
            hashes: RefCell::default(),
            entries: Vec::new(),
            certificates: Vec::new(),
        }
    }

    pub(super) fn size(&self) -> u64 {
        u64::try_from(self.entries.len()).unwrap()
    }

    pub(super) fn add(&mut self, entry: &Entry, evidence: Option<Evidence>) {
        let bytes = entry.to_bytes().unwrap();
        let more = stored_hashes(self.size(), &bytes, self).unwrap();
        self.hashes.borrow_mut().extend(more);
        self.entries.push(ExportedEntry { entry: Binary(bytes), evidence });
    }

    pub(super) fn root(&self, size: u64) -> Digest {
        Digest::from_bytes(tree_hash(size, self).unwrap().0)
    }

    /// Signs any text as this ledger's key would.
    pub(super) fn note(&self, text: &str) -> String {
        let mut note = Note::new(text.as_bytes(), &[]).unwrap();
        note.add_sigs(&[&self.signer]).unwrap();
        String::from_utf8(note.to_bytes()).unwrap()
    }

    pub(super) fn checkpoint(&self, size: u64) -> String {
        let name = LedgerKey::name_of(self.key.server());
        let hash = tree_hash(size, self).unwrap();
        self.note(&format!("{name}\n{size}\n{hash}\n"))
    }

    pub(super) fn receipt(&self, index: u64) -> Receipt {
        let size = self.size();
        let entry = self.entries[usize::try_from(index).unwrap()].entry.clone();
        let proof = prove_record(size, index, self).unwrap();
        let proof = proof.iter().map(|hash| Digest::from_bytes(hash.0)).collect();
        Receipt { index, entry, checkpoint: self.checkpoint(size), proof }
    }

    pub(super) fn consistency(&self, size: u64, seen: u64) -> Vec<Digest> {
        let proof = prove_tree(size, seen, self).unwrap();
        proof.iter().map(|hash| Digest::from_bytes(hash.0)).collect()
    }

    pub(super) fn page(&self, from: u64, to: u64) -> LedgerPage {
        let (first, last) = (usize::try_from(from).unwrap(), usize::try_from(to).unwrap());
        LedgerPage {
            from,
            entries: self.entries[first..last].to_vec(),
            checkpoint: self.checkpoint(self.size()),
            size: self.size(),
            ledger_key: self.key.to_string(),
            certificates: self.certificates.clone(),
        }
    }
}

/// The `n`th entry of a log in which nothing was signed by a person.
pub(super) fn plain(n: u8) -> Entry {
    let mut entry =
        Entry::new(EntryKind::HostEvent, NOON, "7K3M-Q2ZD".parse().unwrap(), Outcome::Noted, "Wrong PIN.");
    entry.instance = Some(HOST.parse().unwrap());
    entry.message = Some(MessageId::from_bytes([n; 16]));
    entry
}

/// A log of `size` such entries.
pub(super) fn plain_log(size: u8) -> Log {
    let mut log = Log::new();
    for n in 0..size {
        log.add(&plain(n), None);
    }
    log
}

/// A person with a certificate.
pub(super) struct Person {
    cert: Cert,
    pub(super) key: Fingerprint,
}

impl Person {
    pub(super) fn new() -> Self {
        let cert = certificate::generate_software("ana", NOON.plus(-3600), None).unwrap();
        let key = certificate::fingerprint(&cert).unwrap();
        Self { cert, key }
    }

    pub(super) fn certificate(&self) -> Binary {
        Binary(certificate::to_bytes(&self.cert.clone().strip_secret_key_material()).unwrap())
    }

    /// A signed request and the entry that records it.
    pub(super) fn signs(&self, kind: EntryKind, change: impl FnOnce(&mut Statement)) -> (Entry, Evidence) {
        let mut asked = Statement {
            countersign: Purpose::Statement,
            dry_run: false,
            operation: "open-session".parse().unwrap(),
            resource: format!("session/{HOST}").parse().unwrap(),
            account: "ana".parse().unwrap(),
            login: Some("ana".parse().unwrap()),
            service: Some("sshd".parse().unwrap()),
            claimed: None,
            place: None,
            instance: HOST.parse().unwrap(),
            server: SERVER.parse().unwrap(),
            time: NOON,
            expires: NOON.plus(60),
            nonce: Nonce::from_bytes([7; 32]),
            body: None,
            approves: None,
            transcript: None,
        };
        change(&mut asked);
        let signer = certificate::signer_of(&self.cert, &self.key).unwrap();
        let signed = statement::sign(&asked, Box::new(signer)).unwrap();
        let evidence = Evidence { salt: Binary(vec![9; 32]), signed };
        let mut entry = Entry::new(kind, NOON, "7K3M-Q2ZD".parse().unwrap(), Outcome::Allowed, "Bound.");
        entry.instance = Some(asked.instance);
        entry.account = Some(asked.account);
        entry.key = Some(self.key.clone());
        entry.operation = Some(asked.operation);
        entry.resource = Some(asked.resource);
        entry.login = asked.login;
        entry.service = asked.service;
        entry.message = Some(MessageId::from_bytes([1; 16]));
        entry.statement = Some(Digest::of(&evidence.signed.statement.0));
        entry.evidence = Some(evidence.digest());
        (entry, evidence)
    }
}

/// Ana is registered (entry 0), a wrong PIN is seen (1), Ana logs in (2), a wrong PIN is seen (3).
pub(super) fn anas_log(ana: &Person) -> Log {
    let mut log = Log::new();
    log.certificates.push(ana.certificate());
    let (registration, bound) = ana.signs(EntryKind::Registration, |statement| {
        statement.operation = "bind-key".parse().unwrap();
        statement.resource = "account/ana".parse().unwrap();
    });
    log.add(&registration, Some(bound));
    log.add(&plain(1), None);
    let (login, signed) = ana.signs(EntryKind::Job, |_| ());
    log.add(&login, Some(signed));
    log.add(&plain(3), None);
    log
}
