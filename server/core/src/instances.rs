//! Enrolled hosts.

use countersign_protocol::clock::Timestamp;
use countersign_protocol::ids::{ApplicationName, Fingerprint, VersionName};
use countersign_protocol::message::{InstanceState, KeyStore as KeyPlace};

use crate::policy::InstanceFacts;
use crate::refusal::Reason;
use crate::store::StoreError;

/// One host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instance {
    /// Its name for ever: the primary fingerprint it enrolled with.
    pub fingerprint: Fingerprint,
    /// The application it is a copy of.
    pub application: ApplicationName,
    /// Its certificate now, binary: the primary key and the announced session subkeys.
    pub certificate: Vec<u8>,
    /// The one component key whose envelopes are taken now (W26). None until one was announced.
    pub signing_key: Option<Fingerprint>,
    /// Of the second host that was seen with this key: good for logins, as the first one's.
    pub second_key: Option<Fingerprint>,
    /// The certificate that brought it, binary, without the first one's session subkeys.
    pub second_certificate: Option<Vec<u8>>,
    /// What an administrator reads off the host's screen.
    pub key_words: String,
    /// What it calls itself; shown, never trusted.
    pub claimed_hostname: String,
    /// Where its primary key lives.
    pub key_place: KeyPlace,
    /// May it work?
    pub state: InstanceState,
    /// The counter of its last check-in, key update or rotation (W25).
    pub counter: u64,
    /// When that was. None of one that said nothing yet.
    pub counted: Option<Counted>,
    /// When two hosts were seen with this key: no other key, no administration and nothing without the server from
    /// here since then.
    pub forked: Option<Timestamp>,
    /// Since when it is in this state.
    pub since: Timestamp,
    /// When it was enrolled.
    pub enrolled: Timestamp,
    /// When it last checked in.
    pub seen: Option<Timestamp>,
    /// The instance that took its place.
    pub successor: Option<Fingerprint>,
    /// The version of its application that it says it runs; shown, never trusted.
    pub version: Option<VersionName>,
}

/// When the last message came whose counter was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counted {
    /// The latest time that any of them says it was made.
    pub made: Timestamp,
    /// When the last one came, by our clock.
    pub at: Timestamp,
}

/// What a counter says about who speaks (W25).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Counting {
    /// The next word of the one host there is.
    Next,
    /// A word that was overtaken by a later one: kept back on the way, or sent again by a network that was cut. No
    /// counter is used for two messages, so its sender tried again long ago.
    Late,
    /// The same by the times they say, but made after the later one came, by our clock. The host's clock goes ahead of
    /// ours, or a copy dates its words ahead so that those of the true host look late.
    LateByItsClock,
    /// Made after a greater counter was used: somebody else counts, too.
    Again,
}

impl Instance {
    /// What a message of this counter, which says it was made at that time, is to be taken for.
    ///
    /// A copy may date its words back, as far as a message's time may be off: then all it gets is refusals, its words
    /// change nothing, and after two minutes it cannot any more.
    pub fn counting(&self, counter: u64, made: Timestamp, now: Timestamp) -> Counting {
        if counter > self.counter {
            return Counting::Next;
        }
        // No host gives a message up within the second in which it made it: what comes at once was not overtaken. Two
        // hosts with one key wake each other, and would speak in the same second for ever. A host's clock may be a
        // second ahead by rounding.
        let came_at_once = (0..=1).contains(&made.seconds_since(now));
        match self.counted {
            _ if came_at_once => Counting::Again,
            Some(last) if made <= last.made && made <= last.at => Counting::Late,
            Some(last) if made <= last.made => Counting::LateByItsClock,
            _ => Counting::Again,
        }
    }

    /// What to keep of a message that is counted now.
    #[must_use]
    pub fn counted_now(&self, made: Timestamp, now: Timestamp) -> Counted {
        Counted { made: self.counted.map_or(made, |last| last.made.max(made)), at: now }
    }

    /// What policies see of it.
    #[must_use]
    pub const fn facts(&self) -> InstanceFacts<'_> {
        InstanceFacts { fingerprint: &self.fingerprint, application: &self.application, state: self.state }
    }

    /// Whether envelopes signed by `key` are this instance's now.
    #[must_use]
    pub fn signs_with(&self, key: &Fingerprint) -> bool {
        self.signing_key.as_ref() == Some(key) || self.second_key.as_ref() == Some(key)
    }

    /// An administrator compared the key words, or a token vouched for it.
    ///
    /// # Errors
    /// It is not waiting.
    pub fn approve(self) -> Result<Self, Reason> {
        match self.state {
            InstanceState::Pending => Ok(Self { state: InstanceState::Active, ..self }),
            InstanceState::Active | InstanceState::Suspended | InstanceState::Revoked => {
                Err(Reason::InstanceNotPending)
            }
        }
    }
}

/// The session keys of two hosts that were seen with one key.
#[derive(Debug, Clone, Copy)]
pub struct BothKeys<'a> {
    /// Holds both, binary.
    pub certificate: &'a [u8],
    /// The one that was announced before.
    pub first: Option<&'a Fingerprint>,
    /// The newer one.
    pub second: &'a Fingerprint,
    /// Holds that one alone, binary.
    pub second_certificate: &'a [u8],
}

/// Looking instances up.
pub trait InstanceRead {
    /// The instance whose place this one took.
    ///
    /// # Errors
    /// [`StoreError`].
    fn predecessor(&self, fingerprint: &Fingerprint) -> Result<Option<Instance>, StoreError>;

    /// The instance of this primary fingerprint.
    ///
    /// # Errors
    /// [`StoreError`].
    fn instance(&self, fingerprint: &Fingerprint) -> Result<Option<Instance>, StoreError>;

    /// This name and the last ones that the host had before its key was rotated.
    ///
    /// # Errors
    /// [`StoreError`].
    fn names(&self, fingerprint: &Fingerprint) -> Result<Vec<Fingerprint>, StoreError> {
        let mut names = vec![fingerprint.clone()];
        while names.len() < NAMES
            && let Some(newest) = names.last()
            && let Some(before) = self.predecessor(newest)?
        {
            names.push(before.fingerprint);
        }
        Ok(names)
    }
}

/// Most names looked at: a host settles what it sent under one before it takes the next.
const NAMES: usize = 17;

/// Instances in a store.
pub trait InstanceStore: InstanceRead {
    /// Instances that wait and show these key words.
    ///
    /// # Errors
    /// [`StoreError`].
    fn pending_instances(&self, key_words: &str) -> Result<Vec<Instance>, StoreError>;

    /// Adds an instance, if its fingerprint was never enrolled.
    ///
    /// # Errors
    /// [`StoreError`].
    fn add_instance(&self, instance: &Instance, at: Timestamp) -> Result<bool, StoreError>;

    /// From one state to another, if it is in the first. A bar that ends with it is remembered.
    ///
    /// # Errors
    /// [`StoreError`].
    fn move_instance(
        &self,
        fingerprint: &Fingerprint,
        from: InstanceState,
        to: InstanceState,
        at: Timestamp,
    ) -> Result<bool, StoreError>;

    /// Puts a new certificate and session key in force, if the instance may still have one and `counter` is
    /// greater than the last one.
    ///
    /// # Errors
    /// [`StoreError`].
    fn announce_keys(
        &self,
        fingerprint: &Fingerprint,
        certificate: &[u8],
        signing_key: &Fingerprint,
        counter: u64,
        counted: Counted,
    ) -> Result<bool, StoreError>;

    /// Lets the session keys of two hosts stand beside each other, if the instance may still have any, and marks it as
    /// seen twice, if it was not.
    ///
    /// # Errors
    /// [`StoreError`].
    fn hold_both_keys(
        &self,
        fingerprint: &Fingerprint,
        both: &BothKeys<'_>,
        at: Timestamp,
    ) -> Result<bool, StoreError>;

    /// Retires an instance for the new key `successor`, if it is active, was seen once only, and `counter` is greater
    /// than the last one.
    ///
    /// # Errors
    /// [`StoreError`].
    fn retire_instance(
        &self,
        fingerprint: &Fingerprint,
        successor: &Fingerprint,
        counter: u64,
        at: Timestamp,
    ) -> Result<bool, StoreError>;

    /// Counts a check-in, if `counter` is greater than the last one.
    ///
    /// # Errors
    /// [`StoreError`].
    fn count_check_in(
        &self,
        fingerprint: &Fingerprint,
        counter: u64,
        counted: Counted,
    ) -> Result<bool, StoreError>;

    /// Remembers the version that an instance says it runs.
    ///
    /// # Errors
    /// [`StoreError`].
    fn note_version(
        &self,
        fingerprint: &Fingerprint,
        version: Option<&VersionName>,
    ) -> Result<(), StoreError>;

    /// Marks an instance as seen twice, if it was not.
    ///
    /// # Errors
    /// [`StoreError`].
    fn mark_forked(&self, fingerprint: &Fingerprint, at: Timestamp) -> Result<bool, StoreError>;

    /// Takes that mark away, if it is there. The next check-in counts from wherever the host is, and whoever still
    /// speaks for it must announce session keys anew.
    ///
    /// # Errors
    /// [`StoreError`].
    fn lift_fork(&self, fingerprint: &Fingerprint) -> Result<bool, StoreError>;

    /// Up to `most` instances after this fingerprint, by fingerprint.
    ///
    /// # Errors
    /// [`StoreError`].
    fn instances_after(&self, after: &str, most: u64) -> Result<Vec<Instance>, StoreError>;

    /// Revokes instances of `application` that have waited since before `since`, and counts those that still wait.
    ///
    /// # Errors
    /// [`StoreError`].
    fn expire_pending(
        &self,
        application: &ApplicationName,
        since: Timestamp,
        now: Timestamp,
    ) -> Result<u64, StoreError>;
}

#[cfg(test)]
mod tests;
