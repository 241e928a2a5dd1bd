//! Requests that others had to approve: an export holds only if they did, each for exactly that request.

use super::log::{Log, Person};
use crate::binary::Binary;
use crate::ids::{Digest, Nonce};
use crate::ledger::{Entry, EntryKind, ExportWriter, LedgerError, Trust, detail, verify_export};
use crate::message::result::Evidence;

/// Ana asks, and others approve.
struct Scene {
    log: Log,
    people: Vec<(&'static str, Person)>,
    asked: (Entry, Evidence),
}

impl Scene {
    fn new() -> Self {
        let mut log = Log::new();
        let mut people = Vec::new();
        for name in ["ana", "bob", "cyn"] {
            let person = Person::new();
            log.certificates.push(person.certificate());
            let (entry, bound) = person.signs(EntryKind::Registration, |statement| {
                statement.account = name.parse().unwrap();
                statement.operation = "bind-key".parse().unwrap();
                statement.resource = format!("account/{name}").parse().unwrap();
            });
            log.add(&entry, Some(bound));
            people.push((name, person));
        }
        let asked = people[0].1.signs(EntryKind::Job, |statement| {
            statement.operation = "suspend".parse().unwrap();
            statement.resource = "account/eve".parse().unwrap();
            statement.login = None;
            statement.service = None;
        });
        Self { log, people, asked }
    }

    /// `who` signs this about a request; what the approval is called.
    fn signs(
        &mut self,
        who: &str,
        operation: &str,
        approves: Option<Digest>,
        said: Option<(&str, String)>,
    ) -> String {
        let number = u8::try_from(self.log.size()).unwrap();
        let (_, person) = self.people.iter().find(|(name, _)| *name == who).unwrap();
        let (mut entry, signed) = person.signs(EntryKind::Job, |statement| {
            statement.account = who.parse().unwrap();
            statement.operation = operation.parse().unwrap();
            statement.resource = "request/7K3M-Q2ZD".parse().unwrap();
            statement.login = None;
            statement.service = None;
            statement.approves = approves;
            statement.nonce = Nonce::from_bytes([number; 32]);
        });
        entry.detail.extend(said.map(|(name, words)| (name.to_owned(), words)));
        let name = format!("{}:{}", self.log.size(), entry.statement.unwrap());
        self.log.add(&entry, Some(signed));
        name
    }

    fn approves(&mut self, who: &str) -> String {
        let request = self.asked.0.statement;
        let said = (detail::APPROVES, request.unwrap().to_string());
        self.signs(who, "approve", request, Some(said))
    }

    /// The request is done, by these approvals.
    fn is_done(&mut self, by: &[&str]) -> Result<u64, String> {
        let (mut entry, evidence) = self.asked.clone();
        entry.detail.insert(detail::APPROVALS_NEEDED.into(), "2:operators".into());
        entry.detail.insert(detail::APPROVED_BY.into(), by.join(" "));
        self.log.add(&entry, Some(evidence));
        self.verify()
    }

    fn verify(&self) -> Result<u64, String> {
        let writer = ExportWriter::begin(Vec::new(), &self.log.page(0, self.log.size())).unwrap();
        match verify_export(writer.finish().unwrap().as_slice(), &Trust::default()) {
            Ok(report) => Ok(report.approved),
            Err(LedgerError::Export { problems, .. }) => Err(problems[0].what.clone()),
            Err(other) => panic!("{other}"),
        }
    }
}

#[test]
fn two_others_signed_for_exactly_it() {
    let mut scene = Scene::new();
    let (bob, cyn) = (scene.approves("bob"), scene.approves("cyn"));
    assert_eq!(scene.is_done(&[&bob, &cyn]), Ok(1));
    assert!(
        scene.is_done(&[&bob, &cyn]).unwrap_err().contains("decided by its approvals before, in entry 5")
    );
    let mut scene = Scene::new();
    let (bob, cyn) = (scene.approves("bob"), scene.approves("cyn"));
    assert_eq!(scene.is_done(&[&bob, &cyn]), Ok(1));
    // What cyn signed was erased: the entries hold, and nothing is proven of her.
    scene.log.entries[4].evidence = None;
    assert_eq!(scene.verify(), Ok(0));
}

#[test]
fn approvals_that_nobody_gave_are_found() {
    let told = |given: &dyn Fn(&mut Scene) -> Vec<String>| {
        let mut scene = Scene::new();
        let by = given(&mut scene);
        scene.is_done(&by.iter().map(String::as_str).collect::<Vec<_>>()).unwrap_err()
    };
    let one = told(&|scene| vec![scene.approves("bob")]);
    assert!(one.contains("2 approvals by operators, and 1 people"), "{one}");
    let twice = told(&|scene| vec![scene.approves("bob"), scene.approves("bob")]);
    assert!(twice.contains("1 people approved it"), "{twice}");
    let own = told(&|scene| vec![scene.approves("bob"), scene.approves("ana")]);
    assert!(own.contains("by whoever asked for it"), "{own}");
    let other = told(&|scene| {
        let another = Some(Digest::of(b"another request"));
        vec![scene.approves("bob"), scene.signs("cyn", "approve", another, None)]
    });
    assert!(other.contains("is for another request"), "{other}");
    let made_up = told(&|scene| vec![scene.approves("bob"), format!("2:{}", Digest::of(b"nothing"))]);
    assert!(made_up.contains("no entry before it holds the approval"), "{made_up}");
    let back = told(&|scene| {
        let by = vec![scene.approves("bob"), scene.approves("cyn")];
        let request = scene.asked.0.statement.unwrap();
        scene.signs("cyn", "withdraw", None, Some((detail::TAKEN_BACK, request.to_string())));
        by
    });
    assert!(back.contains("was taken back before it"), "{back}");
    // The entry says another request than she signed for.
    let mut scene = Scene::new();
    let request = scene.asked.0.statement;
    let another = Digest::of(b"another request").to_string();
    scene.signs("bob", "approve", request, Some((detail::APPROVES, another)));
    assert!(scene.verify().unwrap_err().contains("names another request"));
}

#[test]
fn a_request_that_took_approvals_and_names_none_was_made_up() {
    let mut scene = Scene::new();
    let (mut entry, evidence) = scene.asked.clone();
    entry.detail.insert(detail::APPROVALS_NEEDED.into(), "2:operators".into());
    scene.log.add(&entry, Some(evidence));
    assert!(scene.verify().unwrap_err().contains("and names none"));
    // Nor does a statement that was changed count.
    let mut scene = Scene::new();
    let bob = scene.approves("bob");
    let evidence = scene.log.entries[3].evidence.as_mut().unwrap();
    evidence.signed.statement = Binary(b"{}".to_vec());
    assert!(scene.is_done(&[&bob]).is_err());
}
