//! What a client may ask, and what it may say while the agent asks back.

use serde::{Deserialize, Serialize};

use super::card::{
    CardChangePin, CardCheck, CardFactoryReset, CardGenerate, CardInit, CardSetTouch, CardShow, CardUnblock,
};
use super::{JournalAsk, OneTimeCode, PinChange, Recover, RevokeKey, SessionClosed, SessionOpened, SshKeys};
use crate::binary::Binary;
use crate::ids::{
    AccountName, CardIdent, CorrelationId, Fingerprint, LoginName, Nonce, Operation, ResourceName,
    ServiceName,
};
use crate::message::RegistrationMethod;
use crate::message::result::ApplicationBundle;

/// The first frame of a connection.
#[derive(Serialize, Deserialize)]
#[serde(tag = "request", rename_all = "kebab-case", from = "StrictRequest")]
pub enum Request {
    /// `pam_sm_authenticate`, or a program testing the same path.
    Authenticate(Authenticate),
    /// `pam_sm_acct_mgmt` without our own authentication before it: may this login be used at all?
    Account(Account),
    /// `pam_sm_open_session`
    SessionOpened(SessionOpened),
    /// `pam_sm_close_session`
    SessionClosed(SessionClosed),
    /// `pam_sm_chauthtok`, its preliminary check: can the PIN of this login's card be changed here and now?
    PinCheck(PinChange),
    /// `pam_sm_chauthtok`
    PinChange(PinChange),
    /// How things stand.
    Status,
    /// What happened here.
    Journal(JournalAsk),
    /// Is the journal whole?
    CheckJournal,
    /// Which cards are in which readers.
    CardList,
    /// Everything about one card.
    CardShow(CardShow),
    /// Make a new card ready.
    CardInit(CardInit),
    /// Make new keys on a card.
    CardGenerate(CardGenerate),
    /// Change a PIN of a card.
    CardChangePin(CardChangePin),
    /// Set a new PIN on a card that was blocked.
    CardUnblock(CardUnblock),
    /// Set when a card's keys want a touch.
    CardSetTouch(CardSetTouch),
    /// Ask whether a certificate fits a card.
    CardCheck(CardCheck),
    /// Erase a card.
    CardFactoryReset(CardFactoryReset),
    /// Make this host an instance of a server.
    Enroll(Enroll),
    /// Give this host another key, with its old one.
    RotateKey(RotateKey),
    /// Give this host another key: its old one is lost.
    ReplaceHost(ReplaceHost),
    /// Take the server's ledger as it is now: it is not the one that this host knew.
    AcceptLedger,
    /// Make a card the key of an account.
    Register(Register),
    /// Complete a recovery, or see how it stands.
    Recover(Recover),
    /// End a key by its own revocation certificate.
    RevokeKey(RevokeKey),
    /// The lines that open a login name through SSH.
    SshKeys(SshKeys),
    /// Sign a request with a person's card and bring back the server's answer.
    Job(Job),
    /// Bring back what came of a request of before, which was accepted.
    JobResult(JobResultAsk),
}

/// A login.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Authenticate {
    /// Who wants in (`PAM_USER`).
    pub login: LoginName,
    /// Through which PAM service.
    pub service: ServiceName,
    /// `PAM_TTY`, as the program says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tty: Option<String>,
    /// `PAM_RHOST`, as the program says. Anything here makes the caller remote.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remote_host: Option<String>,
    /// `PAM_RUSER`, as the program says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remote_user: Option<String>,
    /// Comes back in the grant: a grant for another request is not one for this.
    pub nonce: Nonce,
}

/// An account check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Account {
    /// Whose account (`PAM_USER`).
    pub login: LoginName,
    /// Through which PAM service.
    pub service: ServiceName,
    /// Comes back in the grant.
    pub nonce: Nonce,
}

/// Everything a host needs to become an instance.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Enroll {
    /// The application's key, the server's certificate and address.
    pub bundle: ApplicationBundle,
    /// The server's fingerprint, as the administrator read it from `init` and not from the bundle.
    pub server: Fingerprint,
    /// Another address than the bundle's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// A single-use enrolment token; without one an administrator must approve.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// Where the instance's key shall live.
    pub key_store: EnrollKeyStore,
}

/// A new key for a host that has its old one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RotateKey {
    /// Where the new key shall live.
    pub key_store: EnrollKeyStore,
}

/// A new key for a host that lost its old one. Its server and its settings stay.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReplaceHost {
    /// In place of the one that was kept at the enrolment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bundle: Option<ApplicationBundle>,
    /// A single-use enrolment token; without one an administrator must approve.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// Where the new key shall live.
    pub key_store: EnrollKeyStore,
}

/// Where the instance's key shall live.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum EnrollKeyStore {
    /// On this card, whose keys are replaced.
    Card(CardIdent),
    /// In a sealed file.
    Sealed,
}

/// A person's card becomes the key of an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Register {
    /// The account: made by an administrator, or to be made.
    pub account: AccountName,
    /// Which card, where more than one is in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub card: Option<CardIdent>,
    /// New keys or the card's own.
    pub key: RegisterKey,
    /// The code, if it is known already. Otherwise the person is asked for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<OneTimeCode>,
    /// Without an administrator, for an account that is made by it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<RegistrationMethod>,
}

/// Which key is registered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum RegisterKey {
    /// Generate keys on the card and replace both factory PINs. Refused if the card holds keys already.
    Generate {
        /// `curve25519`, `nist-p256`, `nist-p384`, `rsa2048`, `rsa3072`, `rsa4096`.
        algorithm: String,
    },
    /// Keep the card's keys; this is their certificate (OpenPGP, binary or armoured).
    Adopt {
        /// The certificate.
        certificate: Binary,
    },
}

/// A request for the server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Job {
    /// What to do.
    pub operation: Operation,
    /// To what.
    pub resource: ResourceName,
    /// With what.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<JobBody>,
    /// Which card, where more than one is in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub card: Option<CardIdent>,
    /// Only to be tried: nothing is changed by it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub dry_run: bool,
    /// For an approval: the statement that waits for it. Its digest is what the card signs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approves: Option<Binary>,
}

/// What came of a request that was accepted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JobResultAsk {
    /// What its person was told to quote. Only who asked for it here is served, and root.
    pub correlation: CorrelationId,
}

/// JSON text of the body that a job's operation takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum JobBody {
    /// In this frame: at most [`limits::IN_A_FRAME`](crate::limits::IN_A_FRAME) bytes or so.
    Here(Binary),
    /// So many bytes, at most [`limits::JOB_BODY`](crate::limits::JOB_BODY), beside the frames: the agent lends memory for
    /// them before it says anything else, with a frame of [`super::FrameKind::Body`].
    Beside(u64),
}

/// What a client answers to a prompt. A hidden prompt is answered by a frame of its own kind,
/// [`super::FrameKind::Secret`], and never by this.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "kebab-case", from = "StrictAnswer")]
pub enum Answer {
    /// To a shown prompt.
    Text {
        /// As typed.
        text: String,
    },
    /// The person gave up.
    Cancel,
}

/// [`Request`] as it is read. serde overlooks unknown fields beside a tag that stands alone; in an empty struct
/// it does not.
#[derive(Deserialize)]
#[serde(tag = "request", rename_all = "kebab-case", deny_unknown_fields)]
enum StrictRequest {
    Authenticate(Authenticate),
    Account(Account),
    SessionOpened(SessionOpened),
    SessionClosed(SessionClosed),
    PinCheck(PinChange),
    PinChange(PinChange),
    Status {},
    Journal(JournalAsk),
    CheckJournal {},
    CardList {},
    CardShow(CardShow),
    CardInit(CardInit),
    CardGenerate(CardGenerate),
    CardChangePin(CardChangePin),
    CardUnblock(CardUnblock),
    CardSetTouch(CardSetTouch),
    CardCheck(CardCheck),
    CardFactoryReset(CardFactoryReset),
    Enroll(Enroll),
    RotateKey(RotateKey),
    ReplaceHost(ReplaceHost),
    AcceptLedger {},
    Register(Register),
    Recover(Recover),
    RevokeKey(RevokeKey),
    SshKeys(SshKeys),
    Job(Job),
    JobResult(JobResultAsk),
}

impl From<StrictRequest> for Request {
    fn from(request: StrictRequest) -> Self {
        match request {
            StrictRequest::Authenticate(ask) => Self::Authenticate(ask),
            StrictRequest::Account(ask) => Self::Account(ask),
            StrictRequest::SessionOpened(ask) => Self::SessionOpened(ask),
            StrictRequest::SessionClosed(ask) => Self::SessionClosed(ask),
            StrictRequest::PinCheck(ask) => Self::PinCheck(ask),
            StrictRequest::PinChange(ask) => Self::PinChange(ask),
            StrictRequest::Status {} => Self::Status,
            StrictRequest::Journal(ask) => Self::Journal(ask),
            StrictRequest::CheckJournal {} => Self::CheckJournal,
            StrictRequest::CardList {} => Self::CardList,
            StrictRequest::CardShow(ask) => Self::CardShow(ask),
            StrictRequest::CardInit(ask) => Self::CardInit(ask),
            StrictRequest::CardGenerate(ask) => Self::CardGenerate(ask),
            StrictRequest::CardChangePin(ask) => Self::CardChangePin(ask),
            StrictRequest::CardUnblock(ask) => Self::CardUnblock(ask),
            StrictRequest::CardSetTouch(ask) => Self::CardSetTouch(ask),
            StrictRequest::CardCheck(ask) => Self::CardCheck(ask),
            StrictRequest::CardFactoryReset(ask) => Self::CardFactoryReset(ask),
            StrictRequest::Enroll(ask) => Self::Enroll(ask),
            StrictRequest::RotateKey(ask) => Self::RotateKey(ask),
            StrictRequest::ReplaceHost(ask) => Self::ReplaceHost(ask),
            StrictRequest::AcceptLedger {} => Self::AcceptLedger,
            StrictRequest::Register(ask) => Self::Register(ask),
            StrictRequest::Recover(ask) => Self::Recover(ask),
            StrictRequest::RevokeKey(ask) => Self::RevokeKey(ask),
            StrictRequest::SshKeys(ask) => Self::SshKeys(ask),
            StrictRequest::Job(ask) => Self::Job(ask),
            StrictRequest::JobResult(ask) => Self::JobResult(ask),
        }
    }
}

/// [`Answer`] as it is read, for the same reason.
#[derive(Deserialize)]
#[serde(tag = "answer", rename_all = "kebab-case", deny_unknown_fields)]
enum StrictAnswer {
    Text { text: String },
    Cancel {},
}

impl From<StrictAnswer> for Answer {
    fn from(answer: StrictAnswer) -> Self {
        match answer {
            StrictAnswer::Text { text } => Self::Text { text },
            StrictAnswer::Cancel {} => Self::Cancel,
        }
    }
}
