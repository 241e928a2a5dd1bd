//! By short message: whatever gateway speaks HTTP.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use countersign_protocol::contact::{Address, Channel};
use countersign_server_core::outbox::{Failed, Letter};
use secrecy::{ExposeSecret as _, SecretString};
use ureq::tls::{PemItem, RootCerts, TlsConfig, parse_pem};

use super::{Carrier, CarrierError, NotCarried, SecretFileError, redact, secret_file};
use crate::config::{Format, HttpMethod, Sms};

/// From the name's look-up to the last byte.
const PATIENCE: Duration = Duration::from_secs(30);

/// Hands letters to one gateway.
pub struct SmsCarrier {
    agent: ureq::Agent,
    sms: Sms,
    headers: Vec<(String, SecretString)>,
}

impl SmsCarrier {
    /// Of these settings; headers and authorities are read.
    ///
    /// # Errors
    /// [`CarrierError`].
    pub fn new(sms: &Sms) -> Result<Self, CarrierError> {
        let mut tls = TlsConfig::builder();
        if let Some(path) = &sms.ca_file {
            tls = tls.root_certs(RootCerts::Specific(Arc::new(authorities(path)?)));
        }
        let agent = ureq::Agent::config_builder()
            .max_redirects(0)
            .http_status_as_error(false)
            .timeout_global(Some(PATIENCE))
            .tls_config(tls.build())
            .user_agent("countersign-server")
            .build()
            .into();
        let headers = sms.headers_file.as_deref().map(headers).transpose()?.unwrap_or_default();
        Ok(Self { agent, sms: sms.clone(), headers })
    }
}

impl Carrier for SmsCarrier {
    fn channel(&self) -> Channel {
        Channel::Sms
    }

    fn carry(&self, letter: &Letter, id: &str) -> Result<(), NotCarried> {
        let not = |failed: Failed, why: String| Err(NotCarried { failed, why });
        let Address::Sms(number) = &letter.to else {
            return not(Failed::ForGood, "not a telephone number".to_owned());
        };
        let mut request = match self.sms.method {
            HttpMethod::Post => self.agent.post(&self.sms.url),
            HttpMethod::Put => self.agent.put(&self.sms.url),
        };
        request = request.header(
            "Content-Type",
            match self.sms.format {
                Format::Json => "application/json",
                Format::Form => "application/x-www-form-urlencoded",
            },
        );
        // Gateways that know the header send one letter once, however often it comes.
        request = request.header("Idempotency-Key", id);
        for (name, value) in &self.headers {
            request = request.header(name, value.expose_secret());
        }
        match request.send(self.sms.filled(number.as_str(), &letter.text)) {
            Err(error) => not(Failed::ForNow, redact::without(&error.to_string(), &letter.to)),
            Ok(response) => {
                let status = response.status().as_u16();
                match status {
                    200..=299 => Ok(()),
                    // What is wrong with the message will be wrong tomorrow; a key or an address of the gateway may not.
                    400 | 422 => not(Failed::ForGood, format!("the gateway answered {status}")),
                    _ => not(Failed::ForNow, format!("the gateway answered {status}")),
                }
            }
        }
    }
}

fn headers(path: &Path) -> Result<Vec<(String, SecretString)>, SecretFileError> {
    let text = secret_file::read(path)?;
    let wrong = |what| SecretFileError::Content { path: path.to_owned(), what };
    let mut headers = Vec::new();
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        let (name, value) = line.split_once(':').ok_or_else(|| wrong("a line is not NAME: VALUE"))?;
        let token = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
        if name.is_empty() || !name.chars().all(token) || value.chars().any(char::is_control) {
            return Err(wrong("a line is no header"));
        }
        headers.push((name.to_owned(), SecretString::from(value.trim())));
    }
    Ok(headers)
}

/// Every certificate in a PEM text.
pub(super) fn certificates(pem: &[u8]) -> Vec<ureq::tls::Certificate<'static>> {
    parse_pem(pem)
        .filter_map(|item| match item {
            Ok(PemItem::Certificate(certificate)) => Some(certificate),
            _ => None,
        })
        .collect()
}

fn authorities(path: &Path) -> Result<Vec<ureq::tls::Certificate<'static>>, CarrierError> {
    let wrong = |what: String| CarrierError::Authorities { path: path.to_owned(), what };
    let found = certificates(&std::fs::read(path).map_err(|error| wrong(error.to_string()))?);
    if found.is_empty() { Err(wrong("it holds no certificate in PEM".to_owned())) } else { Ok(found) }
}
