//! The certificate around new keys, signed by the new signature key.

use sequoia_openpgp as openpgp;

use countersign_protocol::certificate::{self, Cert};
use countersign_protocol::clock::Timestamp;
use openpgp::Packet;
use openpgp::crypto::{Signer, mpi};
use openpgp::packet::key::{Key4, PrimaryRole, PublicParts, SubordinateRole, UnspecifiedRole};
use openpgp::packet::signature::SignatureBuilder;
use openpgp::packet::{Key, UserID};
use openpgp::types::{Features, HashAlgorithm, KeyFlags, SignatureType, SymmetricAlgorithm};

use super::super::error::CardError;
use super::super::key::{Kind, SigningKey};
use super::super::link::Exclusive;
use super::super::pin::Pin;
use super::super::public::PublicData;
use super::super::sign::{SigningSlot, compute};
use super::super::unlock::verify;
use super::Made;
use super::algorithm::Slot;

/// Primary key, user id, and a subkey for each further key; one signature each.
pub(super) fn build(
    card: &mut Exclusive<'_>,
    public: &PublicData,
    pin: &Pin,
    user_id: &str,
    now: Timestamp,
    keys: Vec<Made>,
) -> Result<Cert, CardError> {
    let mut keys = keys.into_iter();
    let first = keys.next().and_then(|made| Some((made.slot.signing()?, made.key)));
    let (with, first) =
        first.ok_or_else(|| CardError::OpenPgp("no key was made that could sign".to_owned()))?;
    let primary: Key<PublicParts, PrimaryRole> = first.clone().role_into_primary().into();
    let mut signer = OpenCard::new(card, public, pin, with, first)?;
    match packets(&mut signer, &primary, user_id, now, keys) {
        Ok(packets) => {
            let cert = Cert::from_packets(packets.into_iter()).map_err(|error| library(&error))?;
            certificate::check(&cert, now).map_err(|error| CardError::OpenPgp(error.to_string()))?;
            Ok(cert)
        }
        Err(error) => Err(signer.failure.take().unwrap_or_else(|| library(&error))),
    }
}

fn packets(
    signer: &mut OpenCard<'_, '_>,
    primary: &Key<PublicParts, PrimaryRole>,
    user_id: &str,
    now: Timestamp,
    subkeys: impl Iterator<Item = Made>,
) -> openpgp::Result<Vec<Packet>> {
    let user_id = UserID::from(user_id);
    let hash = signer.best_hash();
    let begin = |kind| {
        SignatureBuilder::new(kind).set_hash_algo(hash).set_signature_creation_time(now.to_system_time())
    };
    let binding = begin(SignatureType::PositiveCertification)?
        .set_key_flags(KeyFlags::empty().set_certification().set_signing())?
        .set_features(Features::empty().set_seipdv1())?
        .set_preferred_symmetric_algorithms(vec![SymmetricAlgorithm::AES256, SymmetricAlgorithm::AES128])?
        .set_preferred_hash_algorithms(vec![HashAlgorithm::SHA512, HashAlgorithm::SHA256])?
        .set_primary_userid(true)?
        .sign_userid_binding(signer, primary, &user_id)?;
    let mut packets = vec![Packet::from(primary.clone()), user_id.into(), binding.into()];
    for made in subkeys {
        let flags = match made.slot {
            Slot::Decryption => KeyFlags::empty().set_storage_encryption().set_transport_encryption(),
            Slot::Authentication | Slot::Signature => KeyFlags::empty().set_authentication(),
        };
        let subkey: Key<PublicParts, SubordinateRole> = made.key.role_into_subordinate().into();
        let binding = begin(SignatureType::SubkeyBinding)?
            .set_key_flags(flags)?
            .sign_subkey_binding(signer, primary, &subkey)?;
        packets.extend([subkey.into(), binding.into()]);
    }
    Ok(packets)
}

/// Signs inside the transaction that is open. The PIN is sent for each signature: cards may ask for it.
struct OpenCard<'c, 't> {
    card: &'c mut Exclusive<'t>,
    public: &'c PublicData,
    pin: &'c Pin,
    with: SigningSlot,
    key: SigningKey,
    kind: Kind,
    failure: Option<CardError>,
}

impl<'c, 't> OpenCard<'c, 't> {
    fn new(
        card: &'c mut Exclusive<'t>,
        public: &'c PublicData,
        pin: &'c Pin,
        with: SigningSlot,
        key: Key4<PublicParts, UnspecifiedRole>,
    ) -> Result<Self, CardError> {
        let key = SigningKey::from(key);
        let kind = Kind::of(&key)?;
        Ok(Self { card, public, pin, with, key, kind, failure: None })
    }

    fn best_hash(&self) -> HashAlgorithm {
        self.kind.hashes().first().copied().unwrap_or(HashAlgorithm::SHA256)
    }

    fn make(&mut self, hash: HashAlgorithm, digest: &[u8]) -> Result<mpi::Signature, CardError> {
        let input = self.kind.input(hash, digest)?;
        let accepted = verify(self.card, self.public, self.with.purpose(), self.pin)?;
        let answer = compute(self.card, self.public, accepted, self.with, input)?;
        let signature = self.kind.signature(&answer)?;
        self.key.verify(&signature, hash, digest).map_err(|_| CardError::BadSignature)?;
        Ok(signature)
    }
}

impl Signer for OpenCard<'_, '_> {
    fn public(&self) -> &SigningKey {
        &self.key
    }

    fn acceptable_hashes(&self) -> &[HashAlgorithm] {
        self.kind.hashes()
    }

    fn sign(&mut self, hash: HashAlgorithm, digest: &[u8]) -> openpgp::Result<mpi::Signature> {
        self.make(hash, digest).map_err(|error| {
            self.failure = Some(error.clone());
            error.into()
        })
    }
}

fn library(error: &openpgp::anyhow::Error) -> CardError {
    CardError::OpenPgp(error.to_string())
}
