//! Registering without an administrator (seed 2.1.2): a code goes to an address, or the server makes the secret of an
//! authenticator program.
//!
//! Whoever asks gets one answer, whether the address is unknown, somebody's, or has had too many messages, and whether the
//! name is free or not: a code is made and a letter is written every time, and what the letter says, or that it never
//! leaves, only its receiver learns (W13).

use countersign_protocol::clock::Timestamp;
use countersign_protocol::contact::Address;
use countersign_protocol::ids::{AccountName, MessageId};
use countersign_protocol::key_words::{commitment_words, key_words};
use countersign_protocol::ledger::{EntryKind, Outcome};
use countersign_protocol::limits;
use countersign_protocol::message::{
    RegistrationMethod, RegistrationReply, RegistrationRequest, Transcript, Unavailable,
};
use countersign_protocol::totp::TotpSecret;
use serde::{Deserialize, Serialize};

use super::{Registration, letters};
use crate::codes::{self, Code, Mac};
use crate::contacts;
use crate::context::Context;
use crate::draft::Draft;
use crate::instances::Instance;
use crate::outbox::{Purpose, Silence};
use crate::refusal::Reason;
use crate::replies::Recipient;
use crate::secrets::{Pepper, StoreKey};
use crate::stop::{Failure, Stop};
use crate::store::StoreError;
use crate::totp;

const PURPOSE: &[u8] = b"alone";

/// Groups of four characters in a code that is sent: 40 bits (W10).
const CODE_GROUPS: usize = 2;

/// What a registration without an administrator has beside the others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alone {
    /// Of which registration.
    pub id: MessageId,
    /// Keyed digest of the code that was sent; none for an authenticator program.
    pub code: Option<Mac>,
    /// The address or the secret.
    pub sealed: Vec<u8>,
    /// When it ends.
    pub expires: Timestamp,
}

/// By what a person shows that they can be reached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) enum Means {
    Address(Address),
    Totp(TotpSecret),
}

impl Alone {
    pub(crate) fn means(&self, key: &StoreKey) -> Result<Means, Stop> {
        let plain = key.open_aside(PURPOSE, self.id, &self.sealed).map_err(|_| unreadable())?;
        serde_json::from_slice(&plain).map_err(|_| unreadable())
    }
}

/// Begins one, or says that this server does not do it.
pub(super) fn request(
    ctx: &Context<'_>,
    instance: &Instance,
    body: RegistrationRequest,
    method: RegistrationMethod,
) -> Result<Draft, Stop> {
    if let Some(unavailable) = unavailable(ctx, &method) {
        return Ok(refuse(ctx, instance, &body, unavailable));
    }
    let expires = ctx.now.plus(limits::SELF_REGISTRATION_LIFE);
    let (means, code, why) = match method {
        // Not alone: see the recoveries.
        RegistrationMethod::Recovery => return Err(Reason::HandshakeOver.into()),
        RegistrationMethod::Message(address) => {
            if !contacts::letters::host_may(ctx, &instance.fingerprint, address.channel())? {
                return Ok(refuse(ctx, instance, &body, Unavailable::Now));
            }
            let (code, why) = send(ctx, instance, &body, &address, expires)?;
            (Means::Address(address), Some(code), why)
        }
        RegistrationMethod::Totp => {
            let host = ctx.pepper().mac(&[b"totp-from", instance.fingerprint.as_bytes()]);
            if !ctx.tx().count_request(&host, ctx.now, expires)? {
                return Ok(refuse(ctx, instance, &body, Unavailable::Now));
            }
            let why = "somebody asks for an account, by authenticator program";
            (Means::Totp(TotpSecret::new(ctx.random())?), None, why)
        }
    };
    let id = ctx.message().id;
    let plain = zeroize::Zeroizing::new(serde_json::to_vec(&means).map_err(|_| unreadable())?);
    let sealed = ctx.store_key().seal_aside(PURPOSE, id, &plain).map_err(|_| unreadable())?;
    ctx.tx().add_alone(&Alone { id, code, sealed, expires })?;

    let heard = Transcript::registration().then(ctx.literal());
    let totp = match means {
        Means::Totp(secret) => Some(secret),
        Means::Address(_) => None,
    };
    let reply = RegistrationReply { registration: id, expires, totp, unavailable: None };
    let mut entry = ctx.entry(EntryKind::RegistrationTry, Outcome::Noted, why);
    entry.instance = Some(instance.fingerprint.clone());
    entry.application = Some(instance.application.clone());
    entry.account = Some(body.account.clone());
    entry.detail.insert("commitment".into(), body.commitment.to_string());
    let (instance, account) = (instance.fingerprint.clone(), body.account);
    let draft = Draft::recorded(Recipient::Instance(instance.clone()), entry, None, move |_receipt| reply)
        .quietly(true)
        .with_transcript(heard.digest())
        .remembering(move |tx, literal| {
            let registration = Registration {
                id,
                instance,
                account,
                commitment: body.commitment,
                transcript: heard.then(literal).digest(),
                expires,
                server_nonce: None,
                mac: None,
            };
            Ok(tx.add_registration(&registration)?)
        });
    Ok(draft)
}

/// Makes the code, and writes the letter that this address is to have. The digest of the code, and what happened, for the
/// ledger.
fn send(
    ctx: &Context<'_>,
    instance: &Instance,
    body: &RegistrationRequest,
    address: &Address,
    expires: Timestamp,
) -> Result<(Mac, &'static str), Stop> {
    let digest = contacts::digest(ctx.pepper(), address);
    let allowed = contacts::letters::address_may(ctx, &instance.fingerprint, address, expires)?;
    let known = ctx.tx().is_contact(&digest)?;
    // One row, whoever it is: a whole account is read in more statements than none.
    let taken = ctx.tx().has_account(&body.account)?;
    let code = Code::new(ctx.random(), CODE_GROUPS)?;
    let (host, key) = (key_words(&instance.fingerprint), commitment_words(&body.commitment));
    let asked = letters::Asked {
        account: &body.account,
        server: ctx.identity().url(),
        application: &instance.application,
        host: &host,
        key: &key,
    };
    let (letter, why) = match (known, taken) {
        (true, _) => (asked.known(address), "somebody asks for an account with an address that has one"),
        (false, true) => (asked.taken(address), "somebody asks for an account whose name is taken"),
        (false, false) => (asked.code(address, &code), "somebody asks for an account; a code was sent"),
    };
    let (silence, why) = if allowed {
        (Silence::Sent, why)
    } else {
        (
            Silence::Kept,
            "somebody asks for an account; nothing was sent, for the address had too many messages",
        )
    };
    ctx.post().queue(&letter, Purpose::Registration, None, expires, silence)?;
    Ok((mac(ctx.pepper(), &code, &ctx.message().id, instance, body), why))
}

/// The code is good for this request, from this host, for this key, and for nothing else (W9, W10).
fn mac(pepper: &Pepper, code: &Code, id: &MessageId, instance: &Instance, body: &RegistrationRequest) -> Mac {
    code.mac_for_request(pepper, id, &instance.fingerprint, &body.commitment)
}

/// Counts a try, and only then compares.
pub(super) fn compare(ctx: &Context<'_>, registration: &Registration, typed: &str) -> Result<bool, Stop> {
    let Some(alone) = ctx.tx().try_alone(&registration.id, ctx.now)? else { return Ok(false) };
    let Some(code) = alone.code else {
        let Means::Totp(secret) = alone.means(ctx.store_key())? else { return Ok(false) };
        let Some(step) = totp::step_of(&secret, typed, ctx.now) else { return Ok(false) };
        return Ok(ctx.tx().take_totp_step(&registration.id, step)?);
    };
    let typed = Code::typed(typed).mac_for_request(
        ctx.pepper(),
        &registration.id,
        &registration.instance,
        &registration.commitment,
    );
    Ok(codes::equal(&code, &typed))
}

/// From the settings and the request alone, so that it tells nothing about anybody.
fn unavailable(ctx: &Context<'_>, method: &RegistrationMethod) -> Option<Unavailable> {
    let reach = ctx.reach();
    match method {
        RegistrationMethod::Recovery => None,
        RegistrationMethod::Totp => (!reach.totp).then_some(Unavailable::Method),
        RegistrationMethod::Message(address) if !reach.registration.contains(&address.channel()) => {
            Some(Unavailable::Method)
        }
        RegistrationMethod::Message(Address::Email(address)) => {
            let allowed = reach.domains.is_empty() || reach.domains.contains(&address.domain());
            (!allowed).then_some(Unavailable::Domain)
        }
        RegistrationMethod::Message(Address::Sms(_)) => None,
    }
}

fn refuse(
    ctx: &Context<'_>,
    instance: &Instance,
    body: &RegistrationRequest,
    unavailable: Unavailable,
) -> Draft {
    let why = match unavailable {
        Unavailable::Method => "somebody asks for an account in a way that this server does not have",
        Unavailable::Now => {
            "somebody asks for an account, as too many did from this host, or from all hosts, a moment ago or today"
        }
        Unavailable::Domain => "somebody asks for an account with an address of a mail domain that may not",
    };
    let mut entry = ctx.entry(EntryKind::RegistrationTry, Outcome::Denied, why);
    entry.instance = Some(instance.fingerprint.clone());
    entry.account = Some(body.account.clone());
    let reply = RegistrationReply {
        registration: ctx.message().id,
        expires: ctx.now,
        totp: None,
        unavailable: Some(unavailable),
    };
    let heard = Transcript::registration().then(ctx.literal());
    let recipient = Recipient::Instance(instance.fingerprint.clone());
    Draft::recorded(recipient, entry, None, move |_receipt| reply)
        .quietly(true)
        .with_transcript(heard.digest())
}

fn unreadable() -> Stop {
    Failure::Reply("a registration in the store was not sealed by this server's store key".into()).into()
}

/// Registrations without an administrator in a store.
pub trait AloneStore {
    /// Adds what a registration has beside the others.
    ///
    /// # Errors
    /// [`StoreError`].
    fn add_alone(&self, alone: &Alone) -> Result<(), StoreError>;

    /// The same back, if the registration is one without an administrator.
    ///
    /// # Errors
    /// [`StoreError`].
    fn alone(&self, id: &MessageId) -> Result<Option<Alone>, StoreError>;

    /// Counts one try, if one is left, and only then shows what to compare with.
    ///
    /// # Errors
    /// [`StoreError`].
    fn try_alone(&self, id: &MessageId, now: Timestamp) -> Result<Option<Alone>, StoreError>;

    /// Uses a step of an authenticator program's time up, if neither it nor a later one was used.
    ///
    /// # Errors
    /// [`StoreError`].
    fn take_totp_step(&self, id: &MessageId, step: i64) -> Result<bool, StoreError>;

    /// Has the account's newest code need an authenticator program beside it. Another code needs none.
    ///
    /// # Errors
    /// [`StoreError`].
    fn put_second_factor(&self, account: &AccountName, factor: &SecondFactor) -> Result<(), StoreError>;

    /// The authenticator program that is needed beside an account's code, if one is.
    ///
    /// # Errors
    /// [`StoreError`].
    fn second_factor(&self, account: &AccountName) -> Result<Option<SecondFactor>, StoreError>;

    /// Uses a step of it up, if neither it nor a later one was used.
    ///
    /// # Errors
    /// [`StoreError`].
    fn take_second_factor_step(
        &self,
        account: &AccountName,
        id: &MessageId,
        step: i64,
    ) -> Result<bool, StoreError>;
}

/// The secret of an authenticator program that is needed beside an account's code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecondFactor {
    /// Random; it names the key that seals the secret.
    pub id: MessageId,
    /// The secret.
    pub sealed: Vec<u8>,
}
