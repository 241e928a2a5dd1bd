//! `countersign policy test`: do policies say what they shall say?

use std::fmt;
use std::path::PathBuf;

use clap::{Args, ValueHint};
use countersign_server_core::policy::{CaseResult, Cases};
use serde::Serialize;

use super::{read, text};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{Report, Tone};

/// Ask policy documents about requests written down in a file, without a server.
///
/// Ends with 1 if one of them is answered otherwise than the file says. docs/policy.md has an example of such a file.
#[derive(Debug, Args)]
pub(crate) struct Test {
    /// The documents, as for `countersign policy check`.
    #[arg(required = true, value_name = "FILE", value_hint = ValueHint::FilePath)]
    files: Vec<PathBuf>,

    /// The cases, in TOML.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    cases: PathBuf,
}

impl Test {
    pub(super) fn run(&self) -> Result<Report, Failure> {
        let (_, set) = read(&self.files)?;
        let wrong = |why: String| Failure::file(format!("{}: {why}", self.cases.display()));
        let results = Cases::read(&text(&self.cases)?).and_then(|cases| cases.ask(&set)).map_err(wrong)?;
        let failed = results.iter().filter(|result| !result.passed).count();
        let (exit, tone) =
            if failed == 0 { (Exit::Done, Tone::Good) } else { (Exit::Failed, Tone::Attention) };
        Ok(Report::of(&Tested { failed, cases: results })?.ending(exit, tone))
    }
}

#[derive(Serialize)]
struct Tested {
    failed: usize,
    cases: Vec<CaseResult>,
}

impl fmt::Display for Tested {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.failed {
            0 => writeln!(f, "All {} cases are as they shall be.", self.cases.len())?,
            failed => writeln!(f, "{failed} of {} cases are not as they shall be.", self.cases.len())?,
        }
        self.cases.iter().try_for_each(|case| writeln!(f, "{case}"))
    }
}
