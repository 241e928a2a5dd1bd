//! The bare operations under a round trip, by the library that does them for OpenPGP, on the same cores in the same run.

use std::time::Duration;

use countersign_tests::Trouble;
use openssl::derive::Deriver;
use openssl::pkey::PKey;
use openssl::sign::{Signer, Verifier};
use serde::Serialize;

use super::failed;

/// As long as a digest that is signed.
const DIGEST: [u8; 64] = [7; 64];

/// Microseconds of one core for each operation.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct Primitives {
    pub(super) sign_us: f64,
    pub(super) verify_us: f64,
    pub(super) derive_us: f64,
}

impl Primitives {
    /// The best of several tries, as whatever disturbs only adds. In processor time, as the server's is: on a busy machine both grow.
    pub(super) fn measure() -> Result<Self, Trouble> {
        let key = PKey::generate_ed25519().map_err(failed)?;
        let mut signature = Vec::new();
        let sign_us = best(&mut || {
            signature = Signer::new_without_digest(&key)?.sign_oneshot_to_vec(&DIGEST)?;
            Ok(())
        })?;
        let verify_us = best(&mut || {
            let good = Verifier::new_without_digest(&key)?.verify_oneshot(&signature, &DIGEST)?;
            if good { Ok(()) } else { Err(openssl::error::ErrorStack::get()) }
        })?;
        let (mine, theirs) =
            (PKey::generate_x25519().map_err(failed)?, PKey::generate_x25519().map_err(failed)?);
        let derive_us = best(&mut || {
            let mut deriver = Deriver::new(&mine)?;
            deriver.set_peer(&theirs)?;
            deriver.derive_to_vec().map(drop)
        })?;
        Ok(Self { sign_us, verify_us, derive_us })
    }

    /// What a round trip cannot do without: two signatures verified, two made (reply and checkpoint), a shared secret derived
    /// for the request, and for the reply a key made and a secret derived.
    pub(super) fn floor_us(&self) -> f64 {
        2.0 * self.verify_us + 2.0 * self.sign_us + 3.0 * self.derive_us
    }
}

fn best(operation: &mut dyn FnMut() -> Result<(), openssl::error::ErrorStack>) -> Result<f64, Trouble> {
    const TIMES: u32 = 2000;
    let mut least = Duration::MAX;
    for _ in 0..5 {
        let began = own_cpu()?;
        for _ in 0..TIMES {
            operation().map_err(failed)?;
        }
        least = least.min(own_cpu()?.saturating_sub(began));
    }
    Ok((least / TIMES).as_secs_f64() * 1e6)
}

/// What this thread has used so far.
fn own_cpu() -> Result<Duration, Trouble> {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").map_err(failed)?;
    let nanoseconds = stat.split_whitespace().next().and_then(|first| first.parse().ok());
    nanoseconds.map(Duration::from_nanos).ok_or_else(|| failed("no times in /proc"))
}
