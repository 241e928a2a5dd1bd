//! Two keys that never leave the server: for codes, and for what rests in the store.

use chacha20poly1305::aead::{Aead as _, KeyInit as _, Payload};
use chacha20poly1305::{ChaCha20Poly1305, Nonce as AeadNonce};
use countersign_protocol::ids::{Digest, MessageId};
use hmac::{Hmac, Mac as _};
use secrecy::{ExposeSecret as _, SecretBox};
use sha2::Sha256;
use zeroize::Zeroizing;

/// Keyed digests of codes: a stolen database alone gives no code away.
pub struct Pepper(SecretBox<[u8; 32]>);

/// Seals replies at rest: a stolen database alone shows nobody's code, token or bundle.
pub struct StoreKey(SecretBox<[u8; 32]>);

/// Bytes in the store that this server did not seal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a stored reply was not sealed by this server's store key")]
pub struct NotOurs;

impl Pepper {
    /// From 32 random bytes.
    #[must_use]
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(SecretBox::new(Box::new(bytes)))
    }

    /// HMAC-SHA256 over the parts, each behind its length.
    #[must_use]
    pub fn mac(&self, parts: &[&[u8]]) -> [u8; 32] {
        keyed(&self.0, parts)
    }

    /// A key for one purpose, under which what is not known yet can be put later.
    #[must_use]
    pub fn derived(&self, parts: &[&[u8]]) -> Self {
        Self::new(self.mac(parts))
    }
}

impl StoreKey {
    /// From 32 random bytes.
    #[must_use]
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(SecretBox::new(Box::new(bytes)))
    }

    /// Seals the reply to message `id`, whose envelope had `digest`: ChaCha20-Poly1305 under a key of this one
    /// message, so that the nonce may stand still. A message is answered once, so a key seals once.
    ///
    /// # Errors
    /// Longer than the cipher can seal.
    pub fn seal(&self, id: MessageId, digest: Digest, plain: &[u8]) -> Result<Vec<u8>, NotOurs> {
        self.cipher(id, digest)
            .encrypt(&AeadNonce::default(), Payload { msg: plain, aad: digest.as_bytes() })
            .map_err(|_| NotOurs)
    }

    /// The reply back.
    ///
    /// # Errors
    /// [`NotOurs`].
    pub fn open(&self, id: MessageId, digest: Digest, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, NotOurs> {
        self.cipher(id, digest)
            .decrypt(&AeadNonce::default(), Payload { msg: sealed, aad: digest.as_bytes() })
            .map(Zeroizing::new)
            .map_err(|_| NotOurs)
    }

    /// Seals something that lies in the store under a random id of its own, under a key of that one id.
    ///
    /// # Errors
    /// Longer than the cipher can seal.
    pub fn seal_aside(&self, purpose: &[u8], id: MessageId, plain: &[u8]) -> Result<Vec<u8>, NotOurs> {
        self.cipher_aside(purpose, id).encrypt(&AeadNonce::default(), plain).map_err(|_| NotOurs)
    }

    /// The same back.
    ///
    /// # Errors
    /// [`NotOurs`], also for another purpose or id.
    pub fn open_aside(
        &self,
        purpose: &[u8],
        id: MessageId,
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, NotOurs> {
        let opened = self.cipher_aside(purpose, id).decrypt(&AeadNonce::default(), sealed);
        opened.map(Zeroizing::new).map_err(|_| NotOurs)
    }

    fn cipher(&self, id: MessageId, digest: Digest) -> ChaCha20Poly1305 {
        self.cipher_of(&[b"stored-reply", id.as_bytes(), digest.as_bytes()])
    }

    fn cipher_aside(&self, purpose: &[u8], id: MessageId) -> ChaCha20Poly1305 {
        self.cipher_of(&[b"stored-aside", purpose, id.as_bytes()])
    }

    fn cipher_of(&self, parts: &[&[u8]]) -> ChaCha20Poly1305 {
        let key = Zeroizing::new(keyed(&self.0, parts));
        ChaCha20Poly1305::new((&*key).into())
    }
}

fn keyed(key: &SecretBox<[u8; 32]>, parts: &[&[u8]]) -> [u8; 32] {
    // HMAC takes a key of any length, so this cannot fail; if it did, the result would match nothing.
    let Ok(mut mac) = <Hmac<Sha256> as hmac::Mac>::new_from_slice(key.expose_secret()) else {
        return [0; 32];
    };
    for part in parts {
        mac.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_aside_opens_only_under_its_own_id_and_purpose() {
        let key = StoreKey::new([1; 32]);
        let (id, other) = (MessageId::from_bytes([2; 16]), MessageId::from_bytes([3; 16]));
        let sealed = key.seal_aside(b"letter", id, b"words").unwrap();
        assert_eq!(key.open_aside(b"letter", id, &sealed).unwrap().as_slice(), b"words");
        assert!(key.open_aside(b"contact", id, &sealed).is_err());
        assert!(key.open_aside(b"letter", other, &sealed).is_err());
        assert!(StoreKey::new([9; 32]).open_aside(b"letter", id, &sealed).is_err());
    }

    #[test]
    fn a_stored_reply_opens_only_for_its_own_request() {
        let key = StoreKey::new([1; 32]);
        let (id, digest) = (MessageId::from_bytes([2; 16]), Digest::of(b"envelope"));
        let sealed = key.seal(id, digest, b"reply").unwrap();
        assert_eq!(key.open(id, digest, &sealed).unwrap().as_slice(), b"reply");
        assert!(key.open(id, Digest::of(b"other"), &sealed).is_err());
        assert!(key.open(MessageId::from_bytes([3; 16]), digest, &sealed).is_err());
        assert!(StoreKey::new([9; 32]).open(id, digest, &sealed).is_err());
    }
}
