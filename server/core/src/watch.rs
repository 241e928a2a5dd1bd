//! "Tell me as soon as something changes": a question that waits for its answer outside the core.
//!
//! ```text
//! Opened ─▶ take ─▶ Watching ─▶ look ─▶ still the same: wait for a change, look again …
//!                                   └─▶ another, or the time is over: Settled
//! ```
//!
//! A watch changes nothing, so nothing is written for it, neither in the ledger nor beside it. What keeps it from being
//! played again is remembered here; a process that was started anew does not know, and answers whoever plays it with
//! what only the host can open.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use countersign_protocol::clock::Timestamp;
use countersign_protocol::envelope::{Opened, Seen, SignedBy};
use countersign_protocol::ids::{CorrelationId, Digest, Fingerprint, MessageId};
use countersign_protocol::limits;
use countersign_protocol::message::{InReplyTo, InstanceState, MessageKind, Watch, WatchReply};

use crate::core::{About, Core, Settled};
use crate::draft::Answer;
use crate::outgoing::Outgoing;
use crate::refusal::Reason;
use crate::replies::Recipient;
use crate::roster::Asked;
use crate::sender::Sender;
use crate::stop::{Failure, Stop};

/// How long a message may be played again, in seconds: as long as its time lies near ours.
const REACH: i64 = 2 * limits::CLOCK_SKEW;

/// A watch that is taken, until it is answered.
#[derive(Debug)]
#[must_use = "whoever watches waits for an answer"]
pub struct Watching {
    request: InReplyTo,
    /// SHA-256 of the envelope.
    wire: Digest,
    signer: SignedBy,
    sent: Timestamp,
    active: bool,
    correlation: CorrelationId,
    asked: Asked,
    revision: Digest,
}

impl Watching {
    /// Who watches.
    #[must_use]
    pub const fn instance(&self) -> &Fingerprint {
        &self.signer.certificate
    }

    /// When it says that it was sent: of two, the newer one is the one whose host still waits.
    #[must_use]
    pub const fn sent(&self) -> Timestamp {
        self.sent
    }
}

impl Core {
    /// Takes a watch, once.
    pub(crate) fn take_watch(
        &self,
        opened: Opened,
        now: Timestamp,
        correlation: CorrelationId,
    ) -> Result<Box<Watching>, Stop> {
        let view = self.view()?;
        let sender = Sender::of(&*view, opened.signers())?;
        sender.may_send(MessageKind::Watch)?;
        let active = sender.is_active_instance();
        let wire = opened.wire_digest();
        let (Sender::Instance(instance), [signer]) = (sender, opened.signers()) else {
            return Err(Reason::UnknownSender.into());
        };
        let signer = signer.clone();
        let seen = self.watches().see(&instance.fingerprint, opened.message().id, opened.digest(), now)?;
        let verified = opened.admit(seen).map_err(Reason::from)?;
        if verified.message().transcript.is_some() {
            return Err(Reason::Transcript.into());
        }
        let Watch { revision, logins, services } =
            verified.body().map_err(|error| Reason::Body(error.to_string()))?;
        let asked = Asked::new(logins, services)?;
        let (request, sent) = (verified.in_reply_to(), verified.message().time);
        Ok(Box::new(Watching { request, wire, signer, sent, active, correlation, asked, revision }))
    }

    /// Looks whether there is something to tell; the `last` time there is always an answer. Blocks on disk.
    ///
    /// # Errors
    /// [`Failure`]: the sender may watch anew.
    pub fn look(&self, watching: &Watching, last: bool) -> Result<Option<Settled>, Failure> {
        let answered = self.news(watching).and_then(|changed| {
            let due = changed || last;
            due.then(|| self.answer_watch(watching, changed)).transpose()
        });
        match answered {
            Ok(None) => Ok(None),
            Ok(Some(reply)) => Ok(Some(Settled::Reply {
                reply: Box::new(reply),
                correlation: watching.correlation.clone(),
                again: false,
                active: watching.active,
            })),
            Err(Stop::Refused(reason)) => {
                let signers = vec![watching.signer.clone()];
                let about = About {
                    digest: watching.wire,
                    message: Some(watching.request.id),
                    signers,
                    claimed: None,
                };
                self.refuse_about(reason, &about, self.now(), watching.correlation.clone()).map(Some)
            }
            Err(Stop::Failed(failure)) => Err(failure),
        }
    }

    /// Whether a check-in would bring another revision than the host has.
    fn news(&self, watching: &Watching) -> Result<bool, Stop> {
        let view = self.view()?;
        let instance = view.instance(watching.instance())?.ok_or(Reason::UnknownSender)?;
        if instance.state == InstanceState::Revoked {
            return Err(Reason::InstanceRevoked.into());
        }
        let told = watching.asked.told(
            &*view,
            &*self.policy_of(&*view)?,
            self.rules(),
            self.verdict(),
            &instance,
        )?;
        Ok(told.revision()? != watching.revision)
    }

    fn answer_watch(&self, watching: &Watching, changed: bool) -> Result<Outgoing, Stop> {
        let (view, now) = (self.view()?, self.now());
        let recipient = Recipient::Instance(watching.instance().clone());
        let cert = self.current(&*view, &recipient, now)?;
        let answer = Answer::of(&WatchReply { changed })?;
        let message = self.reply(watching.request, answer, None, &cert, now)?;
        Ok(Outgoing::of_nothing(message, cert))
    }
}

/// Watches that could be played again.
#[derive(Default)]
pub(crate) struct Watches(Mutex<HashMap<Fingerprint, VecDeque<Earlier>>>);

struct Earlier {
    id: MessageId,
    digest: Digest,
    at: Timestamp,
}

impl Watches {
    /// Whether this one was taken before, and remembers it.
    ///
    /// # Errors
    /// [`Reason::TooManyWatches`]: an honest host sends one each time it was answered.
    fn see(
        &self,
        instance: &Fingerprint,
        id: MessageId,
        digest: Digest,
        now: Timestamp,
    ) -> Result<Seen, Reason> {
        let mut watches = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = watches.entry(instance.clone()).or_default();
        // By whichever way the clock went.
        taken.retain(|earlier| now.seconds_since(earlier.at).abs() <= REACH);
        if let Some(same) = taken.iter().find(|earlier| earlier.id == id) {
            return Ok(if same.digest == digest { Seen::SameBytes } else { Seen::OtherBytes });
        }
        if taken.len() >= limits::WATCHES_REMEMBERED {
            return Err(Reason::TooManyWatches);
        }
        taken.push_back(Earlier { id, digest, at: now });
        Ok(Seen::Never)
    }
}

#[cfg(test)]
mod tests {
    use countersign_protocol::random::SystemRandom;

    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(1_795_000_000);

    fn host(last: char) -> Fingerprint {
        format!("0123456789ABCDEF0123456789ABCDEF0123456{last}").parse().unwrap()
    }

    #[test]
    fn a_watch_is_new_once_for_as_long_as_it_could_be_played_again() {
        let watches = Watches::default();
        let id = MessageId::new(&SystemRandom).unwrap();
        let see = |bytes: &[u8], now| watches.see(&host('A'), id, Digest::of(bytes), now).unwrap();
        assert_eq!(see(b"x", NOW), Seen::Never);
        assert_eq!(see(b"x", NOW.plus(REACH)), Seen::SameBytes);
        assert_eq!(see(b"y", NOW.plus(1)), Seen::OtherBytes);
        // By then its time is too far off for any envelope.
        assert_eq!(see(b"x", NOW.plus(REACH + 1)), Seen::Never);
        assert_eq!(watches.see(&host('B'), id, Digest::of(b"x"), NOW).unwrap(), Seen::Never);
    }

    #[test]
    fn one_host_takes_only_so_much_memory() {
        let watches = Watches::default();
        let fresh = |last, now| {
            watches.see(&host(last), MessageId::new(&SystemRandom).unwrap(), Digest::of(b"x"), now)
        };
        for _ in 0..limits::WATCHES_REMEMBERED {
            assert_eq!(fresh('A', NOW).unwrap(), Seen::Never);
        }
        assert_eq!(fresh('A', NOW).unwrap_err(), Reason::TooManyWatches);
        assert_eq!(fresh('B', NOW).unwrap(), Seen::Never);
        assert_eq!(fresh('A', NOW.plus(REACH + 1)).unwrap(), Seen::Never);
    }
}
