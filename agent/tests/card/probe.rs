//! The agent's cards, running inside a test machine.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

use countersign_tests::{Card, CardSpec, Machine, target_bin, wait_until};
use serde_json::{Value, json};

/// The PINs that [`Probe::generate`] sets.
pub(crate) const PIN: &str = "271828";
pub(crate) const ADMIN_PIN: &str = "31415926";

/// A machine with `readers` readers.
pub(crate) fn machine(readers: usize) -> Machine {
    let machine = Machine::start().unwrap();
    machine.start_pcscd(readers).unwrap();
    machine
}

/// A new card, seen by pcscd.
pub(crate) fn card<'m>(machine: &'m Machine, reader: usize, serial: &str) -> Card<'m> {
    let card = machine.card(reader, CardSpec::new(serial)).unwrap();
    // Its control socket is there a moment before it is listened to.
    wait_until("the card's control socket", Duration::from_secs(20), || Ok(card.status().ok())).unwrap();
    card.wait_until_seen().unwrap();
    card
}

pub(crate) struct Probe {
    child: Child,
    input: RefCell<ChildStdin>,
    answers: Receiver<Value>,
    early: RefCell<HashMap<u64, Value>>,
    next: Cell<u64>,
    folder: PathBuf,
}

impl Probe {
    pub(crate) fn start(machine: &Machine) -> Self {
        Self::with_timing(machine, Duration::from_secs(20), Duration::from_secs(10))
    }

    /// `answer`: deadline of a job. `warm`: how long a connection is kept.
    pub(crate) fn with_timing(machine: &Machine, answer: Duration, warm: Duration) -> Self {
        let mut command = machine.command(target_bin("examples/card_probe").unwrap());
        command.args([answer, warm].map(|time| time.as_millis().to_string()));
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (said, answers) = mpsc::channel();
        let output = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                let _ = said.send(serde_json::from_str(&line).unwrap());
            }
        });
        Self {
            input: RefCell::new(child.stdin.take().unwrap()),
            child,
            answers,
            early: RefCell::default(),
            next: Cell::new(1),
            folder: machine.scratch().to_owned(),
        }
    }

    /// Sends an order, without waiting.
    pub(crate) fn order(&self, mut order: Value) -> u64 {
        let id = self.next.replace(self.next.get() + 1);
        order["id"] = id.into();
        writeln!(self.input.borrow_mut(), "{order}").unwrap();
        id
    }

    /// Waits for the answer to an order.
    pub(crate) fn answer(&self, id: u64) -> Value {
        loop {
            if let Some(answer) = self.early.borrow_mut().remove(&id) {
                return answer;
            }
            let answer = self.answers.recv_timeout(Duration::from_secs(120)).expect("the probe answers");
            self.early.borrow_mut().insert(answer["id"].as_u64().unwrap(), answer);
        }
    }

    pub(crate) fn ask(&self, order: Value) -> Value {
        self.answer(self.order(order))
    }

    /// Holds every thread of the agent still, or lets them go on.
    pub(crate) fn signal(&self, signal: &str) {
        let done = Command::new("kill").args([signal, &self.child.id().to_string()]).status().unwrap();
        assert!(done.success());
    }

    /// Waits until the agent has read this card.
    pub(crate) fn sees(&self, card: &Card<'_>) -> Value {
        let seen = self.ask(json!({ "do": "wait-for", "card": card.ident(), "ms": 10_000 }));
        assert_eq!(seen["ident"], card.ident(), "{seen}");
        seen
    }

    /// Waits until pcscd and the agent know that the card is out.
    pub(crate) fn sees_it_gone(&self, card: &Card<'_>) {
        card.wait_until_seen().unwrap();
        self.does_not_see(card);
    }

    pub(crate) fn does_not_see(&self, card: &Card<'_>) {
        let seen = self.ask(json!({ "do": "wait-until-gone", "card": card.ident(), "ms": 10_000 }));
        assert_eq!(seen["gone"], true, "{seen}");
    }

    /// Keys on a factory card, with [`PIN`] and [`ADMIN_PIN`] from now on.
    pub(crate) fn generate(&self, card: &Card<'_>, algorithm: &str) -> Certificate {
        self.sees(card);
        let path = self.folder.join(format!("{}.pgp", card.ident().replace(':', "-")));
        let made = self.ask(json!({
            "do": "generate", "card": card.ident(), "algorithm": algorithm, "out": path, "replace": false,
            "pins": ["123456", "12345678", PIN, ADMIN_PIN],
        }));
        assert_eq!(made["error"], Value::Null, "{made}");
        Certificate { path, fingerprint: made["fingerprint"].as_str().unwrap().to_owned() }
    }

    /// A statement signed by a typed PIN, the prompt having said three tries.
    pub(crate) fn sign(&self, card: &Card<'_>, certificate: &Certificate, pin: &str) -> Value {
        self.ask(self.signing(card, certificate, pin, 3, false))
    }

    pub(crate) fn signing(
        &self,
        card: &Card<'_>,
        certificate: &Certificate,
        pin: &str,
        shown: u8,
        last: bool,
    ) -> Value {
        json!({
            "do": "sign", "card": card.ident(), "cert": certificate.path, "pin": pin, "shown": shown,
            "last": last, "out": self.statement(),
        })
    }

    /// Where [`Probe::sign`] leaves `.json` and `.sig`.
    pub(crate) fn statement(&self) -> PathBuf {
        self.folder.join("statement")
    }
}

impl Drop for Probe {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What generation made.
pub(crate) struct Certificate {
    pub(crate) path: PathBuf,
    pub(crate) fingerprint: String,
}

/// gpg with a keyring of its own that knows `certificate` only. Gives what it said, both ways.
pub(crate) fn gpg(home: &Path, certificate: &Certificate, args: &[&str]) -> (bool, String) {
    std::fs::create_dir_all(home).unwrap();
    std::fs::set_permissions(home, std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
    let run = |args: &[&str]| {
        let done = Command::new("gpg")
            .args(["--batch", "--no-tty", "--no-autostart", "--trust-model=always", "--homedir"])
            .arg(home)
            .args(args)
            .output()
            .unwrap();
        let said = [done.stdout, done.stderr].concat();
        (done.status.success(), String::from_utf8_lossy(&said).into_owned())
    };
    let (imported, said) = run(&["--import", certificate.path.to_str().unwrap()]);
    assert!(imported, "{said}");
    run(args)
}
