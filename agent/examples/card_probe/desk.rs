//! Somebody who asks the agent to open what is sealed to them, and answers what they are asked.

use std::error::Error;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use countersign_agent::agent::Agent;
use countersign_agent::card::{Asker, Cards, KeptPin};
use countersign_agent::config::Config;
use countersign_agent::log::Log;
use countersign_agent::person::Person;
use countersign_agent::sealed_result;
use countersign_protocol::clock::SystemClock;
use countersign_protocol::ipc::{Client, Conversation, NoteKind, Request};
use countersign_protocol::random::SystemRandom;
use secrecy::SecretString;
use serde_json::{Value, json};

/// Opens, and gives everything that was said meanwhile.
pub(crate) fn open(
    cards: &Cards,
    sealed: &[u8],
    kept: &KeptPin,
    answers: Vec<String>,
    out: &Path,
) -> Result<Value, Box<dyn Error>> {
    // A host that is not enrolled: nobody is told of a wrong PIN.
    let (agent, _ear) = Agent::assemble(
        Config::default(),
        cards.clone(),
        Log::start()?,
        Arc::new(SystemClock),
        Arc::new(SystemRandom),
        Vec::new(),
    )?;
    let (ours, theirs) = UnixStream::pair()?;
    let said: Said = Arc::default();
    let mut typist = Typist { answers: answers.into_iter(), said: Arc::clone(&said) };
    let typing = std::thread::spawn(move || {
        // It ends without a last word.
        let _ = Client::new(theirs).ask(&Request::Status, &mut typist);
    });
    let mut person = Person::new(ours, Instant::now() + Duration::from_secs(30));
    person.request()?;
    let opened = sealed_result::open(&agent, &Asker::host(), sealed, kept, &mut person);
    drop(person);
    let _ = typing.join();
    let said = said.lock().unwrap_or_else(PoisonError::into_inner).clone();
    Ok(match opened {
        Ok(bytes) => {
            std::fs::write(out, bytes)?;
            json!({ "opened": true, "said": said })
        }
        Err(trouble) => {
            json!({ "error": format!("{:?}", trouble.kind), "text": trouble.message, "said": said })
        }
    })
}

type Said = Arc<Mutex<Vec<String>>>;

struct Typist {
    answers: std::vec::IntoIter<String>,
    said: Said,
}

impl Typist {
    fn hear(&self, text: &str) {
        self.said.lock().unwrap_or_else(PoisonError::into_inner).push(text.to_owned());
    }
}

impl Conversation for Typist {
    fn note(&mut self, _: NoteKind, text: &str) {
        self.hear(text);
    }

    fn hidden(&mut self, question: &str) -> Option<SecretString> {
        self.hear(question);
        self.answers.next().map(SecretString::from)
    }

    fn shown(&mut self, question: &str) -> Option<String> {
        self.hear(question);
        self.answers.next()
    }
}
