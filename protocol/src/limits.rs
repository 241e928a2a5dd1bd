//! Every ceiling, and why it is that number.

use std::time::Duration;

use crate::contact::Channel;

/// Largest body of an IPC frame. A prompt, a status report or a bundle of one application fit many
/// times; a peer can make us hold no more than this per connection.
pub const FRAME_BODY: usize = 64 * 1024;

/// Most bytes that go as base64 inside a frame, with something to spare for the rest of it.
pub const IN_A_FRAME: usize = FRAME_BODY / 4 * 3 - 4096;

/// Largest body that crosses the Unix socket beside the frames, as a sealed memfd: a job's, or one page of a ledger export.
pub const IPC_BODY: usize = 1024 * 1024;

/// Largest body of a job: a document of some size. In base64 it fits an envelope, with the statement beside it.
pub const JOB_BODY: usize = 1024 * 1024;

/// Bodies beside the frames that the agent holds for one user at once: of as many requests as may wait for a card.
pub const BODIES_PER_UID: usize = TURNS_OF_ONE_PARTY;

/// Bodies beside the frames that the agent holds at once, in memory that is never swapped: 16 MiB, and some times a body's
/// size for each that is just being sealed and sent.
pub const BODIES: usize = 16;

/// Largest envelope on the wire: a body of [`IPC_BODY`] in base64 inside JSON, and room for the OpenPGP layers.
pub const ENVELOPE: usize = 2 * 1024 * 1024;

/// Largest document, in bytes: with what is told of it beside, it is a result that can be sealed to a card.
pub const DOCUMENT: usize = JOB_BODY - 4 * 1024;

/// Most levels of a document, so that with what is around it any reader of JSON takes it.
pub const DOCUMENT_DEPTH: usize = 100;

/// Largest result of a job that is sealed to somebody's card: opened, it crosses the Unix socket to whoever asked for it.
pub const RESULT_FOR_CARD: usize = IPC_BODY;

/// The same once it is sealed: its session key takes half a KiB of RSA-4096. In base64 it fits an envelope.
pub const SEALED_FOR_CARD: usize = RESULT_FOR_CARD + 4 * 1024;

/// Largest certificate accepted: RSA-4096 with a dozen subkeys is about 12 KiB.
pub const CERTIFICATE: usize = 64 * 1024;

/// Most subkeys of a certificate. Session subkeys are renewed, not heaped up.
pub const SUBKEYS: usize = 16;

/// Most session-key packets of an envelope: one receiver, and one to spare for a key being replaced.
pub const SESSION_KEY_PACKETS: usize = 2;

/// Least bytes inside the encryption of an envelope, filled up with padding: nearly every message but a roster fits, so
/// that a check-in, a login and the answers to them look alike from outside.
pub const ENVELOPE_INSIDE: usize = 4 * 1024;

/// Most packets of an envelope, however deep: an honest one has ten. The library looks at all earlier packets
/// again with each further one, so that a flood of small ones would cost the square of its size.
pub const PACKETS: usize = 12;

/// Largest detached signature over a statement or a roster: RSA-4096 takes about 700 bytes.
pub const DETACHED_SIGNATURE: usize = 2 * 1024;

/// Most names of its key that a signature has: a short one and the full one, each perhaps in both of its parts.
pub const ISSUERS: usize = 4;

/// Most signatures of an envelope: application and new instance key.
pub const SIGNATURES: usize = 2;

/// Largest statement a card may be asked to sign: a person could still read it.
pub const STATEMENT: usize = 8 * 1024;

/// How long the server's older decryption key opens what is sealed to it after a newer one was told of, in seconds: two days.
/// So long the older signing key goes on. A host that was away for longer asks for the certificate.
pub const SERVER_KEY_OVERLAP: i64 = 2 * 24 * 3600;

/// Largest roster: in base64 it fits an envelope, and so it does beside a statement.
pub const ROSTER: usize = 1400 * 1024;

/// Longest life of a roster, in seconds: a week, so that a card that was revoked is of use nowhere after that.
pub const ROSTER_LIFE: i64 = 7 * 24 * 3600;

/// Most login names that one host may ask for.
pub const ROSTER_LOGINS: usize = 500;

/// Most PAM services that one host may ask for: a desktop has some thirty files in `/etc/pam.d`.
pub const ROSTER_SERVICES: usize = 64;

/// A user's PIN is at most 127 bytes (OpenPGP card 3.4.1, section 4.3.1, length byte of C4).
pub const PIN: usize = 127;

/// How many certificates the server keeps ready of each kind, of half a kilobyte or so: for a site of 30,000 people no message
/// waits for one to be read.
pub const PINNED: usize = 65_536;

/// For how many seconds what the policy said of a certificate is not asked again. Only self-signatures that begin or end to count
/// by themselves wait for it: a key's end is known, and whoever is revoked or barred is looked up each time.
pub const PINNED_FOR: i64 = 300;

/// How far a message's time may lie from ours, in seconds.
pub const CLOCK_SKEW: i64 = 120;

/// Longest life of a statement, in seconds.
pub const STATEMENT_LIFE: i64 = 300;

/// How long the server remembers a message id, in seconds: longer than any statement or skew can live.
pub const REPLAY_MEMORY: i64 = 3600;

/// How often a one-time code may be tried.
pub const CODE_TRIES: u32 = 5;

/// How often an emergency code may be tried at the server, and how often at each host that cannot reach it. With 80 bits
/// nobody guesses it; whoever tries this often has none, and is to be seen.
pub const EMERGENCY_TRIES: u32 = 5;

/// How many uses of their code somebody is told of at one login. There is one code at a time, and whoever makes a new one
/// is told of the last; more could be a reply that no envelope takes.
pub const EMERGENCY_USES_TOLD: u32 = 8;

/// For how many seconds they are told of it at each login, from the first on: a week. One login may show nothing.
pub const EMERGENCY_TOLD_FOR: i64 = 7 * 24 * 3600;

/// Life of a one-time code made by an administrator, in seconds: a day, so that it can be handed over.
pub const CODE_LIFE: i64 = 24 * 3600;

/// Life of a one-time code that somebody has made for their own second card, in seconds: time to fetch it.
pub const OWN_CODE_LIFE: i64 = 3600;

/// Life of a registration without an administrator, in seconds: mail may be kept back for a quarter of an hour by a server
/// that has never heard of ours.
pub const SELF_REGISTRATION_LIFE: i64 = 1800;

/// Registrations that may be under way from one host for one mailbox, or by an authenticator program, at once (W10).
pub const LIVE_REQUESTS: u32 = 3;

/// Messages with a code that one host has sent to one mailbox in a day, and registrations by an authenticator program from
/// one host: more are a nuisance to somebody who did not ask.
pub const REQUESTS_A_DAY: u32 = 10;

/// Messages with a code that one mailbox gets in a day, whoever asks: one host cannot use up what its owner needs at their
/// own, and a crowd of hosts not fill it.
pub const LETTERS_TO_A_MAILBOX: u32 = 30;

/// Messages with a code that one host has sent in a day. At a desk where people register all day somebody takes three
/// minutes; a short message costs money.
#[must_use]
pub const fn letters_of_a_host(by: Channel) -> u32 {
    match by {
        Channel::Email => 200,
        Channel::Sms => 100,
    }
}

/// The same for all hosts together: everybody of a site of 30,000 people within three days, or three weeks by short
/// message. More is somebody who writes to the world through hosts that are not theirs.
#[must_use]
pub const fn letters_of_all_hosts(by: Channel) -> u32 {
    match by {
        Channel::Email => 10_000,
        Channel::Sms => 1500,
    }
}

/// How long after the first of them the second may be asked for, in seconds; twice as long after each further one.
pub const REQUEST_PAUSE: i64 = 15;

/// Groups of four characters of a code that an administrator hands over and that is not enough by itself: one more than
/// others have, so that the person's host knows to ask for what the authenticator program shows, without the server saying
/// of any account that it does.
pub const CODE_GROUPS_WITH_TOTP: usize = 3;

/// How far a time-based code may be early or late, in steps of half a minute (RFC 6238, 5.2).
pub const TOTP_STEPS: u64 = 1;

/// Addresses of one account: mail and telephone, private and not.
pub const CONTACTS: usize = 4;

/// How long an outgoing message is one process's to deliver, in seconds: longer than a slow mail server takes. A process
/// that died is not waited for longer.
pub const OUTBOX_LEASE: i64 = 300;

/// How long delivery of a message that does not end by itself is tried, in seconds: a mail server is mended in three days.
pub const OUTBOX_LIFE: i64 = 3 * 24 * 3600;

/// Longest pause between two tries to deliver a message, in seconds.
pub const OUTBOX_PAUSE: i64 = 3600;

/// How long a recovery waits at least, in seconds: a day, so that whoever has the card, or any of the account's addresses,
/// hears of it and says no.
pub const RECOVERY_DELAY: i64 = 24 * 3600;

/// How long it waits at most, in seconds: two weeks, so that administrators are back at work meanwhile.
pub const RECOVERY_LIFE: i64 = 14 * 24 * 3600;

/// How many administrators must sign for a recovery.
pub const RECOVERY_APPROVALS: u32 = 2;

/// How often an account's recovery code may be tried from one host in [`RECOVERY_TRIES_WINDOW`]. With 80 bits nobody guesses
/// it, from however many hosts; and nobody can use up the tries of somebody at another host.
pub const RECOVERY_TRIES: u32 = 5;

/// How long tries of a recovery code are counted, in seconds.
pub const RECOVERY_TRIES_WINDOW: i64 = 3600;

/// Most login names of one account.
pub const ACCOUNT_LOGINS: usize = 100;

/// Most groups of one account.
pub const ACCOUNT_GROUPS: usize = 32;

/// How long a request waits for approvals, in seconds: a day, so that everybody who is at work looks once.
pub const APPROVAL_LIFE: i64 = 24 * 3600;

/// How long a request that was decided is kept after its deadline, in seconds: a week to fetch what came of it.
pub const REQUEST_KEPT: i64 = 7 * 24 * 3600;

/// Most requests of one account that wait for approvals at once: more than people look through in a day.
pub const WAITING_REQUESTS: u64 = 16;

/// Largest body of a request that waits: in base64 it fits what an approver is shown of it.
pub const WAITING_BODY: usize = 512 * 1024;

/// Longest comment on an approval, in characters: a sentence or two.
pub const APPROVAL_COMMENT: usize = 500;

/// Largest notes of a version, in bytes: some paragraphs. They travel in lists.
pub const VERSION_NOTES: usize = 4096;

/// Most versions of one application that are kept and shown: two a week for ten years.
pub const VERSIONS: u64 = 1000;

/// Largest JSON Schema of a collection, in bytes: a person reviews it.
pub const COLLECTION_SCHEMA: usize = 64 * 1024;

/// Most documents in one page of a list, and most that one request looks at for it: nobody waits for longer than that takes.
pub const DOCUMENTS_PAGE: u64 = 1000;

/// Most versions of one document that are kept, the newest: older ones are deleted as new ones come.
pub const DOCUMENT_VERSIONS: u64 = 100;

/// How long the result of a job is kept for whoever asked for it, in seconds, counted from its request: a card may have to be
/// fetched, and no longer.
pub const JOB_LIFE: i64 = 3600;

/// How long a result is served again to the same fetch, in seconds, if nobody says that it arrived (W17).
pub const RESULT_LEASE: i64 = 30;

/// Most jobs of one account that wait to be done or fetched.
pub const JOBS_OF_ONE: u64 = 100;

/// Most jobs of all accounts that wait to be done: more are taken when these are done.
pub const JOBS_QUEUED: u64 = 10_000;

/// Most accounts that one account may appoint or grant something to on one collection: more are a role, not a list.
pub const COLLECTION_GRANTS: u64 = 2000;

/// Life of an enrolment token, in seconds.
pub const TOKEN_LIFE: i64 = 24 * 3600;

/// Life of a handshake between its first and last message, in seconds.
pub const HANDSHAKE_LIFE: i64 = 300;

/// Most handshakes of one application that are open at once. Its key is public, so anyone can begin some: a newer one takes
/// the place of the oldest, so that nobody is kept out.
pub const HANDSHAKES: u64 = 4096;

/// Most hosts of one application that wait for an administrator at once.
pub const PENDING_INSTANCES: u64 = 1000;

/// How long a host may wait for an administrator, in seconds: a week, so that someone is back at work meanwhile.
pub const PENDING_LIFE: i64 = 7 * 24 * 3600;

/// Largest one-time certificate of a hello: an Ed25519 and an X25519 key take under 1 KiB.
pub const EPHEMERAL_CERTIFICATE: usize = 4 * 1024;

/// Life of an instance's session subkeys, in seconds.
pub const SESSION_KEY_LIFE: i64 = 8 * 3600;

/// One deadline for a whole login, the person's time to type included.
pub const LOGIN: Duration = Duration::from_secs(180);

/// How long the module waits for the agent to take the note of a session. The login behind it has waited already.
pub const SESSION_NOTE_CONNECT: Duration = Duration::from_millis(300);

/// The same for the agent to have written it down: a disk that is busy, and no longer.
pub const SESSION_NOTE: Duration = Duration::from_secs(3);

/// How long the module waits for the agent to take its call: longer means it is not running.
pub const AGENT_CONNECT: Duration = Duration::from_secs(2);

/// How long the agent waits for the server's answer to one message.
pub const SERVER_ANSWER: Duration = Duration::from_secs(10);

/// How long a registration that is under way waits for a server that cannot be reached: it is started anew in less, and a
/// message older than [`CLOCK_SKEW`] is none.
pub const REGISTRATION_PATIENCE: Duration = Duration::from_secs(60);

/// How long a login waits for the server's answer where the host may decide without it, once the card has signed:
/// a server on the other side of the world answers four times within it.
pub const SERVER_PATIENCE: Duration = Duration::from_secs(2);

/// The same while the server seems to be gone. It is asked all the same, and one nearby that is back gets its say.
pub const SERVER_PATIENCE_IN_VAIN: Duration = Duration::from_millis(300);

/// How long the server seems to be gone after a message in vain. The agent tries again more often than that.
pub const SILENCE: Duration = Duration::from_secs(20);

/// How long after the server's last answer a login does not look whether it is still there.
pub const ANSWER_FRESH: Duration = Duration::from_secs(20);

/// How long the server keeps a watch waiting: shorter than the half minute after which many a proxy gives up.
pub const WATCH: Duration = Duration::from_secs(25);

/// Watches of one host that the server remembers: as many as it takes within four minutes. One is answered every
/// [`WATCH`], or at each change.
pub const WATCHES_REMEMBERED: usize = 64;

/// How long the agent waits for a card to be put in.
pub const CARD_WAIT: Duration = Duration::from_secs(30);

/// The same after Enter at a question that also takes an emergency code: the card is on its way then, and a person who gave
/// up, which a program cannot tell from Enter, is not to be kept.
pub const CARD_WAIT_AFTER_ENTER: Duration = Duration::from_secs(8);

/// How long a card may take for one command, key generation apart.
pub const CARD_ANSWER: Duration = Duration::from_secs(20);

/// How long a program that has a card for itself is waited for, unless it is one that was asked and answered.
pub const CARD_LET_GO: Duration = Duration::from_secs(5);

/// How long a card may take to generate a key: RSA-4096 on a slow card takes minutes.
pub const CARD_KEY_GENERATION: Duration = Duration::from_secs(600);

/// Requests of one person that may wait for a card at once: more than one sits at one keyboard with.
pub const TURNS_OF_ONE_PARTY: usize = 4;

/// Requests that may wait for all cards of a host together: each holds a connection's thread.
pub const TURNS: usize = 32;

/// Connections one user may hold to the agent at once.
pub const CONNECTIONS_PER_UID: usize = 8;

/// Connections the agent serves at once.
pub const CONNECTIONS: usize = 64;

/// Largest ledger entry: it holds names and sentences, never bodies.
pub const LEDGER_ENTRY: usize = 16 * 1024;

/// Largest policy document: more than a person reviews at once, and its request fits an envelope.
pub const POLICY_DOCUMENT: usize = 256 * 1024;

/// Most policy documents at once.
pub const POLICY_DOCUMENTS: usize = 256;

/// All policy documents together: every process reads them all again at each change.
pub const POLICIES: usize = 2 * 1024 * 1024;
