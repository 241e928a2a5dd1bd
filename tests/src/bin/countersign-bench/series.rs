//! Many measurements of one thing.

use std::time::Duration;

use countersign_tests::Counts;
use countersign_tests::site::PamAnswer;
use serde::Serialize;

/// One login.
pub(crate) struct Login {
    /// From the PIN to libpam's answer.
    pub(crate) after_pin: Duration,
    /// From the call to libpam's answer. The PIN is typed in no time.
    pub(crate) whole: Duration,
    /// How much of it the card itself worked.
    pub(crate) card: Duration,
    /// Commands that the card got.
    pub(crate) commands: usize,
}

impl Login {
    /// A login that succeeded, with what the card counted.
    pub(crate) fn of(answer: &PamAnswer, counts: &Counts) -> Result<Self, String> {
        match (answer.code, answer.after_pin()) {
            (0, Some(after_pin)) => {
                let (whole, card, commands) = (answer.total(), counts.worked(), counts.total);
                Ok(Self { after_pin, whole, card, commands })
            }
            (code, _) => Err(format!("a login failed with PAM code {code}; shown: {:?}", answer.shown)),
        }
    }
}

/// Milliseconds: half of all are below the first, and 99 of 100 below the second.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Spread {
    pub(crate) p50: f64,
    pub(crate) p99: f64,
}

impl Spread {
    /// Of durations, of which there is at least one.
    pub(crate) fn of(durations: impl IntoIterator<Item = Duration>) -> Self {
        let mut sorted: Vec<Duration> = durations.into_iter().collect();
        sorted.sort_unstable();
        let at = |hundredth: usize| {
            let rank = (sorted.len() * hundredth).div_ceil(100).saturating_sub(1);
            sorted.get(rank).map_or(f64::NAN, |time| time.as_secs_f64() * 1e3)
        };
        Self { p50: at(50), p99: at(99) }
    }
}

/// Many logins of one kind.
#[derive(Debug, Serialize)]
pub(crate) struct Series {
    pub(crate) name: String,
    pub(crate) logins: usize,
    /// Fewest and most commands of one login.
    pub(crate) commands: (usize, usize),
    /// From the PIN to libpam's answer.
    pub(crate) after_pin: Spread,
    /// From the call to libpam's answer.
    pub(crate) whole: Spread,
    /// Of that, in the card.
    pub(crate) card: Spread,
    /// The same commands by a program that does nothing else: card and pcscd.
    pub(crate) plain: Option<Spread>,
    /// `after_pin` of each login, without the median of `plain`. Only where all commands come after the PIN.
    pub(crate) without_plain: Option<Spread>,
    /// `whole` of each login, without `card` of that login.
    pub(crate) without_card: Spread,
}

impl Series {
    pub(crate) fn of(name: &str, logins: &[Login], plain: Option<&[Duration]>) -> Self {
        let all = |part: fn(&Login) -> Duration| Spread::of(logins.iter().map(part));
        let commands = || logins.iter().map(|login| login.commands);
        let plain = plain.map(|rounds| Spread::of(rounds.iter().copied()));
        let median = plain.map(|plain| Duration::from_secs_f64(plain.p50 / 1e3));
        Self {
            name: name.to_owned(),
            logins: logins.len(),
            commands: (commands().min().unwrap_or(0), commands().max().unwrap_or(0)),
            after_pin: all(|login| login.after_pin),
            whole: all(|login| login.whole),
            card: all(|login| login.card),
            plain,
            without_plain: median
                .map(|median| Spread::of(logins.iter().map(|login| login.after_pin.saturating_sub(median)))),
            without_card: all(|login| login.whole.saturating_sub(login.card)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_and_ninety_nine_of_a_hundred_lie_at_or_below() {
        let spread = Spread::of((1..=100).rev().map(Duration::from_millis));
        assert_eq!((spread.p50, spread.p99), (50.0, 99.0));
        let one = Spread::of([Duration::from_millis(7)]);
        assert_eq!((one.p50, one.p99), (7.0, 7.0));
    }

    #[test]
    fn what_the_card_took_is_taken_off_each_login_and_the_plain_median_off_all() {
        let ms = Duration::from_millis;
        let logins = [(10, 11, 4), (12, 14, 5), (30, 31, 6)].map(|(after_pin, whole, card)| Login {
            after_pin: ms(after_pin),
            whole: ms(whole),
            card: ms(card),
            commands: 3,
        });
        let series = Series::of("warm", &logins, Some(&[ms(4), ms(6), ms(9)]));
        assert_eq!((series.without_card.p50, series.without_card.p99), (9.0, 25.0));
        let without_plain = series.without_plain.unwrap();
        assert_eq!((without_plain.p50, without_plain.p99), (6.0, 24.0));
        assert_eq!(series.commands, (3, 3));
    }
}
