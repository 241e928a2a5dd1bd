//! The key that checks a ledger's checkpoints.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use signed_note::{Note, StandardVerifier, VerificationError, Verifier, Verifiers};

use super::checkpoint::Checkpoint;
use super::error::LedgerError;
use crate::ids::Fingerprint;

/// The verifier key of one server's ledger: a C2SP signed-note `vkey`, Ed25519, whose name and whose
/// checkpoints' origin is `countersign/` and the server's primary fingerprint.
#[derive(Clone, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct LedgerKey {
    text: String,
    server: Fingerprint,
    verifier: StandardVerifier,
}

impl LedgerKey {
    /// The name of the ledger of `server`, in its key and in its checkpoints.
    #[must_use]
    pub fn name_of(server: &Fingerprint) -> String {
        format!("{PREFIX}{server}")
    }

    /// The key as one line of text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The server whose ledger this is, by its primary fingerprint.
    #[must_use]
    pub const fn server(&self) -> &Fingerprint {
        &self.server
    }

    /// Reads a checkpoint that this key signed. Signatures by other keys, such as witnesses', are let be.
    ///
    /// # Errors
    /// [`LedgerError::Checkpoint`] for a malformed note, no or a bad signature by this key, or another origin.
    pub fn checkpoint(&self, note: &str) -> Result<Checkpoint, LedgerError> {
        let refused = |why: String| LedgerError::Checkpoint(why);
        let signed = Note::from_bytes(note.as_bytes()).map_err(|error| refused(error.to_string()))?;
        signed.verify(&OnlyThis(&self.verifier)).map_err(|error| refused(error.to_string()))?;
        Checkpoint::signed(signed.text(), self.verifier.name(), note)
    }
}

const PREFIX: &str = "countersign/";

impl FromStr for LedgerKey {
    type Err = LedgerError;

    fn from_str(text: &str) -> Result<Self, LedgerError> {
        let verifier = StandardVerifier::new(text).map_err(|error| LedgerError::Key(error.to_string()))?;
        let server = verifier
            .name()
            .strip_prefix(PREFIX)
            .ok_or_else(|| LedgerError::Key("its name is another program's".to_owned()))?
            .parse()
            .map_err(LedgerError::KeyName)?;
        if Self::name_of(&server) != verifier.name() {
            return Err(LedgerError::Key("the fingerprint in it is not spelt in upper case".to_owned()));
        }
        Ok(Self { text: text.to_owned(), server, verifier })
    }
}

impl TryFrom<String> for LedgerKey {
    type Error = LedgerError;

    fn try_from(text: String) -> Result<Self, LedgerError> {
        text.parse()
    }
}

impl From<LedgerKey> for String {
    fn from(key: LedgerKey) -> Self {
        key.text
    }
}

impl fmt::Display for LedgerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for LedgerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LedgerKey({})", self.text)
    }
}

impl PartialEq for LedgerKey {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for LedgerKey {}

/// The one key that counts.
struct OnlyThis<'a>(&'a StandardVerifier);

impl Verifiers for OnlyThis<'_> {
    fn verifier(&self, name: &str, id: u32) -> Result<&dyn Verifier, VerificationError> {
        if self.0.name() == name && self.0.key_id() == id {
            Ok(self.0)
        } else {
            Err(VerificationError::UnknownKey { name: name.to_owned(), id })
        }
    }
}
