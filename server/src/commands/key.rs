//! `countersign-server key`.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use countersign_protocol::certificate::{self, CertificateError};
use countersign_protocol::clock::{Clock as _, SystemClock, Timestamp};
use countersign_protocol::random::SystemRandom;
use countersign_server_core::server_keys::{Custody, Pair, ServerKeys, life};
use countersign_server_core::stop::Failure;

use super::{CommandError, own_files, print};
use crate::config::Config;
use crate::data::{read_private, write_private};
use crate::own_keys::{self, Primary, secret_form, subkeys_form};

#[derive(Debug, Subcommand)]
pub(super) enum KeyCommand {
    /// Print the server's fingerprint, where its primary key is, and its subkeys.
    Show(Show),
    /// Make new subkeys now. The server takes them up by itself; hosts hear of them when they check in.
    Rotate(Rotate),
    /// Write the primary key into a file, to be kept elsewhere, and take it out of the data folder.
    ExportPrimary(Export),
    /// Make subkeys where the primary key lies, without a server.
    NewSubkeys(NewSubkeys),
    /// Take up subkeys that `new-subkeys` made.
    ImportSubkeys(Import),
}

#[derive(Debug, Args)]
pub(super) struct OfServer {
    /// The configuration file.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
}

#[derive(Debug, Args)]
pub(super) struct Show {
    #[command(flatten)]
    server: OfServer,
    /// Write the public certificate of the subkeys in use there, for `new-subkeys --at-once`. The file must not be there.
    #[arg(long, value_name = "FILE")]
    certificate: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct Rotate {
    #[command(flatten)]
    server: OfServer,
    /// Somebody may have the old ones: revoke them and destroy their secrets now. Hosts ask for the new ones at their next
    /// message; lists that they let people in by without the server are worth nothing until then.
    #[arg(long)]
    at_once: bool,
}

#[derive(Debug, Args)]
pub(super) struct Export {
    #[command(flatten)]
    server: OfServer,
    /// The file to write. It must not be there, and not lie in the data folder.
    #[arg(value_name = "FILE")]
    to: PathBuf,
}

#[derive(Debug, Args)]
pub(super) struct NewSubkeys {
    /// The file that `export-primary` wrote.
    #[arg(long, value_name = "FILE")]
    primary: PathBuf,
    /// How long they shall be used.
    #[arg(long, default_value_t = 90, value_parser = clap::value_parser!(u32).range(1..=365))]
    days: u32,
    /// Somebody may have the old ones: revoke them. When these are imported, the older secrets are destroyed and hosts ask for
    /// the new ones at their next message.
    #[arg(long, requires = "certificate")]
    at_once: bool,
    /// The server's certificate with the subkeys to revoke, as `key show --certificate FILE` wrote it there.
    #[arg(long, value_name = "FILE", requires = "at_once")]
    certificate: Option<PathBuf>,
    /// The file to write. It must not be there.
    #[arg(value_name = "FILE")]
    to: PathBuf,
}

#[derive(Debug, Args)]
pub(super) struct Import {
    #[command(flatten)]
    server: OfServer,
    /// The file that `new-subkeys` wrote.
    #[arg(value_name = "FILE")]
    from: PathBuf,
}

pub(super) fn run(command: KeyCommand) -> Result<(), CommandError> {
    match command {
        KeyCommand::Show(asked) => show(&asked.server.config, asked.certificate.as_deref()),
        KeyCommand::Rotate(rotate) => self::rotate(&rotate),
        KeyCommand::ExportPrimary(export) => export_primary(&export),
        KeyCommand::NewSubkeys(asked) => new_subkeys(&asked),
        KeyCommand::ImportSubkeys(import) => import_subkeys(&import),
    }
}

fn failed(error: impl std::fmt::Display) -> CommandError {
    CommandError::Failed(error.to_string())
}

fn unusable(error: CertificateError) -> Failure {
    Failure::Keys(error.to_string())
}

fn show(config: &Path, certificate: Option<&Path>) -> Result<(), CommandError> {
    let (store, keys) = own_files::store_and_keys(config)?;
    let custody =
        Custody { store: &store, ledger: &keys.ledger, store_key: &keys.store_key, random: &SystemRandom };
    let now = SystemClock.now();
    let primary = if keys.primary.has_secret() { "here" } else { "elsewhere" };
    print(&format!(
        "Server fingerprint:   {}\nPrimary key:          {primary}\n",
        keys.primary.fingerprint().spaced()
    ));
    let Some((_, own)) = custody.look().map_err(failed)? else { return Ok(()) };
    let signing = own.signing_pair(now);
    for pair in own.pairs(now) {
        let state = state(&pair, signing.as_ref() == Some(&pair), now);
        let until = pair.ends.map_or_else(|| "for ever".to_owned(), |ends| format!("until {ends}"));
        print(&format!("Subkeys of {}: {until}, {state}\n", pair.made()));
    }
    let Some(to) = certificate else { return Ok(()) };
    let public = certificate::to_bytes(&own.current(now)).map_err(failed)?;
    write_private(to, &public).map_err(|error| CommandError::Data(error.to_string()))?;
    print(&format!("The certificate is in {}; nothing in it is secret.\n", to.display()));
    Ok(())
}

fn state(pair: &Pair, signs: bool, now: Timestamp) -> &'static str {
    match pair {
        _ if pair.revoked => "revoked",
        _ if signs => "in use",
        Pair { signs: false, decrypts: false, .. } => "secrets destroyed",
        _ if !pair.is_alive(now) => "ended",
        _ if pair.is_known(now) => "replaced",
        _ => "opens messages, and signs when hosts have heard of it",
    }
}

fn rotate(asked: &Rotate) -> Result<(), CommandError> {
    let days = Config::read(&asked.server.config)
        .map_err(|error| CommandError::Configuration(error.to_string()))?
        .keys
        .rotate_days;
    let (store, keys) = own_files::store_and_keys(&asked.server.config)?;
    if !keys.primary.has_secret() {
        let elsewhere = if asked.at_once {
            "the primary key is not in the data folder. Here: countersign-server key show --certificate FILE; where the \
             primary key is: countersign-server key new-subkeys --at-once --certificate FILE; then here: \
             countersign-server key import-subkeys"
        } else {
            "the primary key is not in the data folder. Where it is: countersign-server key new-subkeys, then here: \
             countersign-server key import-subkeys"
        };
        return Err(failed(elsewhere));
    }
    own_keys::renew(&keys, &*store, days, asked.at_once, SystemClock.now(), &SystemRandom).map_err(failed)?;
    show(&asked.server.config, None)
}

fn export_primary(asked: &Export) -> Result<(), CommandError> {
    let (folder, keys) = own_files::keys(&asked.server.config)?;
    let data = |error: &dyn std::fmt::Display| CommandError::Data(error.to_string());
    if !keys.primary.has_secret() {
        return Err(failed("the primary key is not in the data folder any more"));
    }
    let beside = asked.to.parent().and_then(|folder| folder.canonicalize().ok());
    if beside.is_some_and(|beside| folder.root().canonicalize().is_ok_and(|root| beside.starts_with(root))) {
        return Err(failed(format!("{} lies in the data folder; choose another place", asked.to.display())));
    }
    let secret = secret_form(keys.primary.certificate()).map_err(failed)?;
    write_private(&asked.to, &secret).map_err(|error| data(&error))?;
    // What cannot be read back is not taken away here.
    let again = read_private(&asked.to).map_err(|error| data(&error))?;
    let again = Primary::parse(&again).map_err(failed)?;
    if !again.has_secret() || again.fingerprint() != keys.primary.fingerprint() {
        return Err(failed(format!("{} does not hold what was written into it", asked.to.display())));
    }
    keys.primary.forget(&folder).map_err(|error| data(&error))?;
    print(&format!(
        "The primary key is in {to} and not in {data} any more. Keep it, and a copy, where no network is.\n\
         Before the subkeys end (countersign-server key show), there: countersign-server key new-subkeys --primary {to} FILE\n\
         and here: countersign-server key import-subkeys --config {config} FILE\n",
        to = asked.to.display(),
        data = folder.root().display(),
        config = asked.server.config.display(),
    ));
    Ok(())
}

fn new_subkeys(asked: &NewSubkeys) -> Result<(), CommandError> {
    let data = |error: &dyn std::fmt::Display| CommandError::Data(error.to_string());
    let bytes = read_private(&asked.primary).map_err(|error| data(&error))?;
    let primary = Primary::parse(&bytes).map_err(|error| data(&error))?;
    if !primary.has_secret() {
        return Err(failed(format!("{} does not hold the primary key's secret", asked.primary.display())));
    }
    let now = SystemClock.now();
    let held = match &asked.certificate {
        None => primary.certificate().clone(),
        Some(path) => {
            let wrong =
                |what: &dyn std::fmt::Display| CommandError::Data(format!("{}: {what}", path.display()));
            let bytes = std::fs::read(path).map_err(|error| wrong(&error))?;
            certificate::parse(&bytes).map_err(|error| wrong(&error))?
        }
    };
    let made = ServerKeys::of(&held)
        .and_then(|keys| keys.renewed(primary.certificate(), now, life(asked.days), asked.at_once))
        .map_err(failed)?;
    write_private(&asked.to, &subkeys_form(&made).map_err(failed)?).map_err(|error| data(&error))?;
    print(&format!(
        "Subkeys for {days} days are in {to}. Bring the file to the server, import it, and destroy it.\n",
        days = asked.days,
        to = asked.to.display()
    ));
    Ok(())
}

fn import_subkeys(asked: &Import) -> Result<(), CommandError> {
    let (store, keys) = own_files::store_and_keys(&asked.server.config)?;
    let bytes = read_private(&asked.from).map_err(|error| CommandError::Data(error.to_string()))?;
    let wrong = |error: CertificateError| failed(format!("{}: {error}", asked.from.display()));
    let brought = ServerKeys::from_file(&bytes).map_err(wrong)?;
    if brought.fingerprint().map_err(failed)? != *keys.primary.fingerprint() {
        return Err(wrong(CertificateError::Rejected("they are another server's subkeys".into())));
    }
    let now = SystemClock.now();
    let custody =
        Custody { store: &store, ledger: &keys.ledger, store_key: &keys.store_key, random: &SystemRandom };
    let why = if brought.gives_up(now) {
        "subkeys that were made elsewhere were taken up, and the older ones revoked"
    } else {
        "subkeys that were made elsewhere were taken up"
    };
    let changed = custody.exchange(now, |held| {
        let held = match held {
            Some(held) => held.joined(&brought, now),
            None => ServerKeys::of(keys.primary.certificate()).and_then(|own| own.joined(&brought, now)),
        };
        Ok(Some((held.map_err(unusable)?, why)))
    });
    changed.map_err(failed)?;
    show(&asked.server.config, None)?;
    print(&format!("Destroy {} now: shred -u {0}\n", asked.from.display()));
    Ok(())
}
