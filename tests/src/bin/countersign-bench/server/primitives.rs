//! The bare operations under a round trip, by the library that does them for OpenPGP, on the same cores in the same run.

use std::time::Duration;

use countersign_tests::Trouble;
use openssl::derive::Deriver;
use openssl::pkey::PKey;
use openssl::sign::{Signer, Verifier};
use serde::Serialize;

use super::{failed, on_all_cores};

/// As long as a digest that is signed.
const DIGEST: [u8; 64] = [7; 64];

/// Microseconds of one core for each operation, while every core works.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct Primitives {
    pub(super) sign_us: f64,
    pub(super) verify_us: f64,
    pub(super) derive_us: f64,
}

impl Primitives {
    /// On the machine that the design's figures are of: 42,867, 16,150 and 41,495 a second.
    pub(super) const DESIGN: Self = Self { sign_us: 23.3, verify_us: 61.9, derive_us: 24.1 };

    /// On all cores at once, as the server works, and in processor time, as the server's is: the mean of the cores' middle tries,
    /// each of so many times.
    pub(super) fn measure(times: u32) -> Result<Self, Trouble> {
        let cores = std::thread::available_parallelism().map_or(2, usize::from);
        let all = on_all_cores(cores, &|_| Self::on_one_core(times))?;
        let mean = |of: fn(&Self) -> f64| all.iter().map(of).sum::<f64>() / all.len() as f64;
        Ok(Self {
            sign_us: mean(|one| one.sign_us),
            verify_us: mean(|one| one.verify_us),
            derive_us: mean(|one| one.derive_us),
        })
    }

    fn on_one_core(times: u32) -> Result<Self, Trouble> {
        let key = PKey::generate_ed25519().map_err(failed)?;
        let mut signature = Vec::new();
        let sign_us = middle(times, &mut || {
            signature = Signer::new_without_digest(&key)?.sign_oneshot_to_vec(&DIGEST)?;
            Ok(())
        })?;
        let verify_us = middle(times, &mut || {
            let good = Verifier::new_without_digest(&key)?.verify_oneshot(&signature, &DIGEST)?;
            if good { Ok(()) } else { Err(openssl::error::ErrorStack::get()) }
        })?;
        let (mine, theirs) =
            (PKey::generate_x25519().map_err(failed)?, PKey::generate_x25519().map_err(failed)?);
        let derive_us = middle(times, &mut || {
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

    /// The same of a job, from its request to its acknowledgement: three messages, of which each is a shared secret derived, a
    /// host's signature verified, and a reply signed and sealed; the person's signature; all of it and the ledger's word verified
    /// once more by who does it; a checkpoint for each of the three entries. Of three jobs one is sealed to a card.
    pub(super) fn job_floor_us(&self) -> f64 {
        7.0 * self.verify_us + 6.0 * self.sign_us + (9.0 + 2.0 / 3.0) * self.derive_us
    }
}

fn middle(
    times: u32,
    operation: &mut dyn FnMut() -> Result<(), openssl::error::ErrorStack>,
) -> Result<f64, Trouble> {
    let mut tries = Vec::new();
    for _ in 0..7 {
        let began = own_cpu()?;
        for _ in 0..times {
            operation().map_err(failed)?;
        }
        tries.push(own_cpu()?.saturating_sub(began));
    }
    tries.sort();
    let middle = tries.get(tries.len() / 2).copied().unwrap_or(Duration::ZERO);
    Ok((middle / times).as_secs_f64() * 1e6)
}

/// What this thread has used so far.
fn own_cpu() -> Result<Duration, Trouble> {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").map_err(failed)?;
    let nanoseconds = stat.split_whitespace().next().and_then(|first| first.parse().ok());
    nanoseconds.map(Duration::from_nanos).ok_or_else(|| failed("no times in /proc"))
}
