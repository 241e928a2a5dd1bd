//! Where the database is.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio_postgres::config::{Config, Host, SslMode};
use tokio_postgres::{Client, Error, NoTls};

use super::connection::Wire;

/// Where Debian's PostgreSQL listens on its own machine.
const SOCKETS: &str = "/var/run/postgresql";

/// How long a connection may take to come about, if the address does not say.
const CONNECTING: Duration = Duration::from_secs(5);

/// How long a machine may be silent, on a connection that crosses a network, until it is taken for gone: without this, one that
/// lost its power is waited for a quarter of an hour, or two hours.
const GONE: Duration = Duration::from_secs(10);

/// How soon, and how often, a machine from which nothing comes is asked whether it is there. What the library would wait is what
/// nobody chose.
const ASKED: (Duration, Duration, u32) = (Duration::from_secs(10), Duration::from_secs(3), 3);
const UNCHOSEN: Duration = Duration::from_secs(2 * 60 * 60);

/// The address of a database: `host=/var/run/postgresql user=countersign dbname=countersign`.
#[derive(Clone, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct Address {
    /// As it was written.
    text: String,
    config: Box<Config>,
}

/// What is written there is no address that can be used.
#[derive(Debug, thiserror::Error)]
pub enum BadAddress {
    /// Not in the form of PostgreSQL's connection strings.
    #[error("{0}")]
    Form(#[from] Error),
    /// No database is named.
    #[error("it names no database: add dbname=NAME")]
    NoDatabase,
    /// A secret does not belong where everything is shown.
    #[error("it holds a password; put that into a file of its own (0600) and name it in store.password_file")]
    Password,
    /// We do not speak TLS with it.
    #[error(
        "it asks for TLS to the database, which this server does not speak: \
         use a socket (host=/var/run/postgresql), or a tunnel that ends on this machine"
    )]
    Tls,
    /// Others could read along, and change what passes.
    #[error(
        "{0} is another machine, and what goes there is not encrypted: use a tunnel that ends on this machine, \
         or add sslmode=disable if nobody else is on that network"
    )]
    Open(String),
}

impl FromStr for Address {
    type Err = BadAddress;

    fn from_str(text: &str) -> Result<Self, BadAddress> {
        let mut config: Config = text.parse()?;
        if config.get_password().is_some() {
            return Err(BadAddress::Password);
        }
        if config.get_dbname().is_none() {
            return Err(BadAddress::NoDatabase);
        }
        if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
            config.host_path(SOCKETS);
        }
        match config.get_ssl_mode() {
            SslMode::Disable => {}
            SslMode::Prefer => {
                if let Some(far) = far(&config) {
                    return Err(BadAddress::Open(far));
                }
            }
            _ => return Err(BadAddress::Tls),
        }
        config.ssl_mode(SslMode::Disable);
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(CONNECTING);
        }
        if config.get_tcp_user_timeout().is_none() {
            config.tcp_user_timeout(GONE);
        }
        if config.get_keepalives_idle() == UNCHOSEN {
            config.keepalives_idle(ASKED.0).keepalives_interval(ASKED.1).keepalives_retries(ASKED.2);
        }
        config.application_name("countersign-server");
        Ok(Self { text: text.to_owned(), config: Box::new(config) })
    }
}

impl TryFrom<String> for Address {
    type Error = BadAddress;

    fn try_from(text: String) -> Result<Self, BadAddress> {
        text.parse()
    }
}

impl From<Address> for String {
    fn from(address: Address) -> Self {
        address.text
    }
}

impl PartialEq for Address {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Address {}

/// A host that is not this machine.
fn far(config: &Config) -> Option<String> {
    let here =
        |name: &str| name == "localhost" || name.parse().is_ok_and(|ip: std::net::IpAddr| ip.is_loopback());
    if let Some(far) = config.get_hostaddrs().iter().find(|ip| !ip.is_loopback()) {
        return Some(far.to_string());
    }
    if !config.get_hostaddrs().is_empty() {
        return None;
    }
    config.get_hosts().iter().find_map(|host| match host {
        Host::Tcp(name) if !here(name) => Some(name.clone()),
        _ => None,
    })
}

impl Address {
    /// The same, with a password.
    #[must_use]
    pub fn with_password(mut self, password: &[u8]) -> Self {
        self.config.password(password);
        self
    }

    pub(super) async fn connect(&self) -> Result<(Client, Wire), Error> {
        let (client, mut connection) = self.config.connect(NoTls).await?;
        Ok((client, Box::new(move |cx| connection.poll_message(cx))))
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the PostgreSQL database {}", self.config.get_dbname().unwrap_or_default())?;
        for host in self.config.get_hosts() {
            match host {
                Host::Tcp(name) => write!(f, " at {name}")?,
                Host::Unix(path) => write!(f, " at {}", path.display())?,
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Address({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_without_a_host_is_this_machines_socket() {
        let address: Address = "dbname=countersign user=countersign".parse().unwrap();
        assert_eq!(address.to_string(), "the PostgreSQL database countersign at /var/run/postgresql");
    }

    #[test]
    fn what_would_travel_open_to_another_machine_is_refused() {
        for far in [
            "host=db.example dbname=x",
            "host=10.0.0.1 dbname=x",
            "hostaddr=10.0.0.1 host=localhost dbname=x",
        ] {
            assert!(matches!(far.parse::<Address>(), Err(BadAddress::Open(_))), "{far}");
            assert!(format!("{far} sslmode=disable").parse::<Address>().is_ok(), "{far}");
            assert!(
                matches!(format!("{far} sslmode=require").parse::<Address>(), Err(BadAddress::Tls)),
                "{far}"
            );
        }
        for near in [
            "host=localhost dbname=x",
            "host=127.0.0.1 dbname=x",
            "host=/run/x dbname=x",
            "host=::1 dbname=x",
        ] {
            assert!(near.parse::<Address>().is_ok(), "{near}");
        }
    }

    #[test]
    fn a_password_is_not_shown_with_the_configuration() {
        let with = "dbname=x password=secret".parse::<Address>();
        assert!(matches!(with, Err(BadAddress::Password)));
        assert!(matches!("host=localhost".parse::<Address>(), Err(BadAddress::NoDatabase)));
        let address = "dbname=x".parse::<Address>().unwrap().with_password(b"secret");
        assert!(!format!("{address} {address:?}").contains("secret"));
    }
}
