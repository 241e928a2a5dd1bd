//! One envelope out, one proven answer back.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use countersign_protocol::certificate::{self, Cert, CertificateError};
use countersign_protocol::clock::Timestamp;
use countersign_protocol::envelope::{self, OpenError, Opening, SealError, Sealed, Verified};
use countersign_protocol::ids::{CorrelationId, Fingerprint};
use countersign_protocol::ledger::LedgerError;
use countersign_protocol::message::MessageError;
use countersign_protocol::random::NoRandomness;
use sequoia_openpgp::crypto::KeyPair;

use crate::courier::{Courier, CourierError};
use crate::server_time::{Answers, ServerTime};

/// Pause before the same bytes are sent again.
const PAUSE: Duration = Duration::from_millis(150);

/// How often the same bytes are sent while there is time: the server answers them once.
const ATTEMPTS: u32 = 3;

/// The one server.
#[derive(Debug, Clone)]
pub struct Server {
    /// As it was pinned at enrolment.
    pub certificate: Cert,
    /// Of its primary key.
    pub fingerprint: Fingerprint,
    /// Where the courier goes.
    pub url: String,
}

impl Server {
    /// From its certificate.
    ///
    /// # Errors
    /// Not one acceptable certificate.
    pub fn new(certificate: &[u8], url: &str) -> Result<Self, CertificateError> {
        let certificate = certificate::parse(certificate)?;
        let fingerprint = certificate::fingerprint(&certificate)?;
        Ok(Self { certificate, fingerprint, url: url.to_owned() })
    }
}

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
    /// An answer that does not prove to be one.
    #[error("the answer is not the server's answer to this message: {0}")]
    Untrusted(String),
    /// This host is no instance.
    #[error("this host is not enrolled")]
    NotEnrolled,
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

untrusted!(OpenError, LedgerError, MessageError);

/// What `status` says about the server.
#[derive(Debug, Clone, Default)]
pub struct Health {
    /// When it last answered, by its own clock.
    pub last_answer: Option<Timestamp>,
    /// What went wrong at the last attempt.
    pub problem: Option<String>,
}

/// Carries sealed messages and proves their answers.
pub struct Wire {
    courier: Courier,
    /// The server's time.
    pub time: ServerTime,
    health: Mutex<Health>,
}

impl Wire {
    /// Over this courier.
    #[must_use]
    pub fn new(courier: Courier, time: ServerTime) -> Self {
        Self { courier, time, health: Mutex::default() }
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
        decryptors: Vec<KeyPair>,
        deadline: Instant,
    ) -> Result<Verified, LinkError> {
        let result = self.attempt(answers, server, sealed, me, decryptors, deadline);
        let mut health = self.health.lock().unwrap_or_else(PoisonError::into_inner);
        match &result {
            Ok(reply) => *health = Health { last_answer: Some(reply.message().time), problem: None },
            Err(error) => health.problem = Some(error.to_string()),
        }
        result
    }

    /// How it went lately.
    #[must_use]
    pub fn health(&self) -> Health {
        self.health.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn attempt(
        &self,
        answers: Answers,
        server: &Server,
        sealed: &Sealed,
        me: &Cert,
        decryptors: Vec<KeyPair>,
        deadline: Instant,
    ) -> Result<Verified, LinkError> {
        match self.carry(&server.url, sealed, deadline)? {
            (200, body) => {
                let opening = Opening { me, decryptors, keyring: &server.certificate, now: self.time.now() };
                let reply = envelope::open(&body, opening)?.answering(sealed, &server.fingerprint)?;
                self.time.learn(reply.message().time, answers);
                Ok(reply)
            }
            (400, body) => {
                let refusal = envelope::read_refusal(&body, &server.certificate, sealed)?;
                let wrong = self.time.learn(refusal.server_time, answers);
                let clock_was_wrong = (wrong != 0).then_some(wrong);
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

    /// The same bytes get the same reply, so a lost answer is asked for again.
    fn carry(&self, url: &str, sealed: &Sealed, deadline: Instant) -> Result<(u16, Vec<u8>), LinkError> {
        let mut last = CourierError::TimedOut;
        for attempt in 1..=ATTEMPTS {
            match self.courier.carry(url, sealed.bytes(), deadline) {
                Ok((500..=599, _)) => {
                    last = CourierError::NoAnswer("it is out of order for a moment".to_owned())
                }
                Ok(answer) => return Ok(answer),
                Err(error @ (CourierError::TimedOut | CourierError::NotStarted(_))) => {
                    last = error;
                    break;
                }
                Err(error) => last = error,
            }
            let pause = PAUSE * attempt;
            if attempt == ATTEMPTS || Instant::now() + pause >= deadline {
                break;
            }
            std::thread::sleep(pause);
        }
        Err(LinkError::Unreachable(format!("{url}: {last}")))
    }
}
