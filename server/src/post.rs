//! Handing letters over: by mail, by short message. One thread for each way, so that a mail server that is down holds up
//! no short message, and neither holds up anybody who asks the server.

mod mail;
mod redact;
mod secret_file;
mod sms;

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use countersign_protocol::contact::Channel;
use countersign_server_core::core::Core;
use countersign_server_core::outbox::{Failed, Letter, Reach};

pub use self::mail::MailCarrier;
pub use self::secret_file::SecretFileError;
pub use self::sms::SmsCarrier;
use crate::config::{Config, Method};
use crate::log::{Level, Log};

/// How often the outbox is looked at: another process may have put something there.
const PAUSE: Duration = Duration::from_secs(1);

/// After the store failed.
const LONGER_PAUSE: Duration = Duration::from_secs(10);

/// Takes one letter to its receiver.
pub trait Carrier: Send {
    /// By which way.
    fn channel(&self) -> Channel;

    /// Hands it over. `id` is the same each time one letter is carried.
    ///
    /// # Errors
    /// Whether another try may do, and why, without the receiver's address.
    fn carry(&self, letter: &Letter, id: &str) -> Result<(), NotCarried>;
}

/// A letter was not handed over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotCarried {
    /// Whether another try may do.
    pub failed: Failed,
    /// For the log.
    pub why: String,
}

/// What a carrier needs cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CarrierError {
    /// A password, or headers.
    #[error(transparent)]
    Secret(#[from] SecretFileError),
    /// Certificates of authorities.
    #[error("{}: {what}", .path.display())]
    Authorities {
        /// Which file.
        path: std::path::PathBuf,
        /// What is wrong.
        what: String,
    },
    /// TLS itself.
    #[error("TLS to the mail server cannot be set up: {0}")]
    Tls(String),
}

/// The carriers that the configuration names. Every file that they need is read.
///
/// # Errors
/// [`CarrierError`].
pub fn carriers(config: &Config) -> Result<Vec<Box<dyn Carrier>>, CarrierError> {
    let mut carriers: Vec<Box<dyn Carrier>> = Vec::new();
    if let Some(mail) = &config.mail {
        carriers.push(Box::new(MailCarrier::new(mail)?));
    }
    if let Some(sms) = &config.sms {
        carriers.push(Box::new(SmsCarrier::new(sms)?));
    }
    Ok(carriers)
}

/// As the core wants it.
#[must_use]
pub fn reach(config: &Config) -> Reach {
    let there = [(Channel::Email, config.mail.is_some()), (Channel::Sms, config.sms.is_some())];
    let registration = &config.registration;
    let ways = [(Channel::Email, Method::Email), (Channel::Sms, Method::Sms)];
    Reach {
        channels: there.into_iter().filter(|(_, there)| *there).map(|(channel, _)| channel).collect(),
        registration: ways
            .into_iter()
            .filter(|(_, way)| registration.allows(*way))
            .map(|(way, _)| way)
            .collect(),
        totp: registration.allows(Method::Totp),
        domains: registration.mail_domains.clone(),
    }
}

/// The threads that deliver. They end when this is dropped; a letter that one of them has then is another's in
/// [`OUTBOX_LEASE`](countersign_protocol::limits::OUTBOX_LEASE).
pub struct PostOffice {
    closed: Arc<Closed>,
}

#[derive(Default)]
struct Closed {
    closed: Mutex<bool>,
    rang: Condvar,
}

impl Closed {
    /// Waits so long, or until it is closed; whether it is.
    fn within(&self, pause: Duration) -> bool {
        let closed = self.closed.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.rang.wait_timeout_while(closed, pause, |closed| !*closed);
        *waited.unwrap_or_else(PoisonError::into_inner).0
    }
}

impl PostOffice {
    /// Starts a thread for each carrier.
    ///
    /// # Errors
    /// The kernel has no thread.
    pub fn open(core: &Arc<Core>, carriers: Vec<Box<dyn Carrier>>, log: Log) -> std::io::Result<Self> {
        let office = Self { closed: Arc::default() };
        for carrier in carriers {
            let (core, closed) = (Arc::clone(core), Arc::clone(&office.closed));
            let name = format!("post-{}", carrier.channel().as_str());
            std::thread::Builder::new().name(name).spawn(move || deliver(&core, &*carrier, &closed, log))?;
        }
        Ok(office)
    }
}

impl Drop for PostOffice {
    fn drop(&mut self) {
        *self.closed.closed.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.closed.rang.notify_all();
    }
}

fn deliver(core: &Core, carrier: &dyn Carrier, closed: &Closed, log: Log) {
    let channel = carrier.channel();
    let mut pause = Duration::ZERO;
    while !closed.within(pause) {
        pause = match core.next_letter(channel) {
            Ok(None) => PAUSE,
            Ok(Some(delivery)) => {
                let carried = carrier.carry(&delivery.letter, &delivery.id());
                let said = match &carried {
                    Ok(()) => core.delivered(&delivery).map(|()| (Level::Info, "handed over".to_owned())),
                    Err(NotCarried { failed, why }) => {
                        core.not_delivered(&delivery, *failed).map(|given_up| {
                            let then = if given_up { "given up" } else { "tried again later" };
                            (Level::Warning, format!("not handed over, {then}: {why}"))
                        })
                    }
                };
                let failed = |failure| (Level::Error, format!("FAILED, may be handed over twice: {failure}"));
                let (level, said) = said.unwrap_or_else(failed);
                log.note(level, &format!("letter {} by {}: {said}", delivery.id(), channel.as_str()));
                Duration::ZERO
            }
            Err(failure) => {
                let said = format!("FAILED, the outbox for {} cannot be read: {failure}", channel.as_str());
                log.note(Level::Error, &said);
                LONGER_PAUSE
            }
        };
    }
}
