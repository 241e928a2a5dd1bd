//! libpam's own word on a stack: reads lines `FOLDER SERVICE CALL …` from standard input, and answers each with the
//! codes of these calls, in one handle with the configuration in that folder.
#![deny(unsafe_code)]

mod libpam;

use std::io::{BufRead as _, Write as _};
use std::process::ExitCode;

fn main() -> ExitCode {
    match serve() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("countersign-pam-dispatch: {error}");
            ExitCode::FAILURE
        }
    }
}

fn serve() -> Result<(), String> {
    for line in std::io::stdin().lock().lines() {
        let line = line.map_err(|error| error.to_string())?;
        let words: Vec<&str> = line.split_whitespace().collect();
        let [folder, service, calls @ ..] = words.as_slice() else {
            return Err(format!("{line:?} is not FOLDER SERVICE CALL …"));
        };
        let codes: Vec<String> =
            libpam::run(folder, service, calls)?.iter().map(ToString::to_string).collect();
        writeln!(std::io::stdout(), "{}", codes.join(" ")).map_err(|error| error.to_string())?;
    }
    Ok(())
}
