//! A PC/SC client for the tests, run inside a machine: `wait READER present|empty`, or
//! `apdu READER HEX...`, which prints one answer per line, `hold READER`, which has the card for itself until its
//! input ends, `time READER ROUNDS HEX...`, a stopwatch, or `steal READER stay|prowl HEX...`, a thief of open PINs.
#![forbid(unsafe_code)]

mod stopwatch;
mod thief;

use std::error::Error;
use std::ffi::CString;
use std::io::Write as _;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use thief::Manner;

use pcsc::{Context, Disposition, Protocols, ReaderState, Scope, ShareMode, State};

/// Far beyond pcscd's 400 ms between two looks at the readers.
const LIMIT: Duration = Duration::from_secs(20);

/// A reset that fails makes pcscd say "empty" before it has looked. A card that comes back before it
/// looks stays unpowered for ever, so a removal counts only after a look.
const LOOK: Duration = Duration::from_millis(450);

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let done = match words.as_slice() {
        ["wait", reader, "present"] => wait(reader, State::PRESENT),
        ["wait", reader, "empty"] => wait(reader, State::EMPTY).map(|()| std::thread::sleep(LOOK)),
        ["apdu", reader, apdus @ ..] => send(reader, apdus),
        ["hold", reader] => hold(reader),
        ["time", reader, rounds, apdus @ ..] => stopwatch::time(reader, rounds, apdus),
        ["steal", reader, "stay", apdus @ ..] => thief::steal(reader, Manner::Stay, apdus),
        ["steal", reader, "prowl", apdus @ ..] => thief::steal(reader, Manner::Prowl, apdus),
        _ => Err(
            "usage: wait READER present|empty, apdu READER HEX..., hold READER, time READER ROUNDS HEX..., \
                  or steal READER stay|prowl HEX..."
                .into(),
        ),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn wait(reader: &str, wanted: State) -> Result<(), Box<dyn Error>> {
    let context = Context::establish(Scope::System)?;
    let mut states = [ReaderState::new(CString::new(reader)?, State::UNAWARE)];
    let started = Instant::now();
    while let Some(left) = LIMIT.checked_sub(started.elapsed()) {
        match context.get_status_change(left, &mut states) {
            Ok(()) => {}
            // pcscd opens its socket before its readers.
            Err(pcsc::Error::UnknownReader) => std::thread::sleep(Duration::from_millis(20)),
            Err(pcsc::Error::Timeout) => break,
            Err(error) => return Err(error.into()),
        }
        for state in &mut states {
            if state.event_state().contains(wanted) {
                return Ok(());
            }
            state.sync_current_state();
        }
    }
    Err(format!("reader {reader:?} was not seen as {wanted:?} within {LIMIT:?}").into())
}

fn send(reader: &str, apdus: &[&str]) -> Result<(), Box<dyn Error>> {
    let context = Context::establish(Scope::System)?;
    let card = context.connect(&CString::new(reader)?, ShareMode::Shared, Protocols::ANY)?;
    let mut buffer = vec![0; pcsc::MAX_BUFFER_SIZE_EXTENDED];
    let mut out = std::io::stdout();
    for apdu in apdus {
        let answer = card.transmit(&bytes(apdu)?, &mut buffer)?;
        let text: String = answer.iter().map(|byte| format!("{byte:02X}")).collect();
        writeln!(out, "{text}")?;
    }
    card.disconnect(Disposition::ResetCard).map_err(|(_, error)| error)?;
    Ok(())
}

fn hold(reader: &str) -> Result<(), Box<dyn Error>> {
    let context = Context::establish(Scope::System)?;
    let card = context.connect(&CString::new(reader)?, ShareMode::Exclusive, Protocols::ANY)?;
    writeln!(std::io::stdout(), "held")?;
    std::io::copy(&mut std::io::stdin(), &mut std::io::sink())?;
    card.disconnect(Disposition::LeaveCard).map_err(|(_, error)| error)?;
    Ok(())
}

fn bytes(hex: &str) -> Result<Vec<u8>, Box<dyn Error>> {
    let digits: Vec<u8> = hex.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    digits
        .chunks(2)
        .map(|pair| {
            let pair = std::str::from_utf8(pair)?;
            u8::from_str_radix(pair, 16).map_err(|_| format!("{pair:?} is not a byte").into())
        })
        .collect()
}
