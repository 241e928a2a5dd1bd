//! The one thing this program fetches from the web: a certificate, which proves itself by the card's key.

use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use ureq::tls::{PemItem, RootCerts, TlsConfig, parse_pem};

use crate::failure::{Failure, LocalKind};
use crate::files;

/// From the name's look-up to the last byte.
const PATIENCE: Duration = Duration::from_secs(20);

/// Most redirects: http to https is none of them, a key directory may need one or two.
const REDIRECTS: u32 = 3;

/// Largest file of authorities.
const AUTHORITIES: usize = 1024 * 1024;

/// Whether the address may be fetched at all.
pub(crate) fn check(url: &str) -> Result<(), Failure> {
    let scheme_is_https = url.get(..8).is_some_and(|scheme| scheme.eq_ignore_ascii_case("https://"));
    let authority = url.get(8..).unwrap_or_default().split(['/', '?', '#']).next().unwrap_or_default();
    let is_plain =
        url.chars().all(|c| c.is_ascii_graphic()) && !authority.is_empty() && !authority.contains('@');
    if scheme_is_https && is_plain {
        return Ok(());
    }
    Err(failed(format!("{url} is not fetched: only https addresses are, without a user name in them"))
        .then("Get the certificate by other means, and name the file with --adopt FILE."))
}

/// Fetches at most `limit` bytes.
pub(crate) fn fetch(url: &str, authorities: Option<&Path>, limit: usize) -> Result<Vec<u8>, Failure> {
    let mut tls = TlsConfig::builder();
    if let Some(path) = authorities {
        tls = tls.root_certs(RootCerts::Specific(Arc::new(read_authorities(path)?)));
    }
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .https_only(true)
        .max_redirects(REDIRECTS)
        .timeout_global(Some(PATIENCE))
        .tls_config(tls.build())
        .user_agent("countersign")
        .build()
        .into();
    let not_fetched = |why: String| {
        failed(format!("{url} cannot be fetched: {why}")).then(
            "Check the network, or get the certificate by other means and name the file with --adopt FILE.",
        )
    };
    let mut response = agent.get(url).call().map_err(|error| not_fetched(error.to_string()))?;
    let ceiling = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    let mut bytes = Vec::new();
    response
        .body_mut()
        .as_reader()
        .take(ceiling)
        .read_to_end(&mut bytes)
        .map_err(|error| not_fetched(error.to_string()))?;
    if bytes.len() > limit { Err(not_fetched(format!("it is over {limit} bytes"))) } else { Ok(bytes) }
}

fn read_authorities(path: &Path) -> Result<Vec<ureq::tls::Certificate<'static>>, Failure> {
    let bytes = files::read(path, "the file of authorities", AUTHORITIES)?;
    let found: Vec<_> = parse_pem(&bytes)
        .filter_map(|item| match item {
            Ok(PemItem::Certificate(certificate)) => Some(certificate),
            _ => None,
        })
        .collect();
    if found.is_empty() {
        return Err(Failure::file(format!("{} holds no certificate in PEM", path.display())));
    }
    Ok(found)
}

fn failed(message: String) -> Failure {
    Failure::local(LocalKind::NotFetched, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_https_addresses_are_fetched() {
        for url in ["https://example.org/ana.asc", "HTTPS://example.org", "https://example.org:8443/?a=b"] {
            assert!(check(url).is_ok(), "{url}");
        }
        for url in [
            "http://example.org/ana.asc",
            "ldap://keys.example.org",
            "hkps://keys.example.org",
            "https://",
            "https:///ana",
            "https://ana@example.org/",
            "https://example.org/a b",
            "https://example.org/\u{1b}[2J",
            "file:///etc/shadow",
            "",
        ] {
            assert!(check(url).is_err(), "{url:?}");
        }
    }
}
