//! By mail: SMTP under TLS.

use std::path::Path;
use std::time::Duration;

use countersign_protocol::contact::{Address, Channel, MailAddress};
use countersign_server_core::outbox::{Failed, Letter};
use lettre::message::header::{ContentType, Header, HeaderName, HeaderValue};
use lettre::message::{Mailbox, Message};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, CertificateStore, Tls, TlsParameters};
use lettre::{SmtpTransport, Transport as _};

use super::{Carrier, CarrierError, NotCarried, redact, secret_file};
use crate::config::{Mail, Security};

/// For each word of the mail server.
const PATIENCE: Duration = Duration::from_secs(20);

/// Hands letters to one mail server.
pub struct MailCarrier {
    transport: SmtpTransport,
    from: MailAddress,
}

/// Tells programs that answer for people who are away not to (RFC 3834).
#[derive(Clone)]
struct AutoSubmitted;

impl Header for AutoSubmitted {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("Auto-Submitted")
    }

    fn parse(_: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self)
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), "auto-generated".to_owned())
    }
}

impl MailCarrier {
    /// Of these settings; password and authorities are read.
    ///
    /// # Errors
    /// [`CarrierError`].
    pub fn new(mail: &Mail) -> Result<Self, CarrierError> {
        let tls = match mail.security {
            Security::None => Tls::None,
            Security::Starttls => Tls::Required(parameters(mail)?),
            Security::Tls => Tls::Wrapper(parameters(mail)?),
        };
        let mut builder =
            SmtpTransport::builder_dangerous(&mail.server).port(mail.port()).tls(tls).timeout(Some(PATIENCE));
        if let (Some(user), Some(file)) = (&mail.user, &mail.password_file) {
            let password = secret_file::read(file)?;
            // What lettre has it keeps as it is, for as long as we run, in each connection: it signs in anew with each, and
            // wipes nothing. The file's own text is wiped here, and there is no further copy.
            let password = password.trim_end_matches(['\n', '\r']).to_owned();
            builder = builder.credentials(Credentials::new(user.clone(), password));
        }
        Ok(Self { transport: builder.build(), from: mail.from.clone() })
    }

    fn message(&self, to: &MailAddress, letter: &Letter, id: &str) -> Result<Message, String> {
        let mailbox = |address: &MailAddress| -> Result<Mailbox, String> {
            let address =
                address.as_str().parse().map_err(|_| "an address that lettre does not take".to_owned())?;
            Ok(Mailbox::new(None, address))
        };
        // Whoever gets one letter twice sees that it is one.
        Message::builder()
            .message_id(Some(format!("<{id}@{}>", self.from.domain())))
            .from(mailbox(&self.from)?)
            .to(mailbox(to)?)
            .subject(&letter.subject)
            .header(AutoSubmitted)
            .header(ContentType::TEXT_PLAIN)
            .body(letter.text.clone())
            .map_err(|error| error.to_string())
    }
}

impl Carrier for MailCarrier {
    fn channel(&self) -> Channel {
        Channel::Email
    }

    fn carry(&self, letter: &Letter, id: &str) -> Result<(), NotCarried> {
        let never = |why: String| NotCarried { failed: Failed::ForGood, why };
        let Address::Email(to) = &letter.to else { return Err(never("not a mail address".to_owned())) };
        let message = self.message(to, letter, id).map_err(never)?;
        self.transport.send(&message).map(drop).map_err(|error| {
            // 535 and kin are about us, and are mended on our side; only a "no" to a receiver is for good.
            let ours = error.status().is_some_and(|code| matches!(u16::from(code), 530 | 534 | 535 | 538));
            let failed = if error.is_permanent() && !ours { Failed::ForGood } else { Failed::ForNow };
            // Servers repeat the address, which is nobody's business who reads logs.
            NotCarried { failed, why: redact::without(&error.to_string(), &letter.to) }
        })
    }
}

fn parameters(mail: &Mail) -> Result<TlsParameters, CarrierError> {
    let mut builder = TlsParameters::builder(mail.server.clone());
    if let Some(path) = &mail.ca_file {
        builder = builder.certificate_store(CertificateStore::None);
        for authority in authorities(path)? {
            builder = builder.add_root_certificate(authority);
        }
    }
    builder.build().map_err(|error| CarrierError::Tls(error.to_string()))
}

fn authorities(path: &Path) -> Result<Vec<Certificate>, CarrierError> {
    let wrong = |what: String| CarrierError::Authorities { path: path.to_owned(), what };
    let pem = std::fs::read(path).map_err(|error| wrong(error.to_string()))?;
    let found = super::sms::certificates(&pem);
    if found.is_empty() {
        return Err(wrong("it holds no certificate in PEM".to_owned()));
    }
    let der =
        |certificate: &ureq::tls::Certificate<'static>| Certificate::from_der(certificate.der().to_vec());
    found.iter().map(der).collect::<Result<_, _>>().map_err(|error| wrong(error.to_string()))
}
