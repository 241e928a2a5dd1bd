//! `[mail]`: the mail server that takes letters to people.

use std::path::PathBuf;

use countersign_protocol::contact::MailAddress;
use serde::{Deserialize, Serialize};

use super::Unfit;

/// The mail server that takes letters to people.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Mail {
    /// Its name, as its certificate has it.
    pub server: String,
    /// Its port: 587 with `starttls`, 465 with `tls`, 25 with `none`, if not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// How the way there is protected.
    #[serde(default)]
    pub security: Security,
    /// Who we are to it; nobody, if not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The file with the password. A name without a slash is a credential of systemd.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password_file: Option<PathBuf>,
    /// Who letters are from.
    pub from: MailAddress,
    /// Who signs the server's certificate (PEM), in place of the authorities of the system.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<PathBuf>,
}

/// How the way to the mail server is protected.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Security {
    /// TLS from the first byte.
    Tls,
    /// TLS before anything that matters, or nothing is sent.
    #[default]
    Starttls,
    /// None, to this very machine.
    None,
}

impl Mail {
    /// Its port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port.unwrap_or(match self.security {
            Security::Tls => 465,
            Security::Starttls => 587,
            Security::None => 25,
        })
    }

    /// Nothing leaves this machine unprotected, and a name goes with its password.
    pub(super) fn check(&self) -> Result<(), Unfit> {
        let host = |c: char| c.is_ascii_alphanumeric() || ".-:".contains(c);
        if self.server.is_empty() || !self.server.chars().all(host) {
            return Err(Unfit::new("mail.server", "is no host name; the port stands in mail.port"));
        }
        if self.security == Security::None && !is_this_machine(&self.server) {
            return Err(Unfit::new(
                "mail.security",
                "is \"none\", which is for a mail server on this machine alone (localhost); use \"starttls\" or \"tls\"",
            ));
        }
        if self.user.is_some() != self.password_file.is_some() {
            return Err(Unfit::new(
                "mail.user",
                "goes together with mail.password_file: give both, or neither",
            ));
        }
        Ok(())
    }
}

/// Whether this name is always this machine's.
pub(super) fn is_this_machine(host: &str) -> bool {
    matches!(host, "localhost" | "127.0.0.1" | "::1" | "[::1]")
}

#[cfg(test)]
mod tests {
    use super::super::tests::read_with;
    use super::*;

    #[test]
    fn mail_leaves_this_machine_under_tls_alone() {
        let with = |more: &str| read_with(&format!("[mail]\nfrom = \"auth@example.org\"\n{more}\n"));
        let mail = with("server = \"mail.example.org\"").unwrap().mail.unwrap();
        assert_eq!((mail.security, mail.port()), (Security::Starttls, 587));
        assert_eq!(with("server = \"m.example\"\nsecurity = \"tls\"").unwrap().mail.unwrap().port(), 465);
        assert!(with("server = \"localhost\"\nsecurity = \"none\"").is_ok());
        for (bad, why) in [
            ("server = \"mail.example.org\"\nsecurity = \"none\"", "on this machine alone"),
            ("server = \"localhost.example.org\"\nsecurity = \"none\"", "on this machine alone"),
            ("server = \"mail example\"", "no host name"),
            ("server = \"m.example\"\nuser = \"u\"", "give both"),
            ("server = \"m.example\"\npassword = \"p\"", "unknown field"),
            ("server = \"m.example\"\nsecurity = \"opportunistic\"", "unknown variant"),
        ] {
            let said = with(bad).unwrap_err().to_string();
            assert!(said.contains(why), "{bad}: {said}");
        }
    }
}
