//! Waiting for something that announces itself to nobody.

use std::time::{Duration, Instant};

use crate::trouble::Trouble;

/// Asks `ready` every few milliseconds until it has an answer.
///
/// # Errors
/// `ready`'s own error at once, or [`Trouble::Timeout`] after `limit`.
pub fn wait_until<T>(
    what: &str,
    limit: Duration,
    mut ready: impl FnMut() -> Result<Option<T>, Trouble>,
) -> Result<T, Trouble> {
    let started = Instant::now();
    loop {
        if let Some(answer) = ready()? {
            return Ok(answer);
        }
        if started.elapsed() >= limit {
            return Err(Trouble::Timeout { what: what.to_owned(), limit, detail: String::new() });
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}
