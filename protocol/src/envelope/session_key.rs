//! Out of the packet that holds it for one key.

use sequoia_openpgp as openpgp;

use openpgp::Error;
use openpgp::crypto::{Decryptor, SessionKey, mpi};
use openpgp::packet::key::{PublicParts, UnspecifiedRole};
use openpgp::packet::{Key, PKESK};
use openpgp::types::SymmetricAlgorithm;

/// The cipher, one byte of the key, and its check sum.
const SHORTEST: usize = 4;

/// Opens one packet, if `key` can; with the cipher, where the packet names it.
pub(super) fn open(
    packet: &PKESK,
    key: &mut dyn Decryptor,
    cipher: Option<SymmetricAlgorithm>,
) -> Option<(Option<SymmetricAlgorithm>, SessionKey)> {
    packet.decrypt(&mut LongEnough(key), cipher)
}

/// The library takes what it opened apart without looking how long it is, and panics over nothing. Anyone can seal
/// nothing.
struct LongEnough<'a>(&'a mut dyn Decryptor);

impl Decryptor for LongEnough<'_> {
    fn public(&self) -> &Key<PublicParts, UnspecifiedRole> {
        self.0.public()
    }

    fn decrypt(
        &mut self,
        ciphertext: &mpi::Ciphertext,
        plaintext_len: Option<usize>,
    ) -> openpgp::Result<SessionKey> {
        let key = self.0.decrypt(ciphertext, plaintext_len)?;
        if key.len() < SHORTEST {
            return Err(Error::MalformedPacket("a session key that is too short for one".into()).into());
        }
        Ok(key)
    }
}
