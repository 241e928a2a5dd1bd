//! The reader's side: keeps the card connected to vpcd while it is inserted, and answers.

use std::io;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use crate::bench::{Bench, Presence};
use crate::chip::Chip;
use crate::vpcd::{Frame, QuickAck, read_frame, write_frame};

/// Pause between two attempts to reach a pcscd that is not there.
const RETRY: Duration = Duration::from_millis(20);

/// Historical bytes of the answer to reset: no country, card service data 73, capabilities with
/// extended length and chaining, life cycle operational, 9000.
const HISTORICAL: [u8; 10] = [0x00, 0x31, 0xF5, 0x73, 0xC0, 0x01, 0x60, 0x05, 0x90, 0x00];

/// Runs until `quit`.
pub(crate) fn run(address: &str, bench: &Bench, chip: &mut dyn Chip) {
    while bench.wait_for_insertion() {
        let Ok(line) = TcpStream::connect(address) else {
            let _ = bench.pass(RETRY);
            continue;
        };
        // Whatever ends the conversation, the card loses power and waits to be plugged in again.
        let _ = converse(&line, bench, chip);
        bench.unplugged();
        chip.reset();
        let _ = bench.pass(RETRY);
    }
}

/// Talks to the driver until one side leaves.
fn converse(line: &TcpStream, bench: &Bench, chip: &mut dyn Chip) -> io::Result<()> {
    line.set_nodelay(true)?;
    if bench.plugged(line.try_clone()?) == Presence::Gone {
        return Ok(());
    }
    while let Some(frame) = read_frame(&mut QuickAck(line))? {
        match frame {
            Frame::PowerOff => {
                chip.reset();
                bench.power(false);
            }
            Frame::PowerOn => bench.power(true),
            Frame::Reset => chip.reset(),
            Frame::Atr => write_frame(&mut &*line, &answer_to_reset())?,
            Frame::Apdu(apdu) => {
                let came = Instant::now();
                let Some(answer) = answer(&apdu, line, bench, chip) else { return Ok(()) };
                bench.worked(came.elapsed());
                write_frame(&mut &*line, &answer)?;
            }
            Frame::Unknown(_) => {}
        }
    }
    Ok(())
}

/// Answers a command, with whatever shall go wrong. `None`: the card is gone.
fn answer(apdu: &[u8], line: &TcpStream, bench: &Bench, chip: &mut dyn Chip) -> Option<Vec<u8>> {
    let verdict = bench.arrival(apdu);
    if let Some(time) = verdict.delay
        && bench.pass(time) == Presence::Gone
    {
        return None;
    }
    if verdict.hang && bench.hang(|| is_open(line)) == Presence::Gone {
        return None;
    }
    if verdict.pull {
        bench.pull();
        return None;
    }
    let answer = match verdict.answer {
        Some(status) => status.to_vec(),
        None => {
            let answer = chip.transmit(apdu);
            bench.carried_out(apdu, &answer);
            answer
        }
    };
    if verdict.pull_after {
        bench.pull();
        return None;
    }
    Some(match verdict.damage {
        Some(damage) => damage.apply(answer),
        None => answer,
    })
}

/// False once the driver has closed its end.
fn is_open(line: &TcpStream) -> bool {
    if line.set_nonblocking(true).is_err() {
        return false;
    }
    let open = match line.peek(&mut [0]) {
        Ok(bytes) => bytes > 0,
        Err(error) => error.kind() == io::ErrorKind::WouldBlock,
    };
    line.set_nonblocking(false).is_ok() && open
}

/// ISO 7816-3: protocol T=1 with 254-byte blocks, then the historical bytes and the check byte.
fn answer_to_reset() -> Vec<u8> {
    let mut atr = vec![0x3B, 0xDA, 0x18, 0xFF, 0x81, 0xB1, 0xFE, 0x75, 0x1F, 0x03];
    atr.extend_from_slice(&HISTORICAL);
    let check = atr.iter().skip(1).fold(0, |sum, byte| sum ^ byte);
    atr.push(check);
    atr
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;
    use crate::faults::Fault;

    /// Counts what reaches the card and answers 9000.
    #[derive(Default)]
    struct Counting {
        seen: usize,
        resets: usize,
    }

    impl Chip for Counting {
        fn transmit(&mut self, _: &[u8]) -> Vec<u8> {
            self.seen += 1;
            vec![0x90, 0]
        }

        fn reset(&mut self) {
            self.resets += 1;
        }
    }

    fn line() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let card = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        (card, listener.accept().unwrap().0)
    }

    #[test]
    fn the_check_byte_makes_the_answer_to_reset_even() {
        assert_eq!(answer_to_reset().iter().skip(1).fold(0, |sum, byte| sum ^ byte), 0);
    }

    #[test]
    fn a_chosen_status_word_never_reaches_the_card() {
        let (card, _driver) = line();
        let (bench, mut chip) = (Bench::new(true), Counting::default());
        bench.change(|state| state.faults.at(2, Fault::Answer([0x69, 0x83])));
        let apdu = [0, 0x20, 0, 0x81, 1, 0];
        assert_eq!(answer(&apdu, &card, &bench, &mut chip), Some(vec![0x90, 0]));
        assert_eq!(answer(&apdu, &card, &bench, &mut chip), Some(vec![0x69, 0x83]));
        assert_eq!(chip.seen, 1);
        assert_eq!(bench.change(|state| state.journal.clone()), ["VERIFY", "VERIFY"]);
    }

    #[test]
    fn a_card_pulled_at_a_command_does_not_answer_it() {
        let (card, mut driver) = line();
        let (bench, mut chip) = (Bench::new(true), Counting::default());
        bench.change(|state| state.faults.at(1, Fault::Pull));
        write_frame(&mut driver, &[0, 0xA4, 4, 0]).unwrap();
        converse(&card, &bench, &mut chip).unwrap();
        drop(card);
        assert_eq!(read_frame(&mut driver).unwrap(), None);
        assert_eq!(chip.seen, 0);
        assert!(!bench.change(|state| state.inserted));
    }

    #[test]
    fn a_card_pulled_after_a_command_has_carried_it_out() {
        let (card, _driver) = line();
        let (bench, mut chip) = (Bench::new(true), Counting::default());
        bench.change(|state| state.faults.at(1, Fault::PullAfter));
        assert_eq!(answer(&[0, 0xA4, 4, 0], &card, &bench, &mut chip), None);
        assert_eq!(chip.seen, 1);
        assert!(!bench.change(|state| state.inserted));
    }

    #[test]
    fn a_pin_that_the_card_refuses_is_counted_and_one_that_a_fault_refuses_is_not() {
        struct Refusing;
        impl Chip for Refusing {
            fn transmit(&mut self, _: &[u8]) -> Vec<u8> {
                vec![0x63, 0xC2]
            }
            fn reset(&mut self) {}
        }
        let (card, _driver) = line();
        let bench = Bench::new(true);
        bench.change(|state| state.faults.at(1, Fault::Answer([0x63, 0xC2])));
        for apdu in [&[0, 0x20, 0, 0x81, 1, 0][..], &[0, 0x20, 0, 0x81, 1, 0], &[0, 0x20, 0, 0x81]] {
            answer(apdu, &card, &bench, &mut Refusing);
        }
        assert_eq!(bench.change(|state| state.refused_pins), 1);
    }

    #[test]
    fn a_hanging_card_ends_with_its_driver() {
        let (card, driver) = line();
        let (bench, mut chip) = (Bench::new(true), Counting::default());
        bench.change(|state| state.faults.at(1, Fault::Hang));
        drop(driver);
        assert_eq!(answer(&[0, 0xA4, 4, 0], &card, &bench, &mut chip), None);
        assert_eq!(chip.seen, 0);
        assert!(!bench.change(|state| state.hanging), "nothing hangs any more");
    }
}
