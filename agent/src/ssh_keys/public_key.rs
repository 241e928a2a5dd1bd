//! A component key of a certificate as SSH writes it.

use sequoia_openpgp as openpgp;

use countersign_protocol::certificate::{self, Cert};
use countersign_protocol::ids::{Fingerprint, InvalidId};
use countersign_protocol::ipc::SshPublicKey;
use openpgp::crypto::mpi::PublicKey as OpenPgpKey;
use openpgp::types::Curve;
use ssh_key::Mpint;
use ssh_key::public::{EcdsaPublicKey, Ed25519PublicKey, KeyData, RsaPublicKey};

/// The key has no form in SSH.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoSshKey {
    /// It is not there.
    #[error("the certificate does not hold {0}")]
    NotThere(Fingerprint),
    /// sshd does not know it, or would not take it.
    #[error("SSH knows no {0} key of this kind")]
    Kind(String),
    /// Its numbers are none.
    #[error("its public key makes no sense: {0}")]
    Malformed(ssh_key::Error),
    /// What was written is not what was to be written.
    #[error("it cannot be written: {0}")]
    Written(#[from] InvalidId),
    /// The name of the key.
    #[error(transparent)]
    Name(#[from] certificate::CertificateError),
}

impl From<ssh_key::Error> for NoSshKey {
    fn from(error: ssh_key::Error) -> Self {
        Self::Malformed(error)
    }
}

/// OpenPGP writes a point of Ed25519 behind this octet (RFC 9580, 11.2.1).
const NATIVE_POINT: u8 = 0x40;

pub(super) fn public_key(cert: &Cert, name: &Fingerprint) -> Result<SshPublicKey, NoSshKey> {
    let wanted = certificate::their_fingerprint(name)?;
    let found = cert.keys().find(|key| key.key().fingerprint() == wanted);
    let found = found.ok_or_else(|| NoSshKey::NotThere(name.clone()))?;
    let key = found.key();
    let kind = || NoSshKey::Kind(key.pk_algo().to_string());
    let ed25519 = |point: &[u8]| {
        let point: [u8; Ed25519PublicKey::BYTE_SIZE] = point.try_into().map_err(|_| kind())?;
        Ok::<_, NoSshKey>(KeyData::Ed25519(Ed25519PublicKey(point)))
    };
    let data = match key.mpis() {
        OpenPgpKey::Ed25519 { a } => ed25519(a)?,
        OpenPgpKey::EdDSA { curve: Curve::Ed25519, q } => {
            ed25519(q.value().strip_prefix(&[NATIVE_POINT]).ok_or_else(kind)?)?
        }
        OpenPgpKey::ECDSA { curve: Curve::NistP256 | Curve::NistP384 | Curve::NistP521, q } => {
            KeyData::Ecdsa(EcdsaPublicKey::from_sec1_bytes(q.value())?)
        }
        OpenPgpKey::RSA { e, n } => KeyData::Rsa(RsaPublicKey {
            e: Mpint::from_positive_bytes(e.value())?,
            n: Mpint::from_positive_bytes(n.value())?,
        }),
        _ => return Err(kind()),
    };
    Ok(ssh_key::PublicKey::from(data).to_openssh()?.parse()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    use countersign_protocol::clock::{Clock as _, SystemClock};
    use openpgp::cert::{CertBuilder, CipherSuite};

    /// gpg itself is asked what it makes of the same certificate.
    #[test]
    fn a_key_is_written_as_gpg_writes_it() {
        let now = SystemClock.now().plus(-10);
        for (suite, profile, algorithm) in [
            (CipherSuite::Cv25519, openpgp::Profile::RFC4880, "ssh-ed25519 "),
            (CipherSuite::P256, openpgp::Profile::RFC4880, "ecdsa-sha2-nistp256 "),
            (CipherSuite::P384, openpgp::Profile::RFC4880, "ecdsa-sha2-nistp384 "),
            (CipherSuite::P521, openpgp::Profile::RFC4880, "ecdsa-sha2-nistp521 "),
            (CipherSuite::RSA2k, openpgp::Profile::RFC4880, "ssh-rsa "),
        ] {
            let builder = CertBuilder::new().set_cipher_suite(suite).set_profile(profile).unwrap();
            let builder = builder.set_creation_time(now.to_system_time()).add_userid("ana");
            let (cert, _) = builder.add_signing_subkey().add_authentication_subkey().generate().unwrap();
            let cert = cert.strip_secret_key_material();
            let [name] = certificate::authentication_keys(&cert, now.plus(5)).try_into().unwrap();
            let ours = public_key(&cert, &name).unwrap();
            assert!(ours.as_str().starts_with(algorithm), "{ours}");
            assert_eq!(ours.as_str(), by_gpg(&cert), "{suite:?}");
        }
    }

    fn by_gpg(cert: &Cert) -> String {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join("ana.pgp");
        std::fs::write(&file, certificate::to_bytes(cert).unwrap()).unwrap();
        let gpg = |arguments: &[&str]| {
            let mut command = Command::new("gpg");
            command.args(["--batch", "--quiet", "--homedir"]).arg(home.path()).args(arguments);
            let output = command.output().unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            String::from_utf8(output.stdout).unwrap()
        };
        gpg(&["--import", file.to_str().unwrap()]);
        let line = gpg(&["--export-ssh-key", &cert.fingerprint().to_string()]);
        let [algorithm, blob, _comment] = line.split_whitespace().collect::<Vec<_>>().try_into().unwrap();
        format!("{algorithm} {blob}")
    }

    #[test]
    fn the_newer_encoding_of_ed25519_is_the_same_key() {
        let builder = CertBuilder::new().set_cipher_suite(CipherSuite::Cv25519);
        let builder = builder.set_profile(openpgp::Profile::RFC9580).unwrap().add_userid("ana");
        let (cert, _) = builder.add_authentication_subkey().generate().unwrap();
        let now = SystemClock.now().plus(5);
        let [name] = certificate::authentication_keys(&cert, now).try_into().unwrap();
        let line = public_key(&cert, &name).unwrap();
        let OpenPgpKey::Ed25519 { a } = cert.keys().subkeys().next().unwrap().key().mpis().clone() else {
            panic!("another encoding")
        };
        let read = ssh_key::PublicKey::from_openssh(line.as_str()).unwrap();
        assert_eq!(read.key_data().ed25519().unwrap().0, a);
    }
}
