//! Makes session keys as the agent does, uses them, tells their secret halves complemented, and stays: for the
//! test that looks for them in this program's memory. With the argument `leak` it keeps a copy of each.
#![forbid(unsafe_code)]

use std::error::Error;
use std::io::{Read as _, Write as _};

use countersign_agent::instance_key::{Primary, SessionKeys};
use countersign_protocol::certificate;
use countersign_protocol::clock::{Clock as _, SystemClock};
use sequoia_openpgp::crypto::mpi::SecretKeyMaterial as Half;
use sequoia_openpgp::packet::key::SecretKeyMaterial;
use sequoia_openpgp::types::HashAlgorithm;

fn main() -> Result<(), Box<dyn Error>> {
    let now = SystemClock.now();
    let base = Primary::generate_software("instance", now)?;
    let primary = certificate::signer_of(&base, &certificate::fingerprint(&base)?)?;
    let keys = SessionKeys::generate(&base, Box::new(primary), now)?;
    for _ in 0..3 {
        keys.signer()?.sign(HashAlgorithm::SHA512, &[7; 64])?;
        drop(keys.decryptors(now)?);
    }
    let leaks = std::env::args().nth(1).as_deref() == Some("leak");
    let mut leaked: Vec<Vec<u8>> = Vec::new();
    let mut out = std::io::stdout().lock();
    for key in keys.certificate().keys().secret() {
        let SecretKeyMaterial::Unencrypted(kept) = key.key().secret() else {
            return Err("a session key with a password".into());
        };
        kept.map(|half| match half {
            Half::EdDSA { scalar } | Half::ECDH { scalar } => {
                if leaks {
                    leaked.push(scalar.value().to_vec());
                }
                tell(&mut out, scalar.value())
            }
            _ => Err(std::io::Error::other("a session key of another kind")),
        })?;
    }
    writeln!(out, "end")?;
    std::io::stdin().read_to_end(&mut Vec::new())?;
    drop((keys, leaked));
    Ok(())
}

/// Complemented, a byte at a time: no copy of it comes into being here.
fn tell(out: &mut impl std::io::Write, half: &[u8]) -> std::io::Result<()> {
    for byte in half {
        write!(out, "{:02x}", !byte)?;
    }
    writeln!(out)
}
