//! How long commands take a program that does nothing else.

use std::error::Error;
use std::ffi::CString;
use std::io::Write as _;
use std::time::Instant;

use pcsc::{Context, Disposition, Protocols, Scope, ShareMode};

use super::bytes;

const SELECT: &str = "00A4040006D27600012401";

/// Does `rounds` times what a login does with the card: connects with nobody else there, begins a transaction, sends
/// `apdus`, ends it and disconnects. Prints microseconds of each round as a JSON array. The application is chosen once
/// before the first.
pub(super) fn time(reader: &str, rounds: &str, apdus: &[&str]) -> Result<(), Box<dyn Error>> {
    let reader = CString::new(reader)?;
    let select = bytes(SELECT)?;
    let apdus: Vec<Vec<u8>> = apdus.iter().map(|apdu| bytes(apdu)).collect::<Result<_, _>>()?;
    let context = Context::establish(Scope::System)?;
    let mut buffer = vec![0; pcsc::MAX_BUFFER_SIZE_EXTENDED];
    let mut rounds_us: Vec<String> = Vec::new();
    for round in 0..=rounds.parse::<u32>()? {
        let began = Instant::now();
        let mut card = context.connect(&reader, ShareMode::Exclusive, Protocols::ANY)?;
        let transaction = card.transaction()?;
        let first = [select.clone()];
        for apdu in if round == 0 { first.as_slice() } else { &apdus } {
            let answer = transaction.transmit(apdu, &mut buffer)?;
            if !answer.ends_with(&[0x90, 0x00]) {
                return Err(format!(
                    "the card answered {answer:02X?} to a command that begins {:02X?}",
                    apdu.get(..4)
                )
                .into());
            }
        }
        transaction.end(Disposition::LeaveCard).map_err(|(_, error)| error)?;
        card.disconnect(Disposition::LeaveCard).map_err(|(_, error)| error)?;
        if round > 0 {
            rounds_us.push(began.elapsed().as_micros().to_string());
        }
    }
    writeln!(std::io::stdout(), "[{}]", rounds_us.join(","))?;
    Ok(())
}
