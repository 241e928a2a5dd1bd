//! One envelope out, one proven answer back.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use countersign_protocol::certificate::{Cert, CertificateError, Pinned};
use countersign_protocol::curve25519::SoftwareKey;
use countersign_protocol::envelope::{self, OpenError, Opened, Opening, SealError, Sealed, Verified};
use countersign_protocol::ids::CorrelationId;
use countersign_protocol::ledger::LedgerError;
use countersign_protocol::message::MessageError;
use countersign_protocol::random::NoRandomness;

use crate::courier::{Courier, CourierError};
use crate::reach::{Patience, Reach};
use crate::server_time::{Answers, ServerTime};

/// Longest time to come back after that is believed: nobody signs it.
const LONGEST_AFTER: u64 = 120;

/// How rarely the server's certificate is asked for: anybody on the way can give a reason to.
const SELDOM: Duration = Duration::from_secs(20);

/// Pause before the same bytes are sent again.
const PAUSE: Duration = Duration::from_millis(150);

pub use crate::server::Server;

/// Why a message has no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    /// No answer came.
    #[error("the server cannot be reached: {0}")]
    Unreachable(String),
    /// The server's signed "no".
    #[error("the server refused the message (its log has {correlation})")]
    Refused {
        /// To look it up in the server's ledger.
        correlation: CorrelationId,
        /// By how many seconds our idea of the server's time was wrong, if that may be why.
        clock_was_wrong: Option<i64>,
    },
    /// The server, or what stands before it, has no place for this now: it says to come back after this time. Told only
    /// to who sent a message once and can do without its answer.
    #[error("the server has no place free; it says to ask again in {} s", .0.as_secs())]
    Full(Duration),
    /// Something came that the server did not sign as its answer to this message: no better than nothing.
    #[error("the answer is not the server's answer to this message: {0}")]
    Unproven(String),
    /// The server signed an answer that does not hold.
    #[error("the server's answer does not hold: {0}")]
    Untrusted(String),
    /// This host is no instance.
    #[error("this host is not enrolled")]
    NotEnrolled,
    /// This host cannot speak: the key that names it cannot be used, or what must be on the disk first cannot be written.
    /// Nothing was asked.
    #[error("this host cannot speak to the server: {0}")]
    Mute(String),
    /// Our own side failed.
    #[error("{0}")]
    Internal(String),
}

macro_rules! internal {
    ($($error:ty),+) => {
        $(impl From<$error> for LinkError {
            fn from(error: $error) -> Self {
                Self::Internal(error.to_string())
            }
        })+
    };
}

internal!(
    CertificateError,
    SealError,
    NoRandomness,
    crate::state::StateError,
    crate::vault::VaultError,
    crate::card::CardError
);

macro_rules! untrusted {
    ($($error:ty),+) => {
        $(impl From<$error> for LinkError {
            fn from(error: $error) -> Self {
                Self::Untrusted(error.to_string())
            }
        })+
    };
}

untrusted!(LedgerError, MessageError);

impl From<OpenError> for LinkError {
    fn from(error: OpenError) -> Self {
        Self::Unproven(error.to_string())
    }
}

impl LinkError {
    /// Whether the server said nothing, as far as anybody can prove. Whoever can take this host's voice away can cut its
    /// cable too, and gains no more by it: the roster says what is permitted then.
    #[must_use]
    pub const fn is_silence(&self) -> bool {
        match self {
            Self::Unreachable(_) | Self::Unproven(_) | Self::Mute(_) => true,
            Self::Refused { .. }
            | Self::Full(_)
            | Self::Untrusted(_)
            | Self::NotEnrolled
            | Self::Internal(_) => false,
        }
    }
}

/// Carries sealed messages and proves their answers.
pub struct Wire {
    courier: Courier,
    /// The server's time.
    pub time: ServerTime,
    /// Whether the server seems to be there.
    pub reach: Reach,
    /// When the server's certificate was last asked for. Held to look.
    asked: Mutex<Option<Instant>>,
}

impl Wire {
    /// Over this courier.
    #[must_use]
    pub fn new(courier: Courier, time: ServerTime) -> Self {
        Self { courier, time, reach: Reach::default(), asked: Mutex::default() }
    }

    /// Sends what was `sealed` and waits for its answer, which is sealed to `me`. `answers` says whether the answer
    /// tells the time: to bytes that were kept it may be as old as they are.
    ///
    /// # Errors
    /// [`LinkError`].
    pub fn exchange(
        &self,
        answers: Answers,
        server: &Server,
        sealed: &Sealed,
        me: &Cert,
        decryptors: Vec<SoftwareKey>,
        patience: Patience,
    ) -> Result<Verified, LinkError> {
        let begun = Instant::now();
        let result = self.attempt(answers, server, sealed, me, decryptors, patience);
        match &result {
            Ok(reply) => self.reach.answered(reply.message().time, Instant::now()),
            Err(error) => self.reach.failed(error, patience, begun, Instant::now()),
        }
        result
    }

    fn attempt(
        &self,
        answers: Answers,
        server: &Server,
        sealed: &Sealed,
        me: &Cert,
        decryptors: Vec<SoftwareKey>,
        patience: Patience,
    ) -> Result<Verified, LinkError> {
        match self.carry(&server.url, sealed, patience)? {
            (200, body) => {
                let reply = match self.opened(server, &body, me, &decryptors) {
                    // Signed by a key that came while this host was away?
                    Err(error) if self.has_news(server, patience) => {
                        drop(error);
                        self.opened(server, &body, me, &decryptors)?
                    }
                    other => other?,
                };
                let reply = reply.answering(sealed, &server.fingerprint)?;
                self.time.learn(reply.message().time, answers);
                Ok(reply)
            }
            (400, body) => {
                let read = || envelope::read_refusal(&body, &server.certificate(), sealed);
                let refusal = match read() {
                    Err(error) if self.has_news(server, patience) => {
                        drop(error);
                        read()?
                    }
                    other => other?,
                };
                let wrong = self.time.learn(refusal.server_time, answers);
                let clock_was_wrong = (wrong != 0).then_some(wrong);
                if clock_was_wrong.is_none() {
                    // The key that it was sealed to may be gone: whoever can makes the message anew.
                    let _news = self.has_news(server, patience);
                }
                Err(LinkError::Refused { correlation: refusal.correlation, clock_was_wrong })
            }
            (429, _) => Err(LinkError::Unreachable(
                "it has had too many messages from this address; it will answer again in a minute".to_owned(),
            )),
            (status, _) => Err(LinkError::Unreachable(format!(
                "{} answers with HTTP status {status}, which no Countersign server does; check the address",
                server.url
            ))),
        }
    }

    fn opened(
        &self,
        server: &Server,
        body: &[u8],
        me: &Cert,
        decryptors: &[SoftwareKey],
    ) -> Result<Opened, OpenError> {
        let (keyring, now) = (server.certificate(), self.time.now());
        let me = Pinned::of(me, now).map_err(|error| OpenError::Structure(error.to_string()))?;
        envelope::open(body, Opening { me: &me, decryptors, keyring: &keyring, now })
    }

    /// Asks for the server's certificate, and takes it up if it is a newer one that the pinned key vouches for; not more
    /// often than it changes. Says whether it did.
    pub fn has_news(&self, server: &Server, patience: Patience) -> bool {
        {
            let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
            if asked.is_some_and(|asked| asked.elapsed() < SELDOM) {
                return false;
            }
            *asked = Some(Instant::now());
        }
        // Nothing to carry: the courier fetches the certificate.
        let carried = self.courier.carry(&server.url, &[], patience.deadline);
        matches!(carried, Ok((200, bytes)) if server.take_up(&bytes, self.time.now()).is_ok())
    }

    /// The same bytes get the same reply, so a lost answer is asked for again.
    fn carry(&self, url: &str, sealed: &Sealed, patience: Patience) -> Result<(u16, Vec<u8>), LinkError> {
        let Patience { deadline, attempts } = patience;
        let mut last = CourierError::TimedOut;
        for attempt in 1..=attempts {
            match self.courier.carry(url, sealed.bytes(), deadline) {
                Ok((status @ 500..=599, body)) => {
                    if let Some(after) = retry_after(&body).filter(|_| status == 503 && attempts == 1) {
                        return Err(LinkError::Full(after));
                    }
                    last = CourierError::NoAnswer("it is out of order for a moment".to_owned());
                }
                Ok(answer) => return Ok(answer),
                Err(error @ (CourierError::TimedOut | CourierError::NotStarted(_))) => {
                    last = error;
                    break;
                }
                Err(error) => last = error,
            }
            let pause = PAUSE * attempt;
            if attempt == attempts || Instant::now() + pause >= deadline {
                break;
            }
            std::thread::sleep(pause);
        }
        Err(LinkError::Unreachable(format!("{url}: {last}")))
    }
}

/// When to come back, from the answer of a 503 as the courier hands it over.
fn retry_after(body: &[u8]) -> Option<Duration> {
    let seconds: u64 = std::str::from_utf8(body).ok()?.parse().ok()?;
    Some(Duration::from_secs(seconds.min(LONGEST_AFTER)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_to_come_back_is_bounded_and_anything_else_is_none() {
        assert_eq!(retry_after(b"25"), Some(Duration::from_secs(25)));
        assert_eq!(retry_after(b"86400"), Some(Duration::from_secs(LONGEST_AFTER)));
        for none in [&b""[..], b"soon", b"-1", b"Wed, 21 Oct 2026 07:28:00 GMT", b"\xff"] {
            assert_eq!(retry_after(none), None);
        }
    }
}
