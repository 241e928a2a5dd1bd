//! Counting what the test programs said.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Command, Stdio};
use std::thread;

use crate::step::{Stop, say, shown};

/// Over all test programs of a run.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Summary {
    passed: u64,
    failed: u64,
    ignored: u64,
    started: u64,
    finished: u64,
    /// Cargo itself was content.
    content: bool,
}

impl Summary {
    /// Runs `cargo test`, shows what it says while it says it, and counts.
    pub(crate) fn of(command: &mut Command) -> Result<Self, Stop> {
        let shown = shown(command);
        let failed = |error: std::io::Error| Stop::Failed(format!("`{shown}` could not be run: {error}"));
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().map_err(failed)?;
        let (Some(results), Some(progress)) = (child.stdout.take(), child.stderr.take()) else {
            return Err(Stop::Failed(format!("`{shown}` has no output to read")));
        };
        // Cargo's own progress and the programs' results come on two pipes; each needs a reader.
        let progress = thread::spawn(move || Self::default().counting(progress, std::io::stderr()));
        let results = Self::default().counting(results, std::io::stdout());
        let progress = progress.join().unwrap_or_default();
        let status = child.wait().map_err(failed)?;
        Ok(Self { content: status.success(), ..results.plus(progress) })
    }

    fn counting(mut self, from: impl Read, mut to: impl Write) -> Self {
        let mut from = BufReader::new(from);
        let mut line = Vec::new();
        while from.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
            // Counting goes on when nobody watches.
            let _ = to.write_all(&line);
            self.count(&String::from_utf8_lossy(&line));
            line.clear();
        }
        self
    }

    fn count(&mut self, line: &str) {
        if let Some(result) = line.strip_prefix("test result: ") {
            self.finished += 1;
            self.passed += number_before(result, "passed");
            self.failed += number_before(result, "failed");
            self.ignored += number_before(result, "ignored");
        } else if line.starts_with("     Running ") || line.starts_with("   Doc-tests ") {
            self.started += 1;
        }
    }

    pub(crate) const fn plus(self, other: Self) -> Self {
        Self {
            passed: self.passed + other.passed,
            failed: self.failed + other.failed,
            ignored: self.ignored + other.ignored,
            started: self.started + other.started,
            finished: self.finished + other.finished,
            content: self.content && other.content,
        }
    }

    /// Test programs that ended without a result.
    const fn died(self) -> u64 {
        self.started.saturating_sub(self.finished)
    }

    /// Good only if every program ended with a result, nothing failed, and something ran.
    pub(crate) fn verdict(self) -> Result<(), Stop> {
        match self {
            _ if self.died() > 0 => {
                Err(Stop::Failed(format!("{} test programs ended without a result", self.died())))
            }
            Self { failed: 1.., .. } => Err(Stop::Failed("tests failed".to_owned())),
            Self { content: false, .. } => Err(Stop::Failed("cargo test failed".to_owned())),
            Self { passed: 0, .. } => Err(Stop::Failed("no test ran".to_owned())),
            _ => Ok(()),
        }
    }

    /// The line that ends a run: a program that died counts as one failure.
    pub(crate) fn line(self) -> String {
        format!("{} passed, {} failed", self.passed, self.failed + self.died())
    }

    /// Prints that line, and before it what it does not say.
    pub(crate) fn tell(self) {
        if self.ignored > 0 {
            say(&format!("{} tests were ignored", self.ignored));
        }
        // Nobody watches, nothing to do about it; the exit code tells.
        let _ = writeln!(std::io::stdout(), "{}", self.line());
    }
}

/// The number in front of a word: `12 passed`.
fn number_before(text: &str, word: &str) -> u64 {
    let words: Vec<&str> = text.split([' ', ';']).filter(|part| !part.is_empty()).collect();
    words
        .windows(2)
        .find_map(|pair| match pair {
            [number, name] if *name == word => number.parse().ok(),
            _ => None,
        })
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(output: &str) -> Summary {
        Summary { content: true, ..Summary::default() }.counting(output.as_bytes(), std::io::sink())
    }

    #[test]
    fn results_of_all_programs_are_added() {
        let summary = counted(
            "     Running unittests src/lib.rs (target/debug/deps/a-1)\n\
             test x ... ok\n\
             test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.1s\n\
             \x20    Running tests/b.rs (target/debug/deps/b-2)\n\
             test result: FAILED. 2 passed; 3 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.1s\n",
        );
        assert_eq!(summary.line(), "14 passed, 3 failed");
        assert!(summary.verdict().is_err());
    }

    #[test]
    fn a_program_that_dies_counts_as_a_failure() {
        let summary = counted(
            "     Running unittests src/lib.rs (target/debug/deps/a-1)\n\
             test result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.1s\n\
             \x20    Running tests/b.rs (target/debug/deps/b-2)\n",
        );
        assert_eq!(summary.line(), "1 passed, 1 failed");
        assert!(summary.verdict().is_err());
    }

    #[test]
    fn a_run_without_tests_is_not_a_success() {
        assert!(counted("").verdict().is_err());
    }

    #[test]
    fn a_good_run_is_good() {
        let summary = counted(
            "   Doc-tests protocol\n\
             test result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.1s\n",
        );
        assert_eq!(summary.verdict().map_err(|stop| stop.to_string()), Ok(()));
        assert_eq!(summary.line(), "1 passed, 0 failed");
    }
}
