//! The control socket: one command per line, one line of JSON back.
//!
//! | command | effect |
//! |---|---|
//! | `pull`, `insert` | out of the reader, into the reader |
//! | `status` | where the card is and what it waits for |
//! | `count`, `reset-count` | commands seen, by name and in order; PINs that the card itself refused |
//! | `fail N SW` | the Nth command from now is answered SW and does not reach the card |
//! | `fail-from N SW` | so is every later one, until `clear-faults` |
//! | `fail-next COMMAND SW` | the same for the next command of that name, or instruction byte |
//! | `delay N MS` | the Nth command takes that much longer |
//! | `hang N`, `resume` | the Nth command is not answered until `resume` |
//! | `pull-at N` | the card leaves the reader when the Nth command arrives |
//! | `pull-after N` | the card carries it out and leaves before its answer does |
//! | `damage N half\|no-data\|garbage\|long\|cut` | the card carries it out, and its answer is damaged |
//! | `clear-faults` | forget the faults still to come |
//! | `touch off\|require\|grant\|refuse` | the finger, when the card asks for one |
//! | `quit` | end the program |
//!
//! Answers have `"ok": true`, or `"ok": false` and an `error`.

mod command;
mod reply;

use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;

use crate::bench::Bench;
use command::Command;
use reply::{Count, Reply, Status};

/// Listens until the program ends. The socket file goes when this is dropped.
pub(crate) fn listen(path: &Path, ident: String, bench: Arc<Bench>) -> io::Result<Listening> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(path)?;
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let (ident, bench) = (ident.clone(), Arc::clone(&bench));
            thread::spawn(move || converse(&stream, &ident, &bench));
        }
    });
    Ok(Listening(path.to_owned()))
}

/// The bound socket.
pub(crate) struct Listening(PathBuf);

impl Drop for Listening {
    fn drop(&mut self) {
        // Gone already is as good.
        let _ = std::fs::remove_file(&self.0);
    }
}

fn converse(stream: &UnixStream, ident: &str, bench: &Bench) -> io::Result<()> {
    for line in BufReader::new(stream).lines() {
        let reply = match line?.parse() {
            Ok(command) => obey(command, ident, bench),
            Err(error) => Reply::refused(&error),
        };
        let mut text = serde_json::to_string(&reply)?;
        text.push('\n');
        (&*stream).write_all(text.as_bytes())?;
    }
    Ok(())
}

fn obey(command: Command, ident: &str, bench: &Bench) -> Reply {
    match command {
        Command::Pull => bench.pull(),
        Command::Insert => bench.change(|state| state.inserted = true),
        Command::Status => return bench.change(|state| Reply::status(Status::of(state, ident))),
        Command::Count => return bench.change(|state| Reply::count(Count::of(state))),
        Command::ResetCount => bench.change(|state| {
            state.journal.clear();
            state.refused_pins = 0;
            state.worked = std::time::Duration::ZERO;
        }),
        Command::At(nth, fault) => bench.change(|state| state.faults.at(nth, fault)),
        Command::FailFrom(nth, status) => bench.change(|state| state.faults.lasting(nth, status)),
        Command::FailNext(target, status) => bench.change(|state| state.faults.next(target, status)),
        Command::Resume => bench.change(|state| state.hanging = false),
        Command::ClearFaults => bench.change(|state| state.faults.clear()),
        Command::Touch(mode) => bench.change(|state| state.touch = mode),
        Command::Quit => bench.quit(),
    }
    Reply::done()
}
