//! A program that calls PAM, for tests and benches that look into it: it stays alive between logins, times them
//! from the PIN to libpam's answer, and keeps no PIN of its own.
//!
//! `countersign-pam-client SERVICE LOGIN` reads one login a line from standard input: the answer to every question
//! without echo, as hexadecimal of its complemented bytes, so that this process never holds the PIN but where
//! libpam wants it. A line `-` gives no answer: somebody who cancels. Each login is told in one line of JSON. With
//! `--whole` before SERVICE the account is checked and credentials are set as well.
#![deny(unsafe_code)]

mod libpam;

use std::io::{BufRead as _, Write as _};
use std::process::ExitCode;
use std::time::Duration;

use serde::Serialize;

use libpam::{Ended, Hidden, Hooks};

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let (hooks, words) = match words.split_first() {
        Some((word, rest)) if word == "--whole" => (Hooks::All, rest),
        _ => (Hooks::Authenticate, words.as_slice()),
    };
    let [service, login] = words else {
        eprintln!(
            "usage: countersign-pam-client [--whole] SERVICE LOGIN, with one answer a line on standard input"
        );
        return ExitCode::FAILURE;
    };
    match serve(hooks, service, login) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("countersign-pam-client: {error}");
            ExitCode::FAILURE
        }
    }
}

fn serve(hooks: Hooks, service: &str, login: &str) -> Result<(), String> {
    for line in std::io::stdin().lock().lines() {
        let line = line.map_err(|error| error.to_string())?;
        let answer = match line.trim() {
            "-" => None,
            hex => Some(Hidden::complement_of(&bytes(hex)?)),
        };
        let ended = libpam::log_in(hooks, service, login, answer)?;
        let told = serde_json::to_string(&Told::of(&ended)).map_err(|error| error.to_string())?;
        writeln!(std::io::stdout(), "{told}").map_err(|error| error.to_string())?;
    }
    Ok(())
}

/// One login, as it is told.
#[derive(Serialize)]
struct Told<'a> {
    /// libpam's answer; 0 is success.
    code: i32,
    /// From the call to the answer.
    total_us: u64,
    /// From the last answered question to libpam's answer; none if nothing was asked.
    after_pin_us: Option<u64>,
    /// From before `pam_start` until after `pam_end`.
    whole_us: u64,
    /// Everything shown.
    shown: &'a [String],
}

impl<'a> Told<'a> {
    fn of(ended: &'a Ended) -> Self {
        let micros = |time: Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        Self {
            code: ended.code,
            total_us: micros(ended.total),
            after_pin_us: ended.after_pin.map(micros),
            whole_us: micros(ended.whole),
            shown: &ended.shown,
        }
    }
}

fn bytes(hex: &str) -> Result<Vec<u8>, String> {
    hex.as_bytes()
        .chunks(2)
        .map(|pair| {
            let pair = std::str::from_utf8(pair).map_err(|error| error.to_string())?;
            u8::from_str_radix(pair, 16).map_err(|_| format!("{pair:?} is not a byte in hexadecimal"))
        })
        .collect()
}
