//! The native door: sealed envelopes in, sealed replies or one signed "no" out.

mod hosts;
mod throttle;

use hosts::Hosts;
pub use throttle::{Admission, Throttle, network};

use std::sync::Arc;
use std::time::Instant;

use countersign_protocol::certificate::Cert;
use countersign_protocol::clock::Timestamp;
use countersign_protocol::envelope::{self, Opening};
use countersign_protocol::ids::CorrelationId;
use countersign_protocol::message::MessageKind;
use countersign_server_core::changes::Listener;
use countersign_server_core::core::{Core, Settled, Taken};
use countersign_server_core::keys::Enrolled;
use countersign_server_core::refusal::Reason;
use countersign_server_core::stop::Failure;
use countersign_server_core::watch::Watching;

/// The door, in front of a core.
#[derive(Clone)]
pub struct OpenPgpDoor {
    core: Arc<Core>,
    hosts: Arc<Hosts>,
    per_second: f64,
}

/// What becomes of an envelope.
#[derive(Debug)]
#[must_use]
pub enum Heard {
    /// It is answered.
    Answered(Answer),
    /// Its host sends too much: it may come again after so many seconds.
    TooOften(u64),
    /// A host wants to hear of a change: ask [`OpenPgpDoor::look`].
    Watch(Box<Watching>),
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
    pub fn new(core: Arc<Core>) -> Self {
        Self { core, hosts: Arc::default(), per_second: f64::INFINITY }
    }

    /// The same, for so many messages a second of each host.
    #[must_use]
    pub fn with_limit(self, hosts_per_second: u32) -> Self {
        Self { per_second: f64::from(hosts_per_second), ..self }
    }

    /// Hears one envelope. Blocks on cryptography and disk.
    ///
    /// # Errors
    /// [`Failure`]: nothing happened; the same bytes may be sent again.
    pub fn hear(&self, bytes: &[u8]) -> Result<Heard, Failure> {
        let core = &*self.core;
        let identity = core.identity();
        let now = core.now();
        let view = core.glance()?;
        let opened = {
            let keyring = Enrolled::new(&*view, core.pins());
            let (me, decryptors) = (identity.pinned(), identity.decryptors());
            let opening = Opening { me, decryptors, keyring: &keyring, now };
            let opened = envelope::open(bytes, opening);
            if let Some(failure) = keyring.failure() {
                return Err(failure.into());
            }
            opened
        };
        let taken = match opened {
            Ok(opened) => match self.hosts.admit(&opened, self.per_second, Instant::now()) {
                Ok(counted) => {
                    let taken = core.take(opened, view)?;
                    if taken.costs_nothing() {
                        self.hosts.give_back(counted);
                    }
                    taken
                }
                Err(seconds) => return Ok(Heard::TooOften(seconds)),
            },
            Err(error) => {
                drop(view);
                Taken::Answered(core.refuse(error.into(), bytes)?)
            }
        };
        Ok(match taken {
            Taken::Answered(settled) => Heard::Answered(self.sealed(settled)?),
            Taken::Watch(watching) => Heard::Watch(watching),
        })
    }

    /// Looks whether there is something to tell whoever watches; the `last` time there is always an answer. Blocks on
    /// cryptography and disk.
    ///
    /// # Errors
    /// [`Failure`]: the host may watch anew.
    pub fn look(&self, watching: &Watching, last: bool) -> Result<Option<Answer>, Failure> {
        self.core.look(watching, last)?.map(|settled| self.sealed(settled)).transpose()
    }

    /// Calls `listener` whenever it is worth looking again.
    pub fn listen(&self, listener: Listener) {
        self.core.changes().listen(listener);
    }

    fn sealed(&self, settled: Settled) -> Result<Answer, Failure> {
        let (core, identity) = (&*self.core, self.core.identity());
        let unsealed = |error: envelope::SealError| Failure::Reply(error.to_string());
        match settled {
            Settled::Reply { reply, correlation, again, active } => {
                let (message, recipient) = (reply.message(), reply.recipient());
                let sealed = envelope::seal_pinned(message, vec![identity.signer()], recipient, core.now())
                    .map_err(unsealed)?;
                let bytes = sealed.bytes().to_vec();
                Ok(Answer::Reply { bytes, correlation, kind: message.kind, again, active })
            }
            Settled::Refused { refusal, reason } => {
                let bytes =
                    envelope::refuse(&refusal, identity.signer(), refusal.server_time).map_err(unsealed)?;
                Ok(Answer::Refused { bytes, correlation: refusal.correlation, reason })
            }
        }
    }

    /// What it is a door to.
    #[must_use]
    pub const fn core(&self) -> &Arc<Core> {
        &self.core
    }

    /// The server's certificate as hosts are told of it.
    #[must_use]
    pub fn certificate(&self) -> Vec<u8> {
        self.core.identity().certificate_bytes().to_vec()
    }

    /// Does what is due for the server's own subkeys; see [`Core::keep_keys`]. Blocks on disk.
    ///
    /// # Errors
    /// What stood in the way.
    pub fn keep_keys(
        &self,
        primary: impl FnOnce() -> Option<Cert>,
        days: u32,
    ) -> Result<Option<&'static str>, Failure> {
        self.core.keep_keys(primary, days)
    }

    /// When the newest of the server's subkeys end, and what somebody should know of that.
    #[must_use]
    pub fn keys_end(&self) -> (Option<Timestamp>, Option<String>) {
        (self.core.identity().newest().0, self.core.key_warning())
    }

    /// How many entries the ledger has, if a message could be answered now. Blocks on disk.
    ///
    /// # Errors
    /// What stands in the way.
    pub fn readiness(&self, writing: bool) -> Result<u64, Failure> {
        self.core.readiness(writing)
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
