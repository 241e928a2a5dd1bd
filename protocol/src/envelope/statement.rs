//! The person's own signature: detached, over the statement's exact bytes, so that anyone can check it later
//! with `gpg --verify`.

use crate::binary::Binary;
use crate::certificate::{Cert, Pinned};
use crate::clock::Timestamp;
use crate::envelope::detached::{self, DetachedError, Signed};
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

impl From<DetachedError> for StatementProofError {
    fn from(error: DetachedError) -> Self {
        match error {
            DetachedError::Signing(what) => Self::Signing(what),
            DetachedError::Signature(what) => Self::Signature(what),
            DetachedError::KeyNotAlive(key) => Self::KeyNotAlive(key),
            DetachedError::Recipient => Self::Recipient,
        }
    }
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
pub fn sign(statement: &Statement, signer: BoxedSigner) -> Result<SignedStatement, StatementProofError> {
    let bytes = statement.to_bytes()?;
    let signature = detached::sign(&bytes, &statement.server, statement.time, signer)?;
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
    let statement = read(&signed.statement.0, rules)?;
    check_signature(signed, statement, cert, rules.now)
}

/// The same by a certificate that was judged at about that time.
///
/// # Errors
/// [`StatementProofError`], the first check that failed.
pub fn verify_pinned(
    signed: &SignedStatement,
    cert: &Pinned,
    rules: StatementRules<'_>,
) -> Result<VerifiedStatement, StatementProofError> {
    let statement = read(&signed.statement.0, rules)?;
    let key = detached::verify_pinned(&what(signed, &statement), cert, rules.now)?;
    Ok(VerifiedStatement { digest: Digest::of(&signed.statement.0), statement, key })
}

/// Reads a statement that nobody signed, and checks all but that: who brings it must prove in another way whose it is.
///
/// # Errors
/// [`StatementProofError`], the first check that failed.
pub fn read(bytes: &[u8], rules: StatementRules<'_>) -> Result<Statement, StatementProofError> {
    let statement = Statement::from_bytes(bytes)?;
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
    Ok(statement)
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
    let key = detached::verify(&what(signed, &statement), cert, when)?;
    Ok(VerifiedStatement { digest: Digest::of(&signed.statement.0), statement, key })
}

fn what<'a>(signed: &'a SignedStatement, statement: &'a Statement) -> Signed<'a> {
    let (bytes, signature) = (&signed.statement.0, &signed.signature.0);
    Signed { bytes, signature, recipient: &statement.server, made: statement.time }
}
