//! A new server: keys, database, and the first of everything, so that nobody ever edits the database by hand.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;

use countersign_protocol::certificate::CertificateError;
use countersign_protocol::clock::Clock;
use countersign_protocol::ids::{AccountName, ApplicationName, CorrelationId, Fingerprint, LoginName, Role};
use countersign_protocol::ledger::{Entry, EntryKind, LedgerKey, Outcome};
use countersign_protocol::life::Life;
use countersign_protocol::message::result::{AccountCreated, TokenCreated};
use countersign_protocol::random::{self, NoRandomness, Random};
use countersign_server_core::accounts::Account;
use countersign_server_core::identity::Identity;
use countersign_server_core::jobs;
use countersign_server_core::ledger::{Ledger, LedgerWriteError, StorageFailure, generate_key};
use countersign_server_core::policy;
use countersign_server_core::secrets::{Pepper, StoreKey};
use countersign_server_core::server_keys::{self, Custody, ServerKeys};
use countersign_server_core::standing::{Subject, Watched};
use countersign_server_core::stop::Stop;
use countersign_server_core::store::StoreError;
use secrecy::ExposeSecret as _;
use zeroize::Zeroizing;

use crate::config::{self, ServerUrl};
use crate::data::{DataError, DataFolder, publish_ledger_pub, write_private};
use crate::own_keys;
use crate::store::Database;

/// What the administrator chooses.
#[derive(Debug, Clone)]
pub struct Wishes {
    /// Where hosts reach the server.
    pub url: ServerUrl,
    /// Where it listens; by default the URL's port, on this machine only if the URL says so.
    pub listen: Option<SocketAddr>,
    /// The first application.
    pub application: ApplicationName,
    /// The first administrator.
    pub administrator: AccountName,
    /// Login names that the administrator may open.
    pub logins: Vec<LoginName>,
    /// Another database than a file in the folder.
    pub store: config::Store,
}

/// What the administrator must be told, once.
pub struct Made {
    /// Of the server, to be compared at every enrolment.
    pub fingerprint: Fingerprint,
    /// What receipts and exports of the ledger are checked with.
    pub ledger_key: LedgerKey,
    /// The first administrator's account and code.
    pub administrator: AccountCreated,
    /// The first application's bundle.
    pub bundle: PathBuf,
    /// Lets one host in.
    pub token: TokenCreated,
    /// The configuration.
    pub config: PathBuf,
}

/// No server was made.
#[derive(Debug, thiserror::Error)]
pub enum InitError {
    /// The folder.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The ledger.
    #[error(transparent)]
    Ledger(#[from] LedgerWriteError),
    /// The OpenPGP library.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    /// The kernel.
    #[error(transparent)]
    Random(#[from] NoRandomness),
    /// The first of everything could not be made.
    #[error("{0}")]
    First(String),
}

impl From<Stop> for InitError {
    fn from(stop: Stop) -> Self {
        Self::First(stop.to_string())
    }
}

/// Makes a server in an empty folder.
///
/// # Errors
/// [`InitError`]; what was written so far stays in the folder and is of no use.
pub fn init(
    folder: &DataFolder,
    wishes: &Wishes,
    clock: &dyn Clock,
    random: &dyn Random,
) -> Result<Made, InitError> {
    folder.create()?;
    let now = clock.now();
    let cert = own_keys::new_primary(now)?;
    let own = ServerKeys::of(&cert)?.renewed(
        &cert,
        now,
        server_keys::life(config::Keys::default().rotate_days),
        false,
    )?;
    let identity = Identity::new(&own, 1, wishes.url.as_str().to_owned(), now)?;
    write_private(&folder.server_key(), &own_keys::secret_form(&cert)?)?;
    let ledger_key = generate_key(identity.fingerprint(), random)?;
    let text =
        Zeroizing::new(format!("{}\n{}\n", ledger_key.secret.expose_secret(), ledger_key.public.as_str()));
    write_private(&folder.ledger_key(), text.as_bytes())?;
    publish_ledger_pub(folder, &ledger_key.public)?;
    let pepper = Zeroizing::new(random::array::<32>(random)?);
    write_private(&folder.pepper(), &*pepper)?;
    let store_key = Zeroizing::new(random::array::<32>(random)?);
    write_private(&folder.store_key(), &*store_key)?;
    let store_key = StoreKey::new(*store_key);
    let pepper = Pepper::new(*pepper);
    let ledger = Ledger::open(&ledger_key.secret, ledger_key.public)?;

    let database = wishes.store.database(folder)?;
    if let Database::Sqlite(path) = &database {
        write_private(path, b"")?;
    }
    let store = database.create()?;
    let mut tx = store.begin()?;
    Custody { store: &*store, ledger: &ledger, store_key: &store_key, random }.put(&*tx, 1, &own, now)?;
    let first = [
        Subject::account(&wishes.administrator),
        Subject::application(&wishes.application),
        Subject::policy(policy::DEFAULT_NAME),
    ];
    let mut watched = Watched::of(&*tx, first)?;
    let policy = policy::first(&*tx, now)?.ok_or_else(taken)?;
    let account =
        Account::pending(wishes.administrator.clone(), wishes.logins.clone(), vec![Role::Administrator]);
    let administrator = jobs::invite(&*tx, random, &pepper, &account, now)?.ok_or_else(taken)?;
    let bundle = jobs::new_application(&*tx, &identity, &wishes.application, None, Life::Active, now)?
        .ok_or_else(taken)?;
    let token = jobs::new_token(&*tx, random, &pepper, "first", now)?.ok_or_else(taken)?;
    let mut entry = Entry::new(
        EntryKind::Bootstrap,
        now,
        CorrelationId::new(random)?,
        Outcome::Noted,
        "the server was made, with its first administrator, application and enrolment token",
    );
    entry.account = Some(wishes.administrator.clone());
    entry.application = Some(wishes.application.clone());
    entry.key = Some(identity.fingerprint().clone());
    watched.note(&*tx, &mut entry)?;
    policy::record(&mut entry, &policy);
    let _first = ledger.append(&mut *tx, &entry, None)?;
    let proof =
        ledger.seal(&mut *tx)?.commit(|| tx.commit().map_err(|error| StorageFailure(error.into())))?;
    drop(proof);

    let path = folder.bundle(wishes.application.as_str());
    let json = serde_json::to_vec_pretty(&bundle)
        .map(Zeroizing::new)
        .map_err(|error| InitError::First(error.to_string()))?;
    write_private(&path, &json)?;
    let listen = wishes.listen.unwrap_or_else(|| listen_for(&wishes.url));
    let root = std::path::absolute(folder.root()).unwrap_or_else(|_| folder.root().to_owned());
    write_private(&folder.config(), config::template(listen, &wishes.url, &root, &wishes.store).as_bytes())?;
    Ok(Made {
        fingerprint: identity.fingerprint().clone(),
        ledger_key: ledger.key().clone(),
        administrator,
        bundle: path,
        token,
        config: folder.config(),
    })
}

fn taken() -> InitError {
    InitError::First("the new database is not empty".into())
}

/// On this machine only, if that is where the URL points.
fn listen_for(url: &ServerUrl) -> SocketAddr {
    let host = url.as_str().split_once("://").map_or("", |(_, host)| host);
    let here = ["127.", "localhost", "[::1]"].iter().any(|name| host.starts_with(name));
    let address: IpAddr = if here { Ipv4Addr::LOCALHOST.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    SocketAddr::new(address, url.port())
}
