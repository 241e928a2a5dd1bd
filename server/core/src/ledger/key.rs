//! The key that signs checkpoints.

use countersign_protocol::ids::Fingerprint;
use countersign_protocol::ledger::LedgerKey;
use countersign_protocol::random::{self, Random};
use rand_core::{CryptoRng, RngCore};
use secrecy::SecretString;
use zeroize::Zeroizing;

use super::error::LedgerWriteError;

/// A fresh key pair.
pub struct NewLedgerKey {
    /// C2SP signed-note signer key (`PRIVATE+KEY+…`), for [`Ledger::open`](super::Ledger::open).
    pub secret: SecretString,
    /// What everyone checks with.
    pub public: LedgerKey,
}

/// Makes the key of the ledger of `server`: Ed25519, from 32 bytes of `random`.
///
/// # Errors
/// No randomness.
pub fn generate_key(server: &Fingerprint, random: &dyn Random) -> Result<NewLedgerKey, LedgerWriteError> {
    let mut seed = Seed { bytes: Zeroizing::new(random::array(random)?), draws: 0 };
    let (secret, public) = signed_note::generate_key(&mut seed, &LedgerKey::name_of(server));
    let secret = SecretString::from(secret);
    if seed.draws != 1 {
        return Err(LedgerWriteError::Key("it was not made of exactly one draw of randomness".to_owned()));
    }
    Ok(NewLedgerKey { secret, public: public.parse()? })
}

/// Randomness drawn beforehand, because the library's generators may not fail. It counts its draws: a second one
/// would repeat the first.
struct Seed {
    bytes: Zeroizing<[u8; 32]>,
    draws: u32,
}

impl RngCore for Seed {
    fn next_u32(&mut self) -> u32 {
        let mut bytes = [0; 4];
        self.fill_bytes(&mut bytes);
        u32::from_le_bytes(bytes)
    }

    fn next_u64(&mut self) -> u64 {
        let mut bytes = [0; 8];
        self.fill_bytes(&mut bytes);
        u64::from_le_bytes(bytes)
    }

    fn fill_bytes(&mut self, buffer: &mut [u8]) {
        // Any other length than the whole seed counts as misuse.
        self.draws += if buffer.len() == self.bytes.len() { 1 } else { 2 };
        for (to, from) in buffer.iter_mut().zip(self.bytes.iter()) {
            *to = *from;
        }
    }

    fn try_fill_bytes(&mut self, buffer: &mut [u8]) -> Result<(), rand_core::Error> {
        self.fill_bytes(buffer);
        Ok(())
    }
}

impl CryptoRng for Seed {}
