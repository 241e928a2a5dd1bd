//! `server.toml`.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use countersign_server_core::policy::PolicySet;
use countersign_server_core::roster::{OfflineRules, Rules};
use serde::Deserialize;

/// What the administrator says.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Address and port to listen on.
    pub listen: SocketAddr,
    /// The URL at which hosts reach this server.
    pub url: ServerUrl,
    /// The folder with keys and database, made by `init`.
    pub data: PathBuf,
    /// A policy in place of the one that a new server begins with.
    #[serde(default)]
    pub policy: Option<PathBuf>,
    /// How much at once.
    #[serde(default)]
    pub limits: Limits,
    /// What hosts may do while they cannot reach this server.
    #[serde(default)]
    pub offline: Offline,
    /// Codes on paper.
    #[serde(default)]
    pub emergency_codes: EmergencyCodes,
}

/// Codes on paper, for the day without a card.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EmergencyCodes {
    /// Whether there are any. Where not, none is made, and none made before is good for anything.
    pub allowed: bool,
}

impl Default for EmergencyCodes {
    fn default() -> Self {
        Self { allowed: true }
    }
}

/// What hosts may do while they cannot reach this server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Offline {
    /// How long a host may go on letting people in; 0 for not at all.
    pub hours: u32,
    /// How often each account may log in on one host in that time; 0 for never.
    pub uses: u32,
}

impl Default for Offline {
    fn default() -> Self {
        Self { hours: 24, uses: 20 }
    }
}

impl Config {
    /// The policy's text, if another than the default is named.
    ///
    /// # Errors
    /// The file cannot be read, or is no policy. Its path is in the text.
    pub fn policy_text(&self) -> Result<Option<String>, String> {
        let Some(path) = &self.policy else { return Ok(None) };
        let shown = path.display();
        let text = std::fs::read_to_string(path).map_err(|error| format!("{shown}: {error}"))?;
        PolicySet::load(&text, 0).map_err(|error| format!("{shown}: {error}"))?;
        Ok(Some(text))
    }
}

impl Offline {
    /// Most hours: as long as a roster may live.
    const HOURS: u32 = 168;

    /// Most uses: nobody logs in more often in a week.
    const USES: u32 = 1000;

    /// As the core wants them.
    const fn rules(self) -> OfflineRules {
        OfflineRules::new(self.hours, self.uses)
    }
}

/// How much at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Messages a minute from one address that has not shown an enrolled host lately.
    pub strangers_per_minute: u32,
    /// Messages a second from one address that has.
    pub hosts_per_second: u32,
    /// Messages that wait for a worker; more are asked to come again.
    pub queue: u16,
    /// Open connections; more wait to be taken. Hosts that wait to hear of a change take up to half of them.
    pub connections: u16,
    /// Open connections of one address (of IPv6, one /64); more are closed at once.
    pub connections_per_address: u16,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            strangers_per_minute: 60,
            hosts_per_second: 200,
            queue: 1024,
            connections: 2048,
            connections_per_address: 32,
        }
    }
}

/// `http://host:port` or `https://…`, without anything behind it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct ServerUrl(String);

impl ServerUrl {
    /// As text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The port hosts will use.
    #[must_use]
    pub fn port(&self) -> u16 {
        let standard = if self.0.starts_with("https:") { 443 } else { 80 };
        self.0.rsplit_once(':').and_then(|(_, port)| port.parse().ok()).unwrap_or(standard)
    }
}

impl TryFrom<String> for ServerUrl {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let rest = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://"));
        let plain = |c: char| c.is_ascii_alphanumeric() || ".-:[]".contains(c);
        match rest {
            Some(host) if !host.is_empty() && host.chars().all(plain) => Ok(Self(text)),
            _ => Err(format!(
                "{text:?} is not a server URL; write http://HOST:PORT or https://HOST, without a path or a final slash"
            )),
        }
    }
}

impl std::str::FromStr for ServerUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::try_from(text.to_owned())
    }
}

/// The file is missing or wrong.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// Not readable.
    #[error("{}: {error}\nWrite one, or let `countersign-server init` make it.", .path.display())]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// Not what it should be.
    #[error("{}: {error}\nCorrect that line; `countersign-server config check` looks at the whole file.", .path.display())]
    Wrong {
        /// Which file.
        path: PathBuf,
        /// Line, key, and what was expected.
        error: Box<toml::de::Error>,
    },
    /// A number that stops everything.
    #[error("{}: limits.{key} is 0, and nobody would be served; leave it out for the default", .path.display())]
    Zero {
        /// Which file.
        path: PathBuf,
        /// Which key.
        key: &'static str,
    },
    /// More than is sensible.
    #[error("{}: offline.{key} is {value}; at most {most} are possible", .path.display())]
    TooMuch {
        /// Which file.
        path: PathBuf,
        /// Which key.
        key: &'static str,
        /// What it is.
        value: u32,
        /// What it may be.
        most: u32,
    },
}

impl Config {
    /// As the core wants them.
    #[must_use]
    pub const fn rules(&self) -> Rules {
        Rules { offline: self.offline.rules(), emergency_codes: self.emergency_codes.allowed }
    }

    /// Reads a file. Unknown keys are errors.
    ///
    /// # Errors
    /// [`ConfigError`].
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path)
            .map_err(|error| ConfigError::Unreadable { path: path.to_owned(), error })?;
        let config: Self = toml::from_str(&text)
            .map_err(|error| ConfigError::Wrong { path: path.to_owned(), error: Box::new(error) })?;
        let Limits { strangers_per_minute, hosts_per_second, queue, connections, connections_per_address } =
            config.limits;
        for (key, zero) in [
            ("strangers_per_minute", strangers_per_minute == 0),
            ("hosts_per_second", hosts_per_second == 0),
            ("queue", queue == 0),
            ("connections", connections == 0),
            ("connections_per_address", connections_per_address == 0),
        ] {
            if zero {
                return Err(ConfigError::Zero { path: path.to_owned(), key });
            }
        }
        let Offline { hours, uses } = config.offline;
        for (key, value, most) in [("hours", hours, Offline::HOURS), ("uses", uses, Offline::USES)] {
            if value > most {
                return Err(ConfigError::TooMuch { path: path.to_owned(), key, value, most });
            }
        }
        Ok(config)
    }
}

/// The file that `init` writes.
#[must_use]
pub fn template(listen: SocketAddr, url: &ServerUrl, data: &Path) -> String {
    let Limits { strangers_per_minute, hosts_per_second, queue, connections, connections_per_address } =
        Limits::default();
    let Offline { hours, uses } = Offline::default();
    format!(
        r#"# Countersign server. Unknown keys are errors; check with: countersign-server config check

# Address and port to listen on. Envelopes are sealed by themselves; for TLS put a proxy in front.
listen = "{listen}"

# The URL at which hosts reach this server. It goes into application bundles.
url = "{url}"

# Keys and database. Belongs to the user the server runs as, and to nobody else (0700).
data = {data:?}

# Who may do what, in Cedar, in place of the policy that a new server begins with. Read when the server starts.
#policy = "/etc/countersign-server/policy.cedar"

[limits]
# Messages a minute from one address that has not shown an enrolled host lately (enrolment, garbage).
#strangers_per_minute = {strangers_per_minute}

# Messages a second from one address that has.
#hosts_per_second = {hosts_per_second}

# Messages that wait for a worker; more are told to come again.
#queue = {queue}

# Open connections; more wait. Every host keeps one open to hear of changes at once; half of them may be such.
#connections = {connections}

# Open connections of one address, or of one IPv6 network; more are closed. Those of hosts that wait to hear of a
# change do not count. Raise it behind a proxy.
#connections_per_address = {connections_per_address}

[offline]
# While a host cannot reach this server, people may log in there by a list that the server signed before, if policy
# permits it whatever the time is. How many hours such a list is worth something, at most 168; 0 switches it off.
#hours = {hours}

# How often each account may log in on one host by one list, at most 1000; 0 switches it off.
#uses = {uses}

[emergency_codes]
# Each account has a code on paper that opens one login at the console of one host, without its card; every use is an alarm.
# With false none is made, and none made before is good for anything.
#allowed = true
"#,
        url = url.as_str(),
        data = data.display().to_string(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Config, ConfigError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("server.toml");
        std::fs::write(&path, text).unwrap();
        Config::read(&path)
    }

    #[test]
    fn the_file_that_init_writes_is_read_back() {
        let url: ServerUrl = "http://auth.example:8443".parse().unwrap();
        let text = template("[::]:8443".parse().unwrap(), &url, Path::new("/var/lib/countersign"));
        let config = read(&text).unwrap();
        assert_eq!((config.url.port(), config.limits), (8443, Limits::default()));
        assert_eq!(config.offline, Offline { hours: 24, uses: 20 });
        assert!(config.rules().emergency_codes);
        // What is only a comment there is what holds without it.
        let spelled = text.replace("#hours", "hours").replace("#uses", "uses");
        assert_eq!(read(&spelled).unwrap(), config);
    }

    #[test]
    fn offline_may_be_switched_off_and_not_be_without_end() {
        let with = |offline: &str| {
            read(&format!(
                "listen = \"127.0.0.1:1\"\nurl = \"http://a:1\"\ndata = \"/x\"\n[offline]\n{offline}\n"
            ))
        };
        assert_eq!(with("hours = 0").unwrap().offline, Offline { hours: 0, uses: 20 });
        assert_eq!(with("uses = 0").unwrap().offline, Offline { hours: 24, uses: 0 });
        assert!(with("hours = 168\nuses = 1000").is_ok());
        assert!(with("hours = 169").unwrap_err().to_string().contains("offline.hours is 169; at most 168"));
        assert!(with("uses = 1001").unwrap_err().to_string().contains("offline.uses is 1001; at most 1000"));
        assert!(with("days = 1").is_err());
        assert!(with("hours = -1").is_err());
    }

    #[test]
    fn an_unknown_key_is_named_with_its_file_and_line() {
        let text = "listen = \"127.0.0.1:1\"\nurl = \"http://a:1\"\ndata = \"/x\"\nlisten_on = 1\n";
        let said = read(text).unwrap_err().to_string();
        for part in ["server.toml", "line 4", "listen_on", "expected one of"] {
            assert!(said.contains(part), "{part:?} is not in: {said}");
        }
    }

    #[test]
    fn a_url_with_a_path_is_refused() {
        for bad in ["auth.example", "ftp://x", "http://", "http://x/", "http://x y", "https://x/v1"] {
            assert!(bad.parse::<ServerUrl>().is_err(), "{bad}");
        }
        assert_eq!("https://auth.example".parse::<ServerUrl>().unwrap().port(), 443);
    }

    #[test]
    fn a_limit_of_nothing_is_refused() {
        let text = "listen = \"127.0.0.1:1\"\nurl = \"http://a:1\"\ndata = \"/x\"\n[limits]\nqueue = 0\n";
        assert!(read(text).unwrap_err().to_string().contains("limits.queue is 0"));
    }
}
