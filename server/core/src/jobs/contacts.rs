//! Where a person can be reached: theirs to say, with their card and the code that came there.

use countersign_protocol::contact::{Address, Channel};
use countersign_protocol::ids::AccountName;
use countersign_protocol::limits;
use countersign_protocol::message::result::{
    ContactCode, ContactList, ContactShown, NamedContact, NewContact,
};
use secrecy::ExposeSecret as _;

use super::create_account::CODE_GROUPS;
use super::{Job, Performed};
use crate::codes::{self, Code};
use crate::contacts::{self, Contact, SealedContact, WaitingContact};
use crate::context::Context;
use crate::outbox::{Letter, Purpose, Silence};
use crate::stop::Stop;

/// Sends a code to a new address. The answer is the same for one that is somebody's already, or had too many messages
/// (W13): then it is the letter that says so, or there is none.
pub(super) fn add(ctx: &Context<'_>, job: &Job<'_>) -> Result<Performed, Stop> {
    let (account, NewContact { address }) = match own(job, "the new address") {
        Ok(own) => own,
        Err(why) => return Ok(why),
    };
    if !ctx.reach().channels.contains(&address.channel()) {
        return Ok(Performed::impossible(match address.channel() {
            Channel::Email => {
                "This server sends no mail. Its administrator sets it up in server.toml, [mail]."
            }
            Channel::Sms => "This server sends no short messages. Give a mail address instead.",
        }));
    }
    let there = contacts::of(ctx.tx(), ctx.store_key(), account)?;
    if there.iter().any(|contact| contact.address == address) {
        return Ok(Performed::impossible("The account has this address already."));
    }
    if there.len() >= limits::CONTACTS {
        return Ok(Performed::impossible(format!(
            "An account has at most {} addresses. Take one away first: countersign contact remove ADDRESS",
            limits::CONTACTS
        )));
    }
    let host = &job.instance.fingerprint;
    if !contacts::letters::host_may(ctx, host, address.channel())? {
        return Ok(Performed::impossible(
            "Too many messages with codes were sent for this host today, or for all hosts. Try again tomorrow.",
        ));
    }
    let expires = ctx.now.plus(limits::SELF_REGISTRATION_LIFE);
    let contact = SealedContact::seal(ctx.store_key(), ctx.pepper(), ctx.random(), &address, ctx.now)?;
    let allowed = contacts::letters::address_may(ctx, host, &address, expires)?;
    let known = ctx.tx().is_contact(&contact.digest)?;
    let code = Code::new(ctx.random(), CODE_GROUPS)?;
    let letter = match known {
        true => in_use(ctx, account, address),
        false => with_code(ctx, account, address, &code),
    };
    let silence = if allowed { Silence::Sent } else { Silence::Kept };
    ctx.post().queue(&letter, Purpose::Contact, Some(account), expires, silence)?;
    let mac = code.mac_for_contact(ctx.pepper(), account, &contact.id);
    ctx.tx().put_waiting_contact(account, &WaitingContact { contact, code: mac, expires })?;
    let what = match (allowed, known) {
        (true, false) => "a code was sent to a new address",
        (true, true) => "the new address is another account's; it was told",
        (false, _) => "nothing was sent: the new address had too many messages",
    };
    listed(ctx, account, [("contact", what.to_owned())])
}

/// Counts a try, compares, and only then is the address the account's. Every other address is told.
pub(super) fn confirm(ctx: &Context<'_>, job: &Job<'_>) -> Result<Performed, Stop> {
    let (account, ContactCode { code }) = match own(job, "the code") {
        Ok(own) => own,
        Err(why) => return Ok(why),
    };
    // What is only tried is taken back, and the count of tries with it.
    if job.statement.dry_run {
        return Ok(Performed::impossible(
            "A code is not tried: each try counts. Leave --dry-run away and type it once.",
        ));
    }
    let wrong = || {
        Ok(Performed::impossible(
            "That is not the code of an address that waits for it, or it is too old, or was tried too often. For another \
             one: countersign contact add ADDRESS",
        ))
    };
    let Some(waiting) = ctx.tx().try_waiting_contact(account, ctx.now)? else { return wrong() };
    let typed = Code::typed(&code).mac_for_contact(ctx.pepper(), account, &waiting.contact.id);
    if !codes::equal(&waiting.code, &typed) || !ctx.tx().end_waiting_contact(account, &waiting.contact.id)? {
        return wrong();
    }
    let before = contacts::of(ctx.tx(), ctx.store_key(), account)?;
    let contact = SealedContact { since: ctx.now, ..waiting.contact };
    if before.len() >= limits::CONTACTS || !ctx.tx().add_contact(account, &contact)? {
        return Ok(Performed::impossible(
            "The address became another account's meanwhile, or there are too many.",
        ));
    }
    let added = contact.open(ctx.store_key())?;
    let text = changed(ctx, account, "has another address now");
    tell(ctx, account, before, &text)?;
    listed(ctx, account, [("contact-added", added.reference.to_string())])
}

/// Takes an address away. It is told, and so is every other one: whoever stole a card cannot silence its owner unseen.
pub(super) fn remove(ctx: &Context<'_>, job: &Job<'_>) -> Result<Performed, Stop> {
    let (account, NamedContact { address }) = match own(job, "the address") {
        Ok(own) => own,
        Err(why) => return Ok(why),
    };
    let before = contacts::of(ctx.tx(), ctx.store_key(), account)?;
    let digest = contacts::digest(ctx.pepper(), &address);
    let gone = before.iter().find(|contact| contact.address == address).map(|gone| gone.reference);
    let (Some(gone), true) = (gone, ctx.tx().remove_contact(account, &digest)?) else {
        return Ok(Performed::impossible("The account has no such address. See: countersign contact list"));
    };
    let text = changed(ctx, account, "has one address less now");
    tell(ctx, account, before, &text)?;
    listed(ctx, account, [("contact-removed", gone.to_string())])
}

/// The account's own addresses, for nobody else.
pub(super) fn read(ctx: &Context<'_>, job: &Job<'_>) -> Result<Performed, Stop> {
    if let Err(takes_none) = job.without_body() {
        return Ok(takes_none);
    }
    match own_name(job) {
        Ok(account) => listed(ctx, account, []),
        Err(why) => Ok(why),
    }
}

/// Whatever policy says, nobody says or sees where somebody else is reached.
fn own_name<'a>(job: &'a Job<'_>) -> Result<&'a AccountName, Performed> {
    let account = &job.statement.account;
    if job.statement.resource.name() == account.as_str() {
        return Ok(account);
    }
    Err(Performed::impossible(
        "Addresses are changed and read only with the card of the account. Its person runs: countersign contact",
    ))
}

fn own<'a, B: serde::de::DeserializeOwned>(
    job: &'a Job<'_>,
    what: &str,
) -> Result<(&'a AccountName, B), Performed> {
    Ok((own_name(job)?, job.body(what)?))
}

fn listed<const N: usize>(
    ctx: &Context<'_>,
    account: &AccountName,
    detail: [(&str, String); N],
) -> Result<Performed, Stop> {
    let contacts = contacts::of(ctx.tx(), ctx.store_key(), account)?;
    let shown = |Contact { address, since, .. }: Contact| ContactShown { address, since };
    let waiting_until = ctx.tx().waits_until(account, ctx.now)?;
    let contacts = contacts.into_iter().map(shown).collect();
    Performed::noting(&ContactList { contacts, waiting_until }, detail)
}

fn tell(ctx: &Context<'_>, account: &AccountName, to: Vec<Contact>, text: &str) -> Result<(), Stop> {
    for contact in to {
        let _sent = ctx.post().tell(contact.address, account, Purpose::Contact, text)?;
    }
    Ok(())
}

fn changed(ctx: &Context<'_>, account: &AccountName, what: &str) -> String {
    format!(
        "The account {account} at {} {what}. It was changed with its card.\n\nIf it was not you: tell an administrator at \
         once. Somebody has your card and its PIN.\n",
        ctx.identity().url()
    )
}

fn with_code(ctx: &Context<'_>, account: &AccountName, to: Address, code: &Code) -> Letter {
    let server = ctx.identity().url();
    let (code, minutes) = (code.spelled(), limits::SELF_REGISTRATION_LIFE / 60);
    let code = code.expose_secret();
    let text = match to.channel() {
        Channel::Email => format!(
            "The account {account} at {server}\nis to have this address. If that is yours, confirm it with your card:\n\n    \
             countersign contact confirm {code}\n\n\
             The code is good for {minutes} minutes.\n\n\
             If it was not you: do nothing, and tell the code to nobody.\n"
        ),
        Channel::Sms => format!(
            "Code {code} for an address of the account {account} at {server}, {minutes} min: countersign contact confirm. \
             Not you? Do nothing, tell nobody the code."
        ),
    };
    Letter { to, subject: format!("An address for the account {account}"), text }
}

fn in_use(ctx: &Context<'_>, account: &AccountName, to: Address) -> Letter {
    let text = format!(
        "The account {account} at {}\nis to have this address, which another account has already, so that no code was \
         made.\n\nIf it was you: take it away from the other account first. If not, there is nothing to do.\n",
        ctx.identity().url()
    );
    Letter { to, subject: format!("An address for the account {account}"), text }
}
