//! Certificates that people bring along: in a file, or at the address that their card names.

use std::path::PathBuf;

use clap::{Args, ValueHint};
use countersign_protocol::binary::Binary;
use countersign_protocol::ids::CardIdent;
use countersign_protocol::ipc::{
    CardDetails, CardShow, CardSlot, Conversation as _, ProblemKind, Reply, Request,
};
use countersign_protocol::{certificate, limits};

use crate::args::{CardChoice, Global};
use crate::failure::{Failure, Kind};
use crate::given::Given;
use crate::terminal::Terminal;
use crate::{agent, web};

/// Whom to believe about a web server's name.
#[derive(Debug, Default, Args)]
pub(crate) struct Authority {
    /// Believe only these certificate authorities (PEM) about the web server, such as a company's own.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    ca_file: Option<PathBuf>,
}

/// Reads a certificate and brings it into binary form, so that a wrong file is found before the PIN is asked.
pub(crate) fn in_file(global: &Global, given: &Given) -> Result<Binary, Failure> {
    let bytes = given.read(global, "the certificate", limits::CERTIFICATE)?;
    read(&bytes, &given.to_string())
}

/// Fetches the certificate from the address on the card, if the person agrees. It must hold the card's key.
pub(crate) fn at_the_cards_url(
    global: &Global,
    card: &CardChoice,
    authority: &Authority,
) -> Result<(CardIdent, Binary), Failure> {
    let details = match agent::ask(global, &Request::CardShow(CardShow { card: card.card }))?.reply {
        Reply::CardDetails(details) => details,
        other => return Err(agent::unexpected(&other)),
    };
    let card_problem =
        |message: String| Failure { kind: Kind::Problem(ProblemKind::Card), ..Failure::usage(message) };
    let Some(url) = &details.url else {
        return Err(card_problem(format!("the card {} names no address of its certificate", details.card))
            .then("Save the certificate (gpg --export) and name the file with --adopt FILE."));
    };
    web::check(url)?;
    let question = format!("The card says that its certificate is at {url}. Fetch it? Type yes: ");
    let mut terminal = Terminal::new(global.answers_from_stdin);
    let answer = terminal.shown(&question);
    if let Some(failure) = terminal.take_failure() {
        return Err(failure);
    }
    if !answer.is_some_and(|word| word.trim().eq_ignore_ascii_case("yes")) {
        let kind = Kind::Problem(ProblemKind::Cancelled);
        return Err(Failure { kind, ..Failure::usage("cancelled; nothing was fetched") });
    }
    let bytes = web::fetch(url, authority.ca_file.as_deref(), limits::CERTIFICATE)?;
    let certificate = read(&bytes, url)?;
    if holds_the_key(&details, &certificate) {
        return Ok((details.card, certificate));
    }
    Err(card_problem(format!("the certificate at {url} does not hold the key that is on the card {}", details.card))
        .then("Somebody put another one there, or the card has newer keys. Take the right one from its owner: --adopt FILE."))
}

fn holds_the_key(details: &CardDetails, certificate: &Binary) -> bool {
    let signing = details.keys.iter().find(|key| key.slot == CardSlot::Signature);
    let Some(wanted) = signing.and_then(|key| key.fingerprint.as_ref()) else { return false };
    let Ok(cert) = certificate::parse(&certificate.0) else { return false };
    cert.keys().any(|key| key.key().fingerprint().as_bytes() == wanted.as_bytes())
}

fn read(bytes: &[u8], place: &str) -> Result<Binary, Failure> {
    let unusable = |error: String| {
        Failure::file(format!("{place} is not a certificate that can be adopted: {error}")).then(
            "Export it with `gpg --export-options export-minimal --export FINGERPRINT`, without secret keys.",
        )
    };
    let certificate = certificate::parse(bytes).map_err(|error| unusable(error.to_string()))?;
    let bytes = certificate::to_bytes(&certificate).map_err(|error| unusable(error.to_string()))?;
    if bytes.len() > limits::IN_A_FRAME {
        let (size, most) = (bytes.len(), limits::IN_A_FRAME);
        return Err(unusable(format!("it is {size} bytes, and at most {most} are sent")));
    }
    Ok(Binary(bytes))
}
