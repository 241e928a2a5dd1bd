//! One step of a longer run: announced, timed, and stopped at when it fails.

use std::fmt;
use std::io::Write as _;
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

/// Why the run ends early.
#[derive(Debug)]
pub(crate) enum Stop {
    /// A step failed; what it printed stands above.
    Failed(String),
    /// The command line is wrong.
    Usage(String),
    /// Root or packages are missing; the text says the one command to run.
    Missing(String),
    /// Something failed, and everything about it is said.
    Told,
}

impl Stop {
    pub(crate) fn code(&self) -> ExitCode {
        ExitCode::from(match self {
            Self::Failed(_) | Self::Told => 1,
            Self::Usage(_) => 2,
            Self::Missing(_) => 4,
        })
    }
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(text) | Self::Usage(text) | Self::Missing(text) => f.write_str(text),
            Self::Told => f.write_str("failed; see above"),
        }
    }
}

/// A line for whoever watches.
pub(crate) fn say(line: &str) {
    // Nobody watches, nothing to do about it.
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}

/// Announces `what`, does it, and says how long it took.
pub(crate) fn step<T>(what: &str, work: impl FnOnce() -> Result<T, Stop>) -> Result<T, Stop> {
    say(&format!("== {what}"));
    let started = Instant::now();
    let done = work();
    let ending = if done.is_ok() { "done" } else { "FAILED" };
    say(&format!("== {what}: {ending} after {}", spoken(started.elapsed())));
    done
}

/// Runs a program with its output shown, and fails with it.
pub(crate) fn run(command: &mut Command) -> Result<(), Stop> {
    let shown = shown(command);
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(Stop::Failed(format!("`{shown}` failed: {status}"))),
        Err(error) => Err(Stop::Failed(format!("`{shown}` could not be started: {error}"))),
    }
}

/// Standard output of a program that must succeed.
pub(crate) fn output(command: &mut Command) -> Result<String, Stop> {
    let shown = shown(command);
    match command.output() {
        Ok(output) if output.status.success() => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
        Ok(output) => Err(Stop::Failed(format!(
            "`{shown}` failed: {}\n{}",
            output.status,
            String::from_utf8_lossy(&output.stderr).trim_end()
        ))),
        Err(error) => Err(Stop::Failed(format!("`{shown}` could not be started: {error}"))),
    }
}

/// Whether a program is there and works.
pub(crate) fn works(command: &mut Command) -> bool {
    command.output().is_ok_and(|output| output.status.success())
}

pub(crate) fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

fn spoken(time: Duration) -> String {
    let seconds = time.as_secs();
    match (seconds / 60, seconds % 60) {
        (0, seconds) => format!("{seconds} s"),
        (minutes, seconds) => format!("{minutes} min {seconds} s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_fails_stops_the_run_with_its_name() {
        let stop = run(&mut Command::new("false")).unwrap_err();
        assert!(matches!(&stop, Stop::Failed(text) if text.contains("false")), "{stop}");
        let stop = run(&mut Command::new("/nonexistent/program")).unwrap_err();
        assert!(matches!(&stop, Stop::Failed(text) if text.contains("could not be started")), "{stop}");
    }

    #[test]
    fn times_are_told_as_people_tell_them() {
        assert_eq!(spoken(Duration::from_secs(59)), "59 s");
        assert_eq!(spoken(Duration::from_secs(61)), "1 min 1 s");
    }
}
