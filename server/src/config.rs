//! `server.toml`. One file for each section; every key is in docs/server.md.

mod api;
mod emergency_codes;
mod error;
mod keys;
mod ledger;
mod limits;
mod log;
mod mail;
mod metrics;
mod offline;
mod proxy;
mod registration;
mod sms;
mod store;
mod template;
mod tls;
mod url;

pub use api::Api;
pub use emergency_codes::EmergencyCodes;
pub use error::{ConfigError, Unfit};
pub use keys::Keys;
pub use ledger::Ledger;
pub use limits::Limits;
pub use log::{Log, LogFormat, LogLevel};
pub use mail::{Mail, Security};
pub use metrics::Metrics;
pub use offline::Offline;
pub use proxy::Proxy;
pub use registration::{Method, Registration};
pub use sms::{Format, HttpMethod, Sms};
pub use store::Store;
pub use template::template;
pub use tls::Tls;
pub use url::ServerUrl;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use countersign_server_core::roster::Rules;
use serde::{Deserialize, Serialize};

/// What the administrator says. Whoever shows it writes it as it is: what is secret stands in files that it names.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Address and port to listen on.
    pub listen: SocketAddr,
    /// The URL at which hosts reach this server.
    pub url: ServerUrl,
    /// The folder with keys and database, made by `init`.
    pub data: PathBuf,
    /// Another database than a file in that folder.
    #[serde(default)]
    pub store: Store,
    /// Of earlier releases: policies are documents in the database now.
    #[serde(default, skip_serializing)]
    policy: Option<PathBuf>,
    /// TLS by the server itself.
    #[serde(default)]
    pub tls: Option<Tls>,
    /// Proxies of one's own in front of it.
    #[serde(default)]
    pub proxy: Proxy,
    /// What is written to stderr.
    #[serde(default)]
    pub log: Log,
    /// Figures for Prometheus.
    #[serde(default)]
    pub metrics: Metrics,
    /// Whom the ledger is told.
    #[serde(default)]
    pub ledger: Ledger,
    /// How long the server's subkeys are used.
    #[serde(default)]
    pub keys: Keys,
    /// How much at once.
    #[serde(default)]
    pub limits: Limits,
    /// Who does the jobs.
    #[serde(default)]
    pub api: Api,
    /// What hosts may do while they cannot reach this server.
    #[serde(default)]
    pub offline: Offline,
    /// Codes on paper.
    #[serde(default)]
    pub emergency_codes: EmergencyCodes,
    /// Who may make an account without an administrator.
    #[serde(default)]
    pub registration: Registration,
    /// The mail server that takes letters to people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mail: Option<Mail>,
    /// The gateway that takes short messages.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sms: Option<Sms>,
}

/// What to do about a key of earlier releases.
const POLICY_GONE: &str = "is no key any more: policies are documents in the database, changed by requests. Take this line \
                           out. If the server has run with that file, the database has its text as the document default; if \
                           not, take it in: countersign-server policy import --config server.toml FILE";

impl Config {
    /// Reads a file. Unknown keys are errors.
    ///
    /// # Errors
    /// [`ConfigError`].
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path)
            .map_err(|error| ConfigError::Unreadable { path: path.to_owned(), error })?;
        let config: Self = toml::from_str(&text).map_err(|error| ConfigError::wrong(path, &text, &error))?;
        config.check().map_err(|unfit| ConfigError::Unfit { path: path.to_owned(), unfit })?;
        Ok(config)
    }

    /// What no type says, section by section.
    fn check(&self) -> Result<(), Unfit> {
        self.store.check()?;
        self.ledger.check()?;
        if self.policy.is_some() {
            return Err(Unfit::new("policy", POLICY_GONE));
        }
        self.limits.check()?;
        self.api.check()?;
        self.keys.check()?;
        self.offline.check()?;
        self.mail.as_ref().map_or(Ok(()), Mail::check)?;
        self.sms.as_ref().map_or(Ok(()), Sms::check)?;
        self.registration.check(self.mail.is_some(), self.sms.is_some())
    }

    /// What is in force: the file, with the defaults of what it does not say.
    ///
    /// # Errors
    /// It cannot be written as TOML.
    pub fn shown(&self) -> Result<String, toml::ser::Error> {
        toml::to_string(self)
    }

    /// As the core wants them.
    #[must_use]
    pub const fn rules(&self) -> Rules {
        Rules { offline: self.offline.rules(), emergency_codes: self.emergency_codes.allowed }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    const SHORTEST: &str = "listen = \"127.0.0.1:1\"\nurl = \"http://a:1\"\ndata = \"/x\"\n";

    pub(super) fn read(text: &str) -> Result<Config, ConfigError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("server.toml");
        std::fs::write(&path, text).unwrap();
        Config::read(&path)
    }

    /// The shortest file there is, and this behind it.
    pub(super) fn read_with(section: &str) -> Result<Config, ConfigError> {
        read(&format!("{SHORTEST}{section}"))
    }

    #[test]
    fn an_unknown_key_is_named_with_its_file_and_line() {
        let said = read_with("listen_on = 1\n").unwrap_err().to_string();
        for part in ["server.toml", "line 4", "listen_on", "expected one of"] {
            assert!(said.contains(part), "{part:?} is not in: {said}");
        }
    }

    #[test]
    fn what_is_in_force_is_shown_and_can_be_read_back() {
        let config = read_with("[offline]\nhours = 5\n").unwrap();
        let shown = config.shown().unwrap();
        assert!(shown.contains("hours = 5\nuses = 20\n"), "{shown}");
        assert_eq!(read(&shown).unwrap(), config);
    }

    /// The rows of the table in docs/server.md: key, and its default if it has one.
    fn documented() -> BTreeMap<String, Option<toml::Value>> {
        let rows = include_str!("../../docs/server.md").lines().filter_map(|line| {
            let mut cells = line.strip_prefix("| `")?.split('|').map(str::trim);
            let key = cells.next()?.strip_suffix('`')?.to_owned();
            // Below it is a table of metrics.
            if key.starts_with("countersign_") {
                return None;
            }
            let default = cells.next()?.strip_prefix('`').and_then(|cell| cell.strip_suffix('`'));
            let value =
                |text: &str| toml::from_str::<toml::Table>(&format!("x = {text}")).unwrap()["x"].clone();
            Some((key, default.map(value)))
        });
        rows.collect()
    }

    #[test]
    fn every_key_is_documented_with_its_default() {
        let documented = documented();
        let shown: toml::Table = toml::from_str(&read_with("").unwrap().shown().unwrap()).unwrap();
        for (key, value) in shown {
            let entries: Vec<(String, toml::Value)> = match value {
                toml::Value::Table(table) => {
                    table.into_iter().map(|(inner, value)| (format!("{key}.{inner}"), value)).collect()
                }
                value => vec![(key, value)],
            };
            for (key, value) in entries {
                let default =
                    documented.get(&key).unwrap_or_else(|| panic!("{key} is not in docs/server.md"));
                if !["listen", "url", "data"].contains(&key.as_str()) {
                    assert_eq!(default.as_ref(), Some(&value), "{key}");
                }
            }
        }
    }

    #[test]
    fn every_documented_default_can_be_written() {
        for (key, default) in documented() {
            let Some(default) = default else { continue };
            let (section, key) = key.split_once('.').unwrap_or(("", &key));
            let line = format!("{key} = {default}\n");
            let read = if section.is_empty() {
                read_with(&line)
            } else {
                read_with(&format!("[{section}]\n{line}"))
            };
            assert!(read.is_ok(), "{section} {line}: {read:?}");
        }
    }
}
