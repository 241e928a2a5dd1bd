//! `url`.

use serde::{Deserialize, Serialize};

/// `http://host:port` or `https://…`, without anything behind it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_with_a_path_is_refused() {
        for bad in ["auth.example", "ftp://x", "http://", "http://x/", "http://x y", "https://x/v1"] {
            assert!(bad.parse::<ServerUrl>().is_err(), "{bad}");
        }
        assert_eq!("https://auth.example".parse::<ServerUrl>().unwrap().port(), 443);
    }
}
