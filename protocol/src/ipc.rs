//! PAM module and command line ⇄ agent, over a Unix socket. Byte pictures: `docs/protocol-ipc.md`.
//!
//! A client sends one [`Request`]; then the agent speaks until it has decided: notes to show, prompts to
//! answer, and one last [`Reply`]. What the client must not forget or invent it does not know: prompts, their
//! order and their number are the agent's.

mod card;
mod client;
mod flat;
mod frame;
mod journal;
mod login;
mod one_time_code;
mod recovery;
mod reply;
mod request;
mod session;
mod ssh_keys;
mod status;

pub use card::{
    CardChange, CardChangePin, CardChanged, CardCheck, CardChecked, CardDetails, CardFactoryReset,
    CardFinding, CardGenerate, CardInit, CardKey, CardMade, CardPin, CardSetTouch, CardShow, CardSlot,
    CardTries, CardUnblock, TouchPolicy, UnblockWith,
};
pub use client::{Client, ClientError, Conversation};
pub use frame::{Frame, FrameError, FrameKind, read_frame, write_frame};
pub use journal::{JournalAsk, JournalChecked, JournalEntry, JournalPage, ReportState};
pub use login::{LoginReply, LoginRequest};
pub use one_time_code::OneTimeCode;
pub use recovery::{KeyRevoked, Recover, Recovered, RecoveryWaits, RevokeKey};
pub use reply::{
    CardReport, Denial, DenyReason, Enrolled, Grant, JobDone, JobStood, NoteKind, Problem, ProblemKind,
    Prompt, PromptKind, Registered, Reply,
};
pub use request::{
    Account, Answer, Authenticate, Enroll, EnrollKeyStore, Job, JobBody, JobResultAsk, Register, RegisterKey,
    ReplaceHost, Request, RotateKey,
};
pub use session::{Noted, PinChange, SessionClosed, SessionOpened};
pub use ssh_keys::{SshKey, SshKeys, SshKeysFound, SshPublicKey};
pub use status::{
    CardsReport, JournalReport, ReportCounts, RosterLogin, RosterReport, RosterUse, ServerReport,
    StatusReport, TurnReport, UnsettledReport,
};

/// Where root's programs reach the agent (mode 0600).
pub const PAM_SOCKET: &str = "/run/countersign/pam.sock";

/// Where everybody reaches the agent for themselves (mode 0666).
pub const USER_SOCKET: &str = "/run/countersign/user.sock";
