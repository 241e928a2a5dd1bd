//! The person's own signature: detached, over the statement's exact bytes, so that anyone can check it later
//! with `gpg --verify`.

use sequoia_openpgp as openpgp;

use openpgp::packet::signature::SignatureBuilder;
use openpgp::parse::Parse as _;
use openpgp::parse::stream::{DetachedVerifierBuilder, MessageLayer, MessageStructure, VerificationHelper};
use openpgp::serialize::SerializeInto as _;
use openpgp::types::{HashAlgorithm, SignatureType};
use openpgp::{Cert, KeyHandle, Packet};

use crate::binary::Binary;
use crate::certificate;
use crate::clock::Timestamp;
use crate::envelope::seal::BoxedSigner;
use crate::ids::{Digest, Fingerprint};
use crate::limits;
use crate::statement::{SignedStatement, Statement, StatementError};

/// Why a statement's signature proves nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StatementProofError {
    /// The statement itself.
    #[error(transparent)]
    Statement(#[from] StatementError),
    /// The signer failed.
    #[error("the statement could not be signed: {0}")]
    Signing(String),
    /// Not exactly one good signature by a key of the certificate.
    #[error("the statement's signature is not good: {0}")]
    Signature(String),
    /// The key was not valid at that time.
    #[error("the statement is signed by {0}, which was not valid then")]
    KeyNotAlive(Fingerprint),
    /// The signature is not addressed to this server and nobody else.
    #[error("the statement is signed for another recipient")]
    Recipient,
    /// It names another server.
    #[error("the statement is meant for the server {0}")]
    Server(Fingerprint),
    /// It was made on another instance.
    #[error("the statement was made on the instance {0}")]
    Instance(Fingerprint),
    /// It is too old, or from the future.
    #[error("the statement is not valid now: made {made}, expires {expires}")]
    NotNow {
        /// When it was made.
        made: Timestamp,
        /// When it ends.
        expires: Timestamp,
    },
}

/// What the verifier expects.
#[derive(Debug, Clone, Copy)]
pub struct StatementRules<'a> {
    /// The server it must be meant for.
    pub server: &'a Fingerprint,
    /// The instance it must have been made on.
    pub instance: &'a Fingerprint,
    /// When it must be valid.
    pub now: Timestamp,
}

/// A statement that this certificate's holder signed. Made only by [`verify`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedStatement {
    statement: Statement,
    key: Fingerprint,
    digest: Digest,
}

impl VerifiedStatement {
    /// What was signed.
    #[must_use]
    pub const fn statement(&self) -> &Statement {
        &self.statement
    }

    /// The component key that signed.
    #[must_use]
    pub const fn key(&self) -> &Fingerprint {
        &self.key
    }

    /// SHA-256 of the signed bytes.
    #[must_use]
    pub const fn digest(&self) -> Digest {
        self.digest
    }
}

/// Signs `statement` for its server, with that server as the one intended recipient.
///
/// # Errors
/// [`StatementProofError::Statement`] or [`StatementProofError::Signing`].
pub fn sign(statement: &Statement, mut signer: BoxedSigner) -> Result<SignedStatement, StatementProofError> {
    let bytes = statement.to_bytes()?;
    let failed = |error: openpgp::anyhow::Error| StatementProofError::Signing(certificate::chain(&error));
    let recipient = certificate::their_fingerprint(&statement.server)
        .map_err(|error| StatementProofError::Signing(error.to_string()))?;
    let hash = hash_for(signer.acceptable_hashes());
    let signature = SignatureBuilder::new(SignatureType::Binary)
        .set_hash_algo(hash)
        .set_signature_creation_time(statement.time.to_system_time())
        .and_then(|builder| builder.set_intended_recipients([recipient]))
        .and_then(|builder| builder.sign_message(&mut *signer, &bytes))
        .map_err(failed)?;
    let signature = Packet::from(signature).to_vec().map_err(failed)?;
    Ok(SignedStatement { statement: Binary(bytes), signature: Binary(signature) })
}

/// Checks a statement as the server does on arrival.
///
/// # Errors
/// [`StatementProofError`], the first check that failed.
pub fn verify(
    signed: &SignedStatement,
    cert: &Cert,
    rules: StatementRules<'_>,
) -> Result<VerifiedStatement, StatementProofError> {
    let statement = Statement::from_bytes(&signed.statement.0)?;
    if statement.server != *rules.server {
        return Err(StatementProofError::Server(statement.server));
    }
    if statement.instance != *rules.instance {
        return Err(StatementProofError::Instance(statement.instance));
    }
    let early = statement.time.seconds_since(rules.now) > limits::CLOCK_SKEW;
    let late = rules.now.seconds_since(statement.expires) > 0;
    if early || late {
        return Err(StatementProofError::NotNow { made: statement.time, expires: statement.expires });
    }
    check_signature(signed, statement, cert, rules.now)
}

/// Checks a statement long after: was it signed by this certificate, valid at the statement's own time?
///
/// # Errors
/// [`StatementProofError`], the first check that failed.
pub fn verify_later(signed: &SignedStatement, cert: &Cert) -> Result<VerifiedStatement, StatementProofError> {
    let statement = Statement::from_bytes(&signed.statement.0)?;
    let then = statement.time;
    check_signature(signed, statement, cert, then)
}

fn check_signature(
    signed: &SignedStatement,
    statement: Statement,
    cert: &Cert,
    when: Timestamp,
) -> Result<VerifiedStatement, StatementProofError> {
    let bad = |what: String| StatementProofError::Signature(what);
    if signed.signature.0.len() > limits::STATEMENT_SIGNATURE {
        return Err(bad(format!("{} bytes", signed.signature.0.len())));
    }
    // A clock a little behind the signer's is no reason to call the signature one from the future.
    let reference = when.max(statement.time).to_system_time();
    let good = Err(bad("none".into()));
    let collector = Collector { cert, good, server: &statement.server, time: statement.time };
    let mut verifier = DetachedVerifierBuilder::from_bytes(&signed.signature.0)
        .and_then(|builder| builder.with_policy(certificate::policy(), reference, collector))
        .map_err(|error| bad(certificate::chain(&error)))?;
    let outcome = verifier.verify_bytes(&signed.statement.0);
    let key = verifier.into_helper().good?;
    outcome.map_err(|error| bad(certificate::chain(&error)))?;
    if !certificate::signing_keys(cert, when.max(statement.time)).contains(&key) {
        return Err(StatementProofError::KeyNotAlive(key));
    }
    Ok(VerifiedStatement { digest: Digest::of(&signed.statement.0), statement, key })
}

/// The strongest hash that a signer takes.
pub(super) fn hash_for(acceptable: &[HashAlgorithm]) -> HashAlgorithm {
    [HashAlgorithm::SHA512, HashAlgorithm::SHA384, HashAlgorithm::SHA256]
        .into_iter()
        .find(|hash| acceptable.contains(hash))
        .unwrap_or(HashAlgorithm::SHA256)
}

/// The library's callbacks for one detached signature.
struct Collector<'a> {
    cert: &'a Cert,
    server: &'a Fingerprint,
    time: Timestamp,
    good: Result<Fingerprint, StatementProofError>,
}

impl Collector<'_> {
    fn judge(&self, structure: MessageStructure<'_>) -> Result<Fingerprint, StatementProofError> {
        let bad = |what: String| StatementProofError::Signature(what);
        let layers: Vec<MessageLayer<'_>> = structure.into_iter().collect();
        let [MessageLayer::SignatureGroup { results }] = layers.as_slice() else {
            return Err(bad("unexpected packets".into()));
        };
        let [result] = results.as_slice() else {
            return Err(bad(format!("{} signatures", results.len())));
        };
        let good = result.as_ref().map_err(|error| bad(error.to_string()))?;
        // Made when the statement says: a signature dated back into the life of a retired key is none.
        let made = good.sig.signature_creation_time().map(Timestamp::from);
        let distance = made.map(|made| made.seconds_since(self.time).abs());
        if distance.is_none_or(|distance| distance > limits::CLOCK_SKEW) {
            return Err(bad("made at another time than the statement".into()));
        }
        let mut recipients = good.sig.intended_recipients();
        match (recipients.next(), recipients.next()) {
            (Some(one), None) if one.as_bytes() == self.server.as_bytes() => {}
            _ => return Err(StatementProofError::Recipient),
        }
        certificate::our_fingerprint(&good.ka.key().fingerprint()).map_err(|error| bad(error.to_string()))
    }
}

impl VerificationHelper for Collector<'_> {
    fn get_certs(&mut self, _ids: &[KeyHandle]) -> openpgp::Result<Vec<Cert>> {
        Ok(vec![self.cert.clone()])
    }

    fn check(&mut self, structure: MessageStructure<'_>) -> openpgp::Result<()> {
        self.good = self.judge(structure);
        match &self.good {
            Ok(_) => Ok(()),
            Err(error) => Err(error.clone().into()),
        }
    }
}
