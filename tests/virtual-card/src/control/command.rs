//! The control socket's commands.

use std::str::FromStr;
use std::time::Duration;

use crate::bench::TouchMode;
use crate::faults::{Damage, Fault, StatusWord, Target};

/// One line, understood.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Command {
    Pull,
    Insert,
    Status,
    Count,
    ResetCount,
    At(u32, Fault),
    FailFrom(u32, StatusWord),
    FailNext(Target, StatusWord),
    Resume,
    ClearFaults,
    Touch(TouchMode),
    Quit,
}

/// Why a line was not understood.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Misunderstood {
    #[error("no such command, or the wrong number of words: {0:?}")]
    Command(String),
    #[error("{0:?} is not a count of commands; 1 means the next one")]
    Nth(String),
    #[error("{0:?} is not a status word of four hexadecimal digits")]
    StatusWord(String),
    #[error("{0:?} is no damage: half, no-data, garbage, long or cut")]
    Damage(String),
    #[error("{0:?} is not a number of milliseconds")]
    Milliseconds(String),
}

impl FromStr for Command {
    type Err = Misunderstood;

    fn from_str(line: &str) -> Result<Self, Misunderstood> {
        let words: Vec<&str> = line.split_whitespace().collect();
        Ok(match words.as_slice() {
            ["pull"] => Self::Pull,
            ["insert"] => Self::Insert,
            ["status"] => Self::Status,
            ["count"] => Self::Count,
            ["reset-count"] => Self::ResetCount,
            ["fail", n, status] => Self::At(nth(n)?, Fault::Answer(status_word(status)?)),
            ["fail-from", n, status] => Self::FailFrom(nth(n)?, status_word(status)?),
            ["fail-next", command, status] => Self::FailNext(target(command), status_word(status)?),
            ["delay", n, time] => Self::At(nth(n)?, Fault::Delay(milliseconds(time)?)),
            ["hang", n] => Self::At(nth(n)?, Fault::Hang),
            ["pull-at", n] => Self::At(nth(n)?, Fault::Pull),
            ["pull-after", n] => Self::At(nth(n)?, Fault::PullAfter),
            ["damage", n, what] => Self::At(nth(n)?, Fault::Damage(damage(what)?)),
            ["resume"] => Self::Resume,
            ["clear-faults"] => Self::ClearFaults,
            ["touch", "off"] => Self::Touch(TouchMode::Off),
            ["touch", "require"] => Self::Touch(TouchMode::Require),
            ["touch", "grant"] => Self::Touch(TouchMode::Grant),
            ["touch", "refuse"] => Self::Touch(TouchMode::Refuse),
            ["quit"] => Self::Quit,
            _ => return Err(Misunderstood::Command(line.to_owned())),
        })
    }
}

fn nth(word: &str) -> Result<u32, Misunderstood> {
    word.parse().ok().filter(|n| *n > 0).ok_or_else(|| Misunderstood::Nth(word.to_owned()))
}

fn status_word(word: &str) -> Result<StatusWord, Misunderstood> {
    Some(word)
        .filter(|word| word.len() == 4 && word.bytes().all(|byte| byte.is_ascii_hexdigit()))
        .and_then(|word| u16::from_str_radix(word, 16).ok())
        .map(u16::to_be_bytes)
        .ok_or_else(|| Misunderstood::StatusWord(word.to_owned()))
}

fn damage(word: &str) -> Result<Damage, Misunderstood> {
    Ok(match word {
        "half" => Damage::Half,
        "no-data" => Damage::NoData,
        "garbage" => Damage::Garbage,
        "long" => Damage::Long,
        "cut" => Damage::Cut,
        _ => return Err(Misunderstood::Damage(word.to_owned())),
    })
}

fn milliseconds(word: &str) -> Result<Duration, Misunderstood> {
    word.parse().map(Duration::from_millis).map_err(|_| Misunderstood::Milliseconds(word.to_owned()))
}

/// Two hexadecimal digits are an instruction byte, anything else a command's name.
fn target(word: &str) -> Target {
    match u8::from_str_radix(word, 16) {
        Ok(instruction) if word.len() == 2 => Target::Instruction(instruction),
        _ => Target::Name(word.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_of_the_table_is_understood() {
        for (line, expected) in [
            ("pull", Command::Pull),
            ("insert", Command::Insert),
            ("status", Command::Status),
            ("count", Command::Count),
            ("reset-count", Command::ResetCount),
            ("fail 2 6983", Command::At(2, Fault::Answer([0x69, 0x83]))),
            ("fail-next VERIFY 63c1", Command::FailNext(Target::Name("VERIFY".into()), [0x63, 0xC1])),
            ("fail-next 2A 6982", Command::FailNext(Target::Instruction(0x2A), [0x69, 0x82])),
            ("delay 1 250", Command::At(1, Fault::Delay(Duration::from_millis(250)))),
            ("hang 3", Command::At(3, Fault::Hang)),
            ("pull-at 4", Command::At(4, Fault::Pull)),
            ("resume", Command::Resume),
            ("clear-faults", Command::ClearFaults),
            ("pull-after 2", Command::At(2, Fault::PullAfter)),
            ("damage 1 no-data", Command::At(1, Fault::Damage(Damage::NoData))),
            ("fail-from 2 6F00", Command::FailFrom(2, [0x6F, 0])),
            ("touch refuse", Command::Touch(TouchMode::Refuse)),
            ("  quit ", Command::Quit),
        ] {
            assert_eq!(line.parse(), Ok(expected), "{line}");
        }
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        for line in [
            "",
            "eject",
            "fail 0 6983",
            "fail 1 983",
            "fail 1 +983",
            "fail 1",
            "delay 1 -5",
            "damage 1 worse",
            "touch",
            "pull 1",
        ] {
            assert!(line.parse::<Command>().is_err(), "{line:?}");
        }
    }
}
