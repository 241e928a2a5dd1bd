//! One server in a folder of its own on a real disk: its rows, its process, and what that costs.

use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use countersign_protocol::certificate::{self, Cert};
use countersign_protocol::clock::{Clock as _, SystemClock};
use countersign_protocol::ids::Fingerprint;
use countersign_protocol::ledger::LedgerKey;
use countersign_protocol::message::result::ApplicationBundle;
use countersign_protocol::random::SystemRandom;
use countersign_server::config;
use countersign_server::data::DataFolder;
use countersign_server::init::{Wishes, init};
use countersign_server::open::keys;
use countersign_server::store::CrashPoint;
use countersign_server_core::ledger::Ledger;
use countersign_server_core::store::Store;
use countersign_tests::{PortPair, Trouble, target_bin, wait_until};
use tempfile::TempDir;

use super::cost::Cost;
use super::failed;
use super::keys::{Host, Person};
use super::seed;

/// Hosts of a site: enough that no two clients wait for one another's.
const HOSTS: usize = 8;

/// A server that is not running.
pub(super) struct Site {
    pub(super) server: Cert,
    pub(super) fingerprint: Fingerprint,
    pub(super) ledger_key: LedgerKey,
    pub(super) hosts: Vec<Host>,
    pub(super) people: Vec<Person>,
    pub(super) folder: DataFolder,
    pub(super) store: config::Store,
    ports: PortPair,
    root: TempDir,
}

/// It, running. Killed when dropped.
pub(super) struct Running<'a> {
    pub(super) site: &'a Site,
    pub(super) address: SocketAddr,
    process: Child,
}

impl Site {
    /// A new server below `disk` with so many accounts, and its database there or where `store` says.
    pub(super) fn make(disk: &Path, store: config::Store, accounts: usize) -> Result<Self, Trouble> {
        let root = tempfile::Builder::new().prefix("countersign-bench-").tempdir_in(disk).map_err(failed)?;
        let folder = DataFolder::at(root.path().join("data"));
        let ports = PortPair::claim()?;
        let url = format!("http://127.0.0.1:{}", ports.first());
        let wishes = Wishes {
            url: url.parse().map_err(failed)?,
            listen: None,
            application: "countersign".parse().map_err(failed)?,
            administrator: "admin".parse().map_err(failed)?,
            logins: Vec::new(),
            store: store.clone(),
        };
        let made = init(&folder, &wishes, &SystemClock, &SystemRandom).map_err(failed)?;
        let now = SystemClock.now();
        let bundle = std::fs::read(&made.bundle).map_err(failed)?;
        let bundle: ApplicationBundle = serde_json::from_slice(&bundle).map_err(failed)?;
        let hosts = (0..HOSTS).map(|_| Host::make(now)).collect::<Result<Vec<_>, _>>()?;
        let people = people(accounts)?;
        let site = Self {
            server: certificate::parse(&bundle.server_certificate.0).map_err(failed)?,
            fingerprint: made.fingerprint,
            ledger_key: made.ledger_key,
            hosts,
            people: Vec::new(),
            folder,
            store,
            ports,
            root,
        };
        let (store, ledger) = (site.open_store()?, site.ledger()?);
        seed::hosts(&*store, &ledger, &site.hosts, &wishes.application, now)?;
        seed::people(&*store, &ledger, &people, now)?;
        Ok(Self { people: people.into_iter().map(|(person, _)| person).collect(), ..site })
    }

    /// Makes the ledger so long.
    pub(super) fn fill_ledger(&self, entries: u64) -> Result<(), Trouble> {
        seed::entries(&*self.open_store()?, &self.ledger()?, entries, SystemClock.now())
    }

    pub(super) fn ledger(&self) -> Result<Ledger, Trouble> {
        Ok(keys(&self.folder).map_err(failed)?.ledger)
    }

    pub(super) fn open_store(&self) -> Result<Arc<dyn Store>, Trouble> {
        let database = self.store.database(&self.folder).map_err(failed)?;
        database.open(CrashPoint::never()).map_err(failed)
    }

    /// Where it is served.
    pub(super) fn address(&self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.ports.first()))
    }

    /// Starts the server, with this document of policies beside the default.
    pub(super) fn start(&self, policy: Option<&str>) -> Result<Running<'_>, Trouble> {
        let config = self.root.path().join("server.toml");
        let mut text = format!(
            "listen = \"127.0.0.1:{port}\"\nurl = \"http://127.0.0.1:{port}\"\ndata = {data:?}\n",
            port = self.ports.first(),
            data = self.folder.root().display().to_string(),
        );
        // All clients are at one address, and they are all there is.
        text.push_str(
            "[limits]\nstrangers_per_minute = 1000000\nhosts_per_second = 1000000\nqueue = 1024\nconnections = 2048\n\
             connections_per_address = 1024\n",
        );
        if let Some(address) = self.store.postgres.clone() {
            text.push_str(&format!("[store]\npostgres = {:?}\n", String::from(address)));
        }
        std::fs::write(&config, text).map_err(failed)?;
        if let Some(policy) = policy {
            let path = self.root.path().join("others.cedar");
            std::fs::write(&path, policy).map_err(failed)?;
            let mut import = Command::new(target_bin("countersign-server")?);
            let import = import.args(["policy", "import", "--config"]).arg(&config).arg(&path);
            let imported = import.output().map_err(failed)?;
            if !imported.status.success() {
                return Err(failed(String::from_utf8_lossy(&imported.stderr)));
            }
        }
        let log = std::fs::File::create(self.root.path().join("server.log")).map_err(failed)?;
        let process = Command::new(target_bin("countersign-server")?)
            .args(["serve", "--config"])
            .arg(&config)
            // It halves the library's speed, and no service has it.
            .env_remove("RUST_BACKTRACE")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .map_err(failed)?;
        let address = self.address();
        let mut running = Running { site: self, address, process };
        wait_until("the server to listen", Duration::from_secs(60), || {
            if running.process.try_wait().map_err(failed)?.is_some() {
                let log = std::fs::read_to_string(self.root.path().join("server.log")).unwrap_or_default();
                return Err(failed(format!("the server stopped:\n{log}")));
            }
            Ok(TcpStream::connect(address).is_ok().then_some(()))
        })?;
        Ok(running)
    }
}

impl Running<'_> {
    /// What the process used so far.
    pub(super) fn cost(&self) -> Result<Cost, Trouble> {
        Cost::of(self.process.id())
    }

    /// Its process id, for whoever wants to look at it from outside.
    pub(super) fn pid(&self) -> u32 {
        self.process.id()
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        // Already gone is as good.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// By all cores: two key pairs and their signatures each.
fn people(accounts: usize) -> Result<Vec<(Person, Cert)>, Trouble> {
    let now = SystemClock.now();
    super::on_all_cores(accounts, &|number| Person::make(number, now))
}
