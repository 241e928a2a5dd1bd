//! The same complaint again and again is one line in ten minutes.

use std::collections::HashMap;
use std::time::{Duration, Instant};

/// How long the same sentence is not said again.
const WHILE: Duration = Duration::from_secs(600);

/// What was said lately.
#[derive(Debug, Default)]
pub(super) struct Quiet {
    said: HashMap<&'static str, (String, Instant)>,
}

impl Quiet {
    /// Whether it is to be said: it was not, or another sentence was, or long ago.
    pub(super) fn is_news(&mut self, event: &'static str, why: &str, now: Instant) -> bool {
        let is_old =
            |(said, at): &(String, Instant)| said == why && now.saturating_duration_since(*at) < WHILE;
        if self.said.get(event).is_some_and(is_old) {
            return false;
        }
        self.said.insert(event, (why.to_owned(), now));
        true
    }

    /// All is well again; says whether anything was not.
    pub(super) fn is_over(&mut self) -> bool {
        let complained = !self.said.is_empty();
        self.said.clear();
        complained
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_news_is_said() {
        let (mut quiet, now) = (Quiet::default(), Instant::now());
        assert!(!quiet.is_over());
        assert!(quiet.is_news("check-in-failed", "refused", now));
        assert!(!quiet.is_news("check-in-failed", "refused", now + WHILE / 2));
        assert!(quiet.is_news("reports-unsent", "refused", now));
        assert!(quiet.is_news("check-in-failed", "no route", now));
        assert!(quiet.is_news("check-in-failed", "no route", now + WHILE));
        assert!(quiet.is_over() && !quiet.is_over());
    }
}
