//! What travels inside an envelope: one small JSON object with a typed body.
//!
//! | message | from → to | signed by | answered by |
//! |---|---|---|---|
//! | [`Hello`] | new host → server | application | [`HelloReply`] |
//! | [`InstanceKey`] | new host → server | application **and** new instance key | [`EnrolmentRecord`] |
//! | [`CheckIn`] | instance → server | session subkey | [`CheckInReply`] |
//! | [`KeyUpdate`] | instance → server | instance primary key | [`KeyUpdateReply`] |
//! | [`RotationRequest`] | instance → server | session subkey | [`RotationReply`] |
//! | [`RotationKey`] | instance → server | old **and** new primary key | [`RotationRecord`] |
//! | [`RegistrationRequest`] | instance → server | session subkey | [`RegistrationReply`] |
//! | [`RegistrationCode`] | instance → server | session subkey | [`RegistrationCodeReply`] |
//! | [`UserKey`] | instance → server | session subkey (and the card, inside) | [`RegistrationRecord`] |
//! | [`JobRequest`] | instance → server | session subkey (and the card, inside) | [`JobReply`] |
//! | [`JobOutcome`] | instance → server | session subkey | [`JobOutcomeReply`] |
//! | [`JobResultRequest`] | instance → server | session subkey | [`JobResultReply`] |
//! | [`ResultAck`] | instance → server | session subkey | [`ResultAckReply`] |
//! | [`HostEvent`] | instance → server | session subkey | [`HostEventReply`] |
//! | [`Watch`] | instance → server | session subkey | [`WatchReply`], when there is something to tell |
//! | [`OfflineUse`] | instance → server | session subkey (and the card, inside) | [`OfflineUseReply`] |
//! | [`EmergencyUse`] | instance → server | session subkey (and the code, inside) | [`JobReply`] |
//! | [`OfflineEmergency`] | instance → server | session subkey | [`OfflineUseReply`] |
//! | [`RecoveryStep`] | instance → server | session subkey (and the new card, inside) | [`RecoveryStepReply`] |
//! | [`Revocation`] | instance → server | session subkey (and the ending key, inside) | [`RevocationReply`] |
//! | [`Refusal`] | server → whoever asked | server; not encrypted | – |

mod distinct;
mod emergency;
mod enrolment;
mod host_event;
mod job;
mod job_outcome;
mod job_result;
mod key_update;
mod offline_use;
mod recovery;
mod refusal;
mod registration;
mod revocation;
mod rotation;
mod watch;

pub use emergency::{EmergencyUse, OfflineEmergency};
pub use enrolment::{
    CheckIn, CheckInReply, EnrolmentRecord, Hello, HelloReply, InstanceKey, InstanceState, KeyStore,
};
pub use host_event::{HostEvent, HostEventKind, HostEventReply};
pub use job::{Decision, JobReply, JobRequest, Receipt, Waiting, result};
pub use job_outcome::{JobOutcome, JobOutcomeReply};
pub use job_result::{JobAccepted, JobResultReply, JobResultRequest, JobStanding, ResultAck, ResultAckReply};
pub use key_update::{KeyUpdate, KeyUpdateReply};
pub use offline_use::{OfflineUse, OfflineUseReply, OfflineVerdict};
pub use recovery::{RecoveryBegun, RecoveryStanding, RecoveryStep, RecoveryStepReply};
pub use refusal::Refusal;
pub use registration::{
    RegistrationCode, RegistrationCodeReply, RegistrationMethod, RegistrationRecord, RegistrationReply,
    RegistrationRequest, Unavailable, UserKey,
};
pub use revocation::{Revocation, RevocationReply};
pub use rotation::{RotationKey, RotationRecord, RotationReply, RotationRequest};
pub use watch::{Watch, WatchReply};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::ids::{Digest, Fingerprint, MessageId};

/// The literal data of an envelope.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Message {
    /// Always 1.
    pub v: Version,
    /// Which body this is.
    #[serde(rename = "type")]
    pub kind: MessageKind,
    /// Names this message for ever. Sent again with the same bytes, it gets the same reply.
    pub id: MessageId,
    /// When it was made, in the server's time as far as the sender knows it.
    pub time: Timestamp,
    /// The primary fingerprint of the one certificate this is meant for.
    pub audience: Fingerprint,
    /// In a handshake: the hash chain over all messages before this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transcript: Option<Digest>,
    /// In a reply: what it answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_reply_to: Option<InReplyTo>,
    /// The body, of the shape that `type` names.
    #[serde(deserialize_with = "distinct::value")]
    pub body: serde_json::Value,
}

/// The request that a reply answers, and no other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InReplyTo {
    /// The request's id.
    pub id: MessageId,
    /// SHA-256 of the request's literal data: what its sender signed.
    pub digest: Digest,
}

/// The envelope version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Version;

impl Serialize for Version {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u8(1)
    }
}

impl<'de> Deserialize<'de> for Version {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match u8::deserialize(deserializer)? {
            1 => Ok(Self),
            other => Err(serde::de::Error::custom(format!("version {other}; this program speaks version 1"))),
        }
    }
}

/// The names of all messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "each is the body type of the same name")]
pub enum MessageKind {
    Hello,
    HelloReply,
    InstanceKey,
    EnrolmentRecord,
    InstanceCheckIn,
    CheckInReply,
    KeyUpdate,
    KeyUpdateReply,
    RotationRequest,
    RotationReply,
    RotationKey,
    RotationRecord,
    RegistrationRequest,
    RegistrationReply,
    RegistrationCode,
    RegistrationCodeReply,
    UserKey,
    RegistrationRecord,
    JobRequest,
    JobReply,
    JobOutcome,
    JobOutcomeReply,
    JobResultRequest,
    JobResultReply,
    ResultAck,
    ResultAckReply,
    HostEvent,
    HostEventReply,
    Watch,
    WatchReply,
    OfflineUse,
    OfflineUseReply,
    EmergencyUse,
    OfflineEmergency,
    RecoveryStep,
    RecoveryStepReply,
    Revocation,
    RevocationReply,
    Refusal,
}

/// A body knows which message it belongs to.
pub trait Body: Serialize + DeserializeOwned {
    /// The name in the message's `type`.
    const KIND: MessageKind;
}

macro_rules! bodies {
    ($($body:ty => $kind:ident),+ $(,)?) => {
        $(impl Body for $body { const KIND: MessageKind = MessageKind::$kind; })+
    };
}

bodies!(
    Hello => Hello,
    HelloReply => HelloReply,
    InstanceKey => InstanceKey,
    EnrolmentRecord => EnrolmentRecord,
    CheckIn => InstanceCheckIn,
    CheckInReply => CheckInReply,
    KeyUpdate => KeyUpdate,
    KeyUpdateReply => KeyUpdateReply,
    RotationRequest => RotationRequest,
    RotationReply => RotationReply,
    RotationKey => RotationKey,
    RotationRecord => RotationRecord,
    RegistrationRequest => RegistrationRequest,
    RegistrationReply => RegistrationReply,
    RegistrationCode => RegistrationCode,
    RegistrationCodeReply => RegistrationCodeReply,
    UserKey => UserKey,
    RegistrationRecord => RegistrationRecord,
    JobRequest => JobRequest,
    JobReply => JobReply,
    JobOutcome => JobOutcome,
    JobOutcomeReply => JobOutcomeReply,
    JobResultRequest => JobResultRequest,
    JobResultReply => JobResultReply,
    ResultAck => ResultAck,
    ResultAckReply => ResultAckReply,
    HostEvent => HostEvent,
    HostEventReply => HostEventReply,
    Watch => Watch,
    WatchReply => WatchReply,
    OfflineUse => OfflineUse,
    OfflineUseReply => OfflineUseReply,
    EmergencyUse => EmergencyUse,
    OfflineEmergency => OfflineEmergency,
    RecoveryStep => RecoveryStep,
    RecoveryStepReply => RecoveryStepReply,
    Revocation => Revocation,
    RevocationReply => RevocationReply,
    Refusal => Refusal,
);

/// A message is not what its receiver was ready for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MessageError {
    /// Not the JSON of a message.
    #[error("not a message: {0}")]
    Malformed(String),
    /// Another type than expected.
    #[error("expected a {expected:?} message, got {got:?}")]
    WrongKind {
        /// What the receiver waits for.
        expected: MessageKind,
        /// What came.
        got: MessageKind,
    },
}

impl Message {
    /// A message with `body`.
    ///
    /// # Errors
    /// The body cannot be written as JSON.
    pub fn new<B: Body>(
        id: MessageId,
        time: Timestamp,
        audience: Fingerprint,
        body: &B,
    ) -> Result<Self, MessageError> {
        let body = serde_json::to_value(body).map_err(|error| MessageError::Malformed(error.to_string()))?;
        Ok(Self { v: Version, kind: B::KIND, id, time, audience, transcript: None, in_reply_to: None, body })
    }

    /// The same with its place in a handshake.
    #[must_use]
    pub fn with_transcript(mut self, transcript: Digest) -> Self {
        self.transcript = Some(transcript);
        self
    }

    /// The same as an answer.
    #[must_use]
    pub fn answering(mut self, request: InReplyTo) -> Self {
        self.in_reply_to = Some(request);
        self
    }

    /// The typed body.
    ///
    /// # Errors
    /// [`MessageError`] if this is another message, or its body has another shape.
    pub fn body<B: Body>(&self) -> Result<B, MessageError> {
        if self.kind != B::KIND {
            return Err(MessageError::WrongKind { expected: B::KIND, got: self.kind });
        }
        // The library would take a list of the values of all fields as well.
        if self.body.is_array() {
            return Err(MessageError::Malformed("the body is a list".into()));
        }
        B::deserialize(&self.body).map_err(|error| MessageError::Malformed(error.to_string()))
    }

    /// The literal bytes.
    ///
    /// # Errors
    /// The message cannot be written as JSON.
    pub fn to_bytes(&self) -> Result<Vec<u8>, MessageError> {
        serde_json::to_vec(self).map_err(|error| MessageError::Malformed(error.to_string()))
    }

    /// Reads literal bytes.
    ///
    /// # Errors
    /// [`MessageError::Malformed`], also for anything left over.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, MessageError> {
        // The library would take a list of the values of all fields as well.
        if bytes.first() != Some(&b'{') {
            return Err(MessageError::Malformed("not an object".into()));
        }
        serde_json::from_slice(bytes).map_err(|error| MessageError::Malformed(error.to_string()))
    }
}

/// The hash chain over a handshake (W2, W3, W6, W11): each step carries the digest of all before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Transcript(Digest);

impl Transcript {
    /// An empty chain for one kind of handshake, so that one cannot pass for another.
    #[must_use]
    pub fn start(handshake: &str) -> Self {
        Self(Digest::of(format!("countersign transcript 1 {handshake}").as_bytes()))
    }

    /// The chain of the enrolment of an instance.
    #[must_use]
    pub fn enrolment() -> Self {
        Self::start("enrolment")
    }

    /// The chain of a change of an instance's key.
    #[must_use]
    pub fn rotation() -> Self {
        Self::start("rotation")
    }

    /// The chain of the registration of a user's key.
    #[must_use]
    pub fn registration() -> Self {
        Self::start("registration")
    }

    /// The chain after one more message, given as its literal bytes.
    #[must_use]
    pub fn then(self, literal: &[u8]) -> Self {
        let mut bytes = self.0.as_bytes().to_vec();
        bytes.extend_from_slice(Digest::of(literal).as_bytes());
        Self(Digest::of(&bytes))
    }

    /// The chain taken up again from a stored digest.
    #[must_use]
    pub const fn resume(digest: Digest) -> Self {
        Self(digest)
    }

    /// The digest that the next message carries.
    #[must_use]
    pub const fn digest(self) -> Digest {
        self.0
    }
}
