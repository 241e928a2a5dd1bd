//! Chance as a parameter.

/// Where randomness comes from.
pub trait Random: Send + Sync {
    /// Fills `buffer` with unpredictable bytes.
    ///
    /// # Errors
    /// The source could not answer; nothing may be done without it.
    fn fill(&self, buffer: &mut [u8]) -> Result<(), NoRandomness>;
}

/// The kernel gave no randomness.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the kernel gave no random bytes; nothing can be signed or sealed without them")]
pub struct NoRandomness;

/// The kernel's generator (`getrandom(2)`).
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemRandom;

impl Random for SystemRandom {
    #[expect(clippy::disallowed_methods, reason = "the one place that asks the kernel for randomness")]
    fn fill(&self, buffer: &mut [u8]) -> Result<(), NoRandomness> {
        getrandom::fill(buffer).map_err(|_| NoRandomness)
    }
}

/// `N` fresh bytes.
///
/// # Errors
/// As [`Random::fill`].
pub fn array<const N: usize>(random: &dyn Random) -> Result<[u8; N], NoRandomness> {
    let mut bytes = [0; N];
    random.fill(&mut bytes)?;
    Ok(bytes)
}
