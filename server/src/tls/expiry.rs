//! When an X.509 certificate ends.

use countersign_protocol::clock::Timestamp;
use openssl::asn1::Asn1Time;
use openssl::x509::X509;

/// The time after which nobody takes the certificate (DER); `None` if it cannot be read.
#[must_use]
pub fn expires(certificate: &[u8]) -> Option<Timestamp> {
    let certificate = X509::from_der(certificate).ok()?;
    let from_the_epoch = Asn1Time::from_unix(0).ok()?.diff(certificate.not_after()).ok()?;
    Some(Timestamp::from_seconds(i64::from(from_the_epoch.days) * 86_400 + i64::from(from_the_epoch.secs)))
}
