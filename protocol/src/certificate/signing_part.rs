//! What of a certificate it takes to check the signatures of some of its keys: a roster names hundreds of people, and a
//! certificate may hold pictures, old names and other people's signatures.

use openpgp::Packet;
use openpgp::serialize::SerializeInto as _;
use sequoia_openpgp as openpgp;

use super::{Cert, CertificateError, library, policy, their_fingerprint};
use crate::clock::Timestamp;
use crate::ids::Fingerprint;

/// The primary key, its principal name, those of its subkeys that are in `keys`, and for each the self-signature that is
/// in force at `now` and the certificate's own revocations. Binary.
///
/// # Errors
/// The policy accepts none of the self-signatures, or the library fails.
pub fn signing_part(cert: &Cert, keys: &[Fingerprint], now: Timestamp) -> Result<Vec<u8>, CertificateError> {
    let wanted = keys.iter().map(their_fingerprint).collect::<Result<Vec<_>, _>>()?;
    let valid = cert.with_policy(policy(), now.to_system_time()).map_err(library)?;
    let mut packets: Vec<Packet> = vec![Packet::from(cert.primary_key().key().clone())];
    packets.extend(cert.primary_key().self_revocations().cloned().map(Packet::from));
    packets.extend(valid.direct_key_signature().ok().cloned().map(Packet::from));
    if let Ok(name) = valid.primary_userid() {
        packets.push(Packet::from(name.userid().clone()));
        packets.extend(name.self_revocations().cloned().map(Packet::from));
        packets.push(Packet::from(name.binding_signature().clone()));
    }
    for subkey in valid.keys().subkeys().filter(|subkey| wanted.contains(&subkey.key().fingerprint())) {
        packets.push(Packet::from(subkey.key().clone()));
        packets.extend(subkey.self_revocations().cloned().map(Packet::from));
        packets.push(Packet::from(subkey.binding_signature().clone()));
    }
    Cert::from_packets(packets.into_iter()).and_then(|part| part.to_vec()).map_err(library)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::certificate;
    use openpgp::cert::CertBuilder;

    #[test]
    fn the_signing_part_signs_as_the_whole_does_and_nothing_else_is_in_it() {
        let now = Timestamp::from_seconds(1_795_000_000);
        let mut builder = CertBuilder::new()
            .set_creation_time(now.to_system_time())
            .add_signing_subkey()
            .add_signing_subkey()
            .add_authentication_subkey()
            .add_transport_encryption_subkey();
        for n in 0..150 {
            builder = builder.add_userid(format!("Ana Muster the {n}th <ana{n}@example.org>"));
        }
        let (cert, _) = builder.generate().unwrap();
        let cert = cert.strip_secret_key_material();
        let later = now.plus(60);
        let [first, _] = certificate::signing_keys(&cert, later).try_into().unwrap();
        let whole = certificate::to_bytes(&cert).unwrap();
        let part = signing_part(&cert, std::slice::from_ref(&first), later).unwrap();
        assert!(whole.len() > 20_000 && part.len() < 2_000, "{} of {}", part.len(), whole.len());
        let part = certificate::parse(&part).unwrap();
        certificate::check(&part, later).unwrap();
        assert_eq!(part.fingerprint(), cert.fingerprint());
        assert_eq!(certificate::signing_keys(&part, later), std::slice::from_ref(&first));
        assert_eq!(certificate::authentication_keys(&part, later), []);
        assert_eq!(part.keys().count(), 2);
        // With the key of another purpose, and nothing but that.
        let [proves] = certificate::authentication_keys(&cert, later).try_into().unwrap();
        let both = [first, proves.clone()];
        let part = certificate::parse(&signing_part(&cert, &both, later).unwrap()).unwrap();
        assert_eq!(certificate::authentication_keys(&part, later), [proves]);
        assert_eq!(part.keys().count(), 3);
        // The primary key alone.
        let primary = certificate::fingerprint(&cert).unwrap();
        let part = certificate::parse(&signing_part(&cert, &[primary], later).unwrap()).unwrap();
        assert_eq!(part.keys().count(), 1);
    }
}
