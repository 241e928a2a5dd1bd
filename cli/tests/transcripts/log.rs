//! A small ledger with real signatures: ana is registered (entry 0), mistypes her PIN (1), logs in (2).

use countersign_protocol::binary::Binary;
use countersign_protocol::certificate::{self, Cert};
use countersign_protocol::clock::Timestamp;
use countersign_protocol::envelope::statement;
use countersign_protocol::ids::{Digest, Fingerprint, Nonce};
use countersign_protocol::ledger::{Entry, EntryKind, ExportWriter, Frontier, LedgerKey, Outcome};
use countersign_protocol::message::result::{Evidence, ExportedEntry, LedgerPage};
use countersign_protocol::statement::{Purpose, Statement};
use rand_core::OsRng;
use signed_note::{Note, StandardSigner};

const SERVER: &str = "0123456789ABCDEF0123456789ABCDEF01234567";
const HOST: &str = "AAAA456789ABCDEF0123456789ABCDEF01234567";

/// Long enough ago for gpg, whatever a test machine's clock says.
const THEN: Timestamp = Timestamp::from_seconds(1_700_000_000);

pub(crate) struct Log {
    signer: StandardSigner,
    pub(crate) key: LedgerKey,
    certificate: Binary,
    entries: Vec<ExportedEntry>,
}

impl Log {
    pub(crate) fn of_ana() -> Self {
        let ana = certificate::generate_software("ana", THEN.plus(-3600), None).unwrap();
        let public = ana.clone().strip_secret_key_material();
        let (secret, key) =
            signed_note::generate_key(&mut OsRng, &LedgerKey::name_of(&SERVER.parse().unwrap()));
        let mut log = Self {
            signer: StandardSigner::new(&secret).unwrap(),
            key: key.parse().unwrap(),
            certificate: Binary(certificate::to_bytes(&public).unwrap()),
            entries: Vec::new(),
        };
        log.signed_by(&ana, EntryKind::Registration, "bind-key", "account/ana");
        let mut mistyped =
            entry(EntryKind::HostEvent, Outcome::Noted, "The PIN was wrong; 2 tries are left.");
        mistyped.account = Some("ana".parse().unwrap());
        mistyped.detail.insert("event".to_owned(), "wrong-pin".to_owned());
        log.add(&mistyped, None);
        log.signed_by(&ana, EntryKind::Job, "open-session", &format!("session/{HOST}"));
        log
    }

    fn add(&mut self, entry: &Entry, evidence: Option<Evidence>) {
        self.entries.push(ExportedEntry { entry: Binary(entry.to_bytes().unwrap()), evidence });
    }

    fn signed_by(&mut self, person: &Cert, kind: EntryKind, operation: &str, resource: &str) {
        let asked = Statement {
            countersign: Purpose::Statement,
            dry_run: false,
            operation: operation.parse().unwrap(),
            resource: resource.parse().unwrap(),
            account: "ana".parse().unwrap(),
            login: Some("ana".parse().unwrap()),
            service: Some("sudo".parse().unwrap()),
            claimed: (operation == "open-session")
                .then(|| format!("sudo printf \u{1b}[2J{}", "x".repeat(500))),
            place: None,
            instance: HOST.parse().unwrap(),
            server: SERVER.parse().unwrap(),
            time: THEN,
            expires: THEN.plus(60),
            nonce: Nonce::from_bytes([7; 32]),
            body: None,
            approves: None,
            transcript: None,
        };
        let key: Fingerprint = certificate::fingerprint(person).unwrap();
        let signer = certificate::signer_of(person, &key).unwrap();
        let signed = statement::sign(&asked, Box::new(signer)).unwrap();
        let evidence = Evidence { salt: Binary(vec![9; 32]), signed };
        let mut entry = entry(kind, Outcome::Allowed, "Bound to ana.");
        entry.account = Some(asked.account);
        entry.key = Some(key);
        entry.operation = Some(asked.operation);
        entry.resource = Some(asked.resource);
        entry.login = asked.login;
        entry.service = asked.service;
        entry.statement = Some(Digest::of(&evidence.signed.statement.0));
        entry.evidence = Some(evidence.digest());
        self.add(&entry, Some(evidence));
    }

    pub(crate) fn size(&self) -> u64 {
        u64::try_from(self.entries.len()).unwrap()
    }

    /// The entries from `from` to `to`, under a checkpoint over all.
    pub(crate) fn page(&self, from: usize, to: usize) -> LedgerPage {
        let mut tree = Frontier::new();
        for exported in &self.entries {
            tree.push(&exported.entry.0);
        }
        let root = String::from(Binary(tree.root().as_bytes().to_vec()));
        let name = LedgerKey::name_of(self.key.server());
        let mut note = Note::new(format!("{name}\n{}\n{root}\n", tree.size()).as_bytes(), &[]).unwrap();
        note.add_sigs(&[&self.signer]).unwrap();
        LedgerPage {
            from: u64::try_from(from).unwrap(),
            entries: self.entries[from..to].to_vec(),
            checkpoint: String::from_utf8(note.to_bytes()).unwrap(),
            size: self.size(),
            ledger_key: self.key.to_string(),
            certificates: vec![self.certificate.clone()],
        }
    }

    /// The whole log as an export.
    pub(crate) fn export(&self) -> String {
        let writer = ExportWriter::begin(Vec::new(), &self.page(0, self.entries.len())).unwrap();
        String::from_utf8(writer.finish().unwrap()).unwrap()
    }

    /// One more entry.
    pub(crate) fn grow(&mut self) {
        self.add(&entry(EntryKind::Alarm, Outcome::Noted, "A counter forked."), None);
    }
}

fn entry(kind: EntryKind, decision: Outcome, reason: &str) -> Entry {
    let mut entry = Entry::new(kind, THEN, "7K3M-Q2ZD".parse().unwrap(), decision, reason);
    entry.instance = Some(HOST.parse().unwrap());
    entry
}
