//! A card with keys made elsewhere, and the certificate that goes with it: does it fit, and if not, why and what
//! helps.

use std::time::{SystemTime, UNIX_EPOCH};

use sequoia_openpgp as openpgp;

use countersign_protocol::certificate::{self, Cert};
use countersign_protocol::clock::Timestamp;
use countersign_protocol::ids::{CardIdent, Fingerprint};
use countersign_protocol::ipc::{CardFinding, CardKey, CardSlot};
use openpgp::cert::amalgamation::ValidAmalgamation as _;
use openpgp::cert::amalgamation::key::PrimaryKey as _;
use openpgp::policy::StandardPolicy;
use openpgp::types::{HashAlgorithm, RevocationStatus};

use super::key::Kind;
use super::{CardError, Cards, component};

/// The component keys of a certificate that a card holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Adopted {
    /// It signs with this one.
    pub signing: Fingerprint,
    /// It proves to be there with this one, if it holds one that the certificate gives that purpose.
    pub authentication: Option<Fingerprint>,
}

impl Cards {
    /// The certificate's component keys that are in this card.
    ///
    /// # Errors
    /// [`CardError::NoKey`], or [`CardError::NotAdoptable`] with the reason and what to do.
    pub fn check_adoptable(
        &self,
        card: CardIdent,
        certificate: &Cert,
        now: Timestamp,
    ) -> Result<Adopted, CardError> {
        // The card as it is now: another program may have put the key there a moment ago.
        let keys = self.details(card)?.keys;
        let held = |slot| keys.iter().find(|key| key.slot == slot).and_then(|key| key.fingerprint.clone());
        let signing = held(CardSlot::Signature).ok_or(CardError::NoKey)?;
        let may_prove = |key: &Fingerprint| certificate::authentication_keys(certificate, now).contains(key);
        let authentication = held(CardSlot::Authentication).filter(may_prove);
        match why_not(&signing, certificate, now) {
            None => Ok(Adopted { signing, authentication }),
            Some(Misfit { what, fix }) => Err(CardError::NotAdoptable { what, fix }),
        }
    }
}

/// Everything about a certificate and a card that somebody should know who wants to use both here.
#[must_use]
pub fn examine(keys: &[CardKey], certificate: &Cert, now: Timestamp) -> Vec<CardFinding> {
    let held = |slot| keys.iter().find(|key| key.slot == slot).and_then(|key| key.fingerprint.as_ref());
    let good = |text: String| CardFinding { refuses: false, text, fix: None };
    let mut findings = Vec::new();
    match held(CardSlot::Signature) {
        None => findings.push(CardFinding {
            refuses: true,
            text: "The card holds no signature key.".to_owned(),
            fix: Some("Make keys on it: countersign card init".to_owned()),
        }),
        Some(key) => match why_not(key, certificate, now) {
            Some(Misfit { what, fix }) => {
                let text = crate::trouble::sentence(&what);
                findings.push(CardFinding { refuses: true, text, fix: Some(crate::trouble::sentence(&fix)) });
            }
            None => {
                findings.push(good(format!(
                    "The card signs with {}, which the certificate holds.",
                    key.spaced()
                )));
                findings.extend(ends_soon(key, certificate, now));
            }
        },
    }
    findings.extend(about_encryption(held(CardSlot::Decryption), certificate, now));
    findings
}

/// Why a certificate is not accepted.
#[derive(Debug, PartialEq, Eq)]
struct Misfit {
    what: String,
    fix: String,
}

/// Judged by the pinned policy, as the server will; looked into with a lenient eye only for the explanation.
fn why_not(key: &Fingerprint, certificate: &Cert, now: Timestamp) -> Option<Misfit> {
    let misfit = |what: String, fix: &str| Some(Misfit { what, fix: fix.to_owned() });
    let primary = certificate.fingerprint();
    let Ok(public) = component(certificate, key) else {
        return misfit(
            format!("the certificate {primary} does not hold the card's signature key {key}"),
            &format!("take the certificate that does: gpg --export {key}"),
        );
    };
    if let Err(error) = Kind::of(&public) {
        return misfit(error.to_string(), NEW_KEYS);
    }
    let checked = certificate::check(certificate, now);
    if checked.is_ok() && certificate::signing_keys(certificate, now).contains(key) {
        return None;
    }
    if is_revoked(certificate, now) {
        return misfit(format!("the certificate {primary} is revoked"), NEW_KEYS);
    }
    if valid_but_for_its_hashes(certificate, key, now) {
        return misfit(
            "the certificate's self-signatures are made with SHA-1, which is not accepted".to_owned(),
            &format!(
                "renew them with the card in: gpg --quick-set-expire {primary} 2y, and the same for '*'; then export the certificate again"
            ),
        );
    }
    let time = now.to_system_time();
    let renew = |which: &str| {
        format!(
            "renew it with the card in: gpg --quick-set-expire {primary} 2y{which}; then export the certificate again"
        )
    };
    let Ok(valid) = certificate.with_policy(certificate::policy(), time) else {
        let why = checked.err().map(|error| error.to_string()).unwrap_or_default();
        return misfit(why, NEW_KEYS);
    };
    if valid.alive().is_err() {
        let ended = ending(valid.primary_key().key_expiration_time());
        return misfit(format!("the certificate {primary} is not valid now{ended}"), &renew(""));
    }
    let wanted = public.fingerprint();
    let Some(found) = valid.keys().find(|candidate| candidate.key().fingerprint() == wanted) else {
        return misfit(
            format!(
                "the card's signature key {key} is bound to the certificate by a signature that is not accepted, or is too weak"
            ),
            NEW_KEYS,
        );
    };
    if matches!(found.revocation_status(), RevocationStatus::Revoked(_)) {
        return misfit(format!("the card's signature key {key} is revoked"), NEW_KEYS);
    }
    if found.alive().is_err() {
        let ended = ending(found.key_expiration_time());
        let which = if found.primary() { String::new() } else { format!(" {key}") };
        return misfit(format!("the card's signature key {key} is not valid now{ended}"), &renew(&which));
    }
    misfit(
        format!("the certificate does not give the card's signature key {key} to sign with"),
        "put a signing subkey into the card's signature slot (gpg --edit-key, keytocard), or make new keys: countersign card generate",
    )
}

const NEW_KEYS: &str = "make new keys on the card: countersign card generate";

/// How long before its end somebody should be told, in seconds.
const SOON: i64 = 30 * 24 * 3600;

fn ends_soon(key: &Fingerprint, certificate: &Cert, now: Timestamp) -> Option<CardFinding> {
    let primary = certificate.fingerprint();
    let valid = certificate.with_policy(certificate::policy(), now.to_system_time()).ok()?;
    let wanted = certificate::their_fingerprint(key).ok()?;
    let mut ends: Vec<_> = valid
        .keys()
        .filter(|found| found.primary() || found.key().fingerprint() == wanted)
        .filter_map(|found| found.key_expiration_time())
        .map(timestamp)
        .collect();
    ends.sort();
    let end = *ends.first()?;
    (end < now.plus(SOON)).then(|| CardFinding {
        refuses: false,
        text: format!("It ends on {end}; a login after that is denied."),
        fix: Some(format!("Renew it with the card in: gpg --quick-set-expire {primary} 2y")),
    })
}

fn about_encryption(held: Option<&Fingerprint>, certificate: &Cert, now: Timestamp) -> Option<CardFinding> {
    let warning = |text: &str| {
        let fix = "Logins do not need it. To have one: gpg --quick-add-key, or countersign card generate";
        Some(CardFinding { refuses: false, text: text.to_owned(), fix: Some(fix.to_owned()) })
    };
    let usable: Vec<Fingerprint> = certificate
        .keys()
        .with_policy(certificate::policy(), now.to_system_time())
        .supported()
        .alive()
        .revoked(false)
        .for_transport_encryption()
        .filter_map(|key| certificate::our_fingerprint(&key.key().fingerprint()).ok())
        .collect();
    match held {
        _ if usable.is_empty() => warning(
            "The certificate has no encryption key that is valid now: nothing can be sealed to its owner.",
        ),
        None => {
            warning("The card holds no decryption key: what is sealed to its owner cannot be opened with it.")
        }
        Some(key) if !usable.contains(key) => warning(
            "The card's decryption key is not the certificate's: what is sealed to its owner cannot be opened with it.",
        ),
        Some(_) => None,
    }
}

fn ending(at: Option<SystemTime>) -> String {
    at.map(|at| format!("; it ended on {}", timestamp(at))).unwrap_or_default()
}

fn timestamp(at: SystemTime) -> Timestamp {
    let since = at.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    Timestamp::from_seconds(i64::try_from(since).unwrap_or(i64::MAX))
}

fn is_revoked(certificate: &Cert, now: Timestamp) -> bool {
    let status = certificate.revocation_status(certificate::policy(), now.to_system_time());
    matches!(status, RevocationStatus::Revoked(_))
}

fn valid_but_for_its_hashes(certificate: &Cert, key: &Fingerprint, now: Timestamp) -> bool {
    let mut lenient = StandardPolicy::new();
    lenient.accept_hash(HashAlgorithm::SHA1);
    certificate
        .keys()
        .with_policy(&lenient, now.to_system_time())
        .alive()
        .revoked(false)
        .for_signing()
        .any(|candidate| candidate.key().fingerprint().as_bytes() == key.as_bytes())
}

#[cfg(test)]
mod tests;
