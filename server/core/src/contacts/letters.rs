//! How many letters leave for people who only say that an address is theirs.
//!
//! Counted by mailbox and host, so that a host that asks for somebody's mailbox all day uses up its own part of what that
//! mailbox gets, and by host and way, so that one host that fell to somebody else does not write to everybody. What a host
//! may ask for is counted whatever the address and the account are: that it is used up tells nothing about anybody (W13).

use countersign_protocol::clock::Timestamp;
use countersign_protocol::contact::{Address, Channel};
use countersign_protocol::ids::Fingerprint;
use countersign_protocol::limits;

use crate::codes::Mac;
use crate::context::Context;
use crate::stop::Stop;

/// Whether this host, and all hosts together, may have one more letter sent this way today.
///
/// # Errors
/// The store's.
pub(crate) fn host_may(ctx: &Context<'_>, host: &Fingerprint, by: Channel) -> Result<bool, Stop> {
    let name = by.as_str().as_bytes();
    let of_host = ctx.pepper().mac(&[b"letters-of", host.as_bytes(), name]);
    let of_all = ctx.pepper().mac(&[b"letters", name]);
    let fine = ctx.tx().count_letter(&of_host, limits::letters_of_a_host(by), ctx.now)?;
    let most = if fine { limits::letters_of_all_hosts(by) } else { 0 };
    Ok(ctx.tx().count_letter(&of_all, most, ctx.now)?)
}

/// Whether one more letter may go to this address, which a host asked for.
///
/// # Errors
/// The store's.
pub(crate) fn address_may(
    ctx: &Context<'_>,
    host: &Fingerprint,
    to: &Address,
    expires: Timestamp,
) -> Result<bool, Stop> {
    let mailbox = to.mailbox();
    let of = |what: &[u8], host: &[u8]| -> Mac {
        ctx.pepper().mac(&[what, to.channel().as_str().as_bytes(), mailbox.as_bytes(), host])
    };
    let fine = ctx.tx().count_request(&of(b"mailbox-from", host.as_bytes()), ctx.now, expires)?;
    // The same statements in any case.
    let most = if fine { limits::LETTERS_TO_A_MAILBOX } else { 0 };
    Ok(ctx.tx().count_letter(&of(b"mailbox", b""), most, ctx.now)?)
}
