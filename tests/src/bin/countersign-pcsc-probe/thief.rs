//! A program of somebody else that waits for a PIN to be open on the card, and uses it.

use std::collections::BTreeMap;
use std::error::Error;
use std::ffi::{CStr, CString};
use std::io::{Read as _, Write as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use pcsc::{Card, Context, Disposition, Protocols, Scope, ShareMode};

use super::bytes;

/// How it goes about it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Manner {
    /// Stays connected, many times over, so that some command is always waiting for the reader.
    Stay,
    /// Connects, tries, and disconnects, over and over.
    Prowl,
}

/// Between two visits of one that comes and goes, so that there is something to come back for.
const PAUSE: Duration = Duration::from_millis(1);

/// Tries to sign, to authenticate and to decrypt as fast as the reader takes it, until standard input ends; then
/// tells what came of it, in one line of JSON. First sends `apdus` once: an honest VERIFY shows that the thief would
/// succeed.
pub(super) fn steal(reader: &str, manner: Manner, apdus: &[&str]) -> Result<(), Box<dyn Error>> {
    let reader = CString::new(reader)?;
    let hands = if manner == Manner::Stay { 12 } else { 2 };
    let opened = open(&reader, apdus)?;
    let ended = Arc::new(AtomicBool::new(false));
    let hands: Vec<JoinHandle<Told>> = (0..hands)
        .map(|_| {
            let (reader, ended) = (reader.clone(), Arc::clone(&ended));
            std::thread::spawn(move || {
                let mut told = Told::new();
                // The library locks a context during a call: each hand has its own.
                let Ok(context) = Context::establish(Scope::System) else { return told };
                while !ended.load(Ordering::SeqCst) {
                    if let Err(error) = one_hand(&context, &reader, manner, &ended, &mut told) {
                        count(&mut told, format!("{error:?}"));
                    }
                    std::thread::sleep(PAUSE);
                }
                told
            })
        })
        .collect();
    std::io::stdin().read_to_end(&mut Vec::new())?;
    ended.store(true, Ordering::SeqCst);
    let mut told = Told::new();
    for hand in hands {
        for (what, times) in hand.join().map_err(|_| "a hand was caught")? {
            *told.entry(what).or_default() += times;
        }
    }
    drop(opened);
    let fields: Vec<String> = told.iter().map(|(what, times)| format!("{what:?}:{times}")).collect();
    writeln!(std::io::stdout(), "{{{}}}", fields.join(","))?;
    Ok(())
}

/// How often what happened.
type Told = BTreeMap<String, u64>;

fn count(told: &mut Told, what: String) {
    *told.entry(what).or_default() += 1;
}

/// A connection on which `apdus` were sent, if there are any; its end would reset the card.
fn open(reader: &CStr, apdus: &[&str]) -> Result<Option<(Context, Card)>, Box<dyn Error>> {
    if apdus.is_empty() {
        return Ok(None);
    }
    let context = Context::establish(Scope::System)?;
    let card = context.connect(reader, ShareMode::Shared, Protocols::ANY)?;
    let mut buffer = vec![0; pcsc::MAX_BUFFER_SIZE_EXTENDED];
    for apdu in apdus {
        card.transmit(&bytes(apdu)?, &mut buffer)?;
    }
    Ok(Some((context, card)))
}

fn one_hand(
    context: &Context,
    reader: &CStr,
    manner: Manner,
    ended: &AtomicBool,
    told: &mut Told,
) -> Result<(), pcsc::Error> {
    let card = context.connect(reader, ShareMode::Shared, Protocols::ANY)?;
    let mut buffer = vec![0; pcsc::MAX_BUFFER_SIZE_EXTENDED];
    for (name, apdu) in uses().iter().cycle().take(if manner == Manner::Stay { usize::MAX } else { 3 }) {
        if ended.load(Ordering::SeqCst) {
            break;
        }
        match card.transmit(apdu, &mut buffer)? {
            [.., 0x90, 0x00] => count(told, format!("{name} succeeded")),
            [.., high, low] => count(told, format!("{name} {high:02X}{low:02X}")),
            _ => count(told, "no answer".to_owned()),
        }
    }
    let _ = card.disconnect(Disposition::LeaveCard);
    Ok(())
}

/// A signature, an authentication and a decryption, each complete.
fn uses() -> [(&'static str, Vec<u8>); 3] {
    let digest = [0xAB; 32];
    let point = [[9].as_slice(), &[0; 31]].concat();
    let command = |header: &[u8], data: &[u8]| [header, data, &[0]].concat();
    let decryption = [0x00, 0x2A, 0x80, 0x86, 0x27, 0xA6, 0x25, 0x7F, 0x49, 0x22, 0x86, 0x20];
    [
        ("signature", command(&[0x00, 0x2A, 0x9E, 0x9A, 0x20], &digest)),
        ("authentication", command(&[0x00, 0x88, 0x00, 0x00, 0x20], &digest)),
        ("decryption", command(&decryption, &point)),
    ]
}
