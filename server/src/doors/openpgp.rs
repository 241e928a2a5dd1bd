//! The native door: sealed envelopes in, sealed replies or one signed "no" out.

mod throttle;

pub use throttle::{Admission, Throttle, network};

use std::sync::Arc;

use countersign_protocol::envelope::{self, Opening};
use countersign_protocol::ids::CorrelationId;
use countersign_protocol::message::MessageKind;
use countersign_server_core::core::{Core, Taken};
use countersign_server_core::keys::Enrolled;
use countersign_server_core::refusal::Reason;
use countersign_server_core::stop::Failure;

/// The door, in front of a core.
#[derive(Clone)]
pub struct OpenPgpDoor {
    core: Arc<Core>,
}

/// What goes back, and what the log hears of it.
#[derive(Debug)]
#[must_use]
pub enum Answer {
    /// A sealed reply.
    Reply {
        /// The envelope.
        bytes: Vec<u8>,
        /// What was answered.
        correlation: CorrelationId,
        /// The reply's type.
        kind: MessageKind,
        /// The same message came before.
        again: bool,
        /// An active host sent it.
        active: bool,
    },
    /// The signed "no".
    Refused {
        /// Its bytes.
        bytes: Vec<u8>,
        /// What the person quotes.
        correlation: CorrelationId,
        /// For the log only.
        reason: Reason,
    },
}

impl OpenPgpDoor {
    /// In front of `core`.
    #[must_use]
    pub const fn new(core: Arc<Core>) -> Self {
        Self { core }
    }

    /// Answers one envelope. Blocks on cryptography and disk.
    ///
    /// # Errors
    /// [`Failure`]: nothing happened; the same bytes may be sent again.
    pub fn answer(&self, bytes: &[u8]) -> Result<Answer, Failure> {
        let core = &*self.core;
        let identity = core.identity();
        let now = core.now();
        let opened = {
            let view = core.view()?;
            let keyring = Enrolled::new(&*view);
            let me = identity.certificate();
            let opening = Opening { me, decryptors: identity.decryptors(), keyring: &keyring, now };
            let opened = envelope::open(bytes, opening);
            if let Some(failure) = keyring.failure() {
                return Err(failure.into());
            }
            opened
        };
        let taken = match opened {
            Ok(opened) => core.take(opened)?,
            Err(error) => core.refuse(error.into(), bytes)?,
        };
        let unsealed = |error: envelope::SealError| Failure::Reply(error.to_string());
        match taken {
            Taken::Reply { reply, correlation, again, active } => {
                let (message, recipient) = (reply.message(), reply.recipient());
                let sealed = envelope::seal(message, vec![identity.signer()], recipient, core.now())
                    .map_err(unsealed)?;
                let bytes = sealed.bytes().to_vec();
                Ok(Answer::Reply { bytes, correlation, kind: message.kind, again, active })
            }
            Taken::Refused { refusal, reason } => {
                let bytes =
                    envelope::refuse(&refusal, identity.signer(), refusal.server_time).map_err(unsealed)?;
                Ok(Answer::Refused { bytes, correlation: refusal.correlation, reason })
            }
        }
    }

    /// Whether the store answers a question. Blocks on disk.
    #[must_use]
    pub fn is_healthy(&self) -> bool {
        self.core.view().is_ok_and(|view| view.checkpoint().is_ok_and(|newest| newest.is_some()))
    }
}

impl Answer {
    /// Whether it shows that a host that may work is at that address, and not a copy of what one sent.
    #[must_use]
    pub const fn shows_a_host(&self) -> bool {
        match self {
            Self::Reply { active, again, .. } => *active && !*again,
            Self::Refused { .. } => false,
        }
    }
}
