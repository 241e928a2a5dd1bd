//! A clock of one program's own.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;
use std::process::Command;

use crate::machine::Machine;
use crate::trouble::{Attempt as _, Trouble};

/// The clock of whichever programs are started with it.
#[derive(Debug)]
pub struct TurnedClock {
    library: PathBuf,
    hands: PathBuf,
}

impl TurnedClock {
    /// Not turned yet.
    ///
    /// # Errors
    /// If the C compiler, which the build needs anyway, does not do it.
    pub fn new(machine: &Machine) -> Result<Self, Trouble> {
        let [source, library, hands] = ["turned_clock.c", "turned_clock.so", "turned_clock.seconds"]
            .map(|name| machine.scratch().join(name));
        let prepare = || "prepare a clock".to_owned();
        std::fs::write(&source, include_str!("turned_clock.c")).attempt(prepare)?;
        let made = Command::new("cc")
            .args(["-O1", "-shared", "-fPIC", "-Wall", "-o"])
            .args([&library, &source])
            .output()
            .attempt(|| "start cc".to_owned())?;
        if !made.status.success() {
            let output = String::from_utf8_lossy(&made.stderr).into_owned();
            return Err(Trouble::Program {
                program: "cc".to_owned(),
                status: made.status.to_string(),
                output,
            });
        }
        std::fs::write(&hands, 0_i64.to_ne_bytes()).attempt(prepare)?;
        Ok(Self { library, hands })
    }

    /// Has a program go by this clock.
    pub fn give_to(&self, command: &mut Command) {
        command.env("LD_PRELOAD", &self.library).env("COUNTERSIGN_TURNED_CLOCK", &self.hands);
    }

    /// It shows so many seconds more than the machine's.
    ///
    /// # Errors
    /// If its file cannot be written.
    pub fn turn(&self, seconds: i64) -> Result<(), Trouble> {
        File::options()
            .write(true)
            .open(&self.hands)
            .and_then(|hands| hands.write_all_at(&seconds.to_ne_bytes(), 0))
            .attempt(|| "turn a clock".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_turned_clock_shows_another_time_to_its_own_program_alone() {
        let machine = Machine::start().unwrap();
        let clock = TurnedClock::new(&machine).unwrap();
        let year = |command: &mut Command| {
            let said = command.output().unwrap().stdout;
            String::from_utf8(said).unwrap().trim().parse::<i64>().unwrap()
        };
        let mut date = machine.command("date");
        date.arg("+%Y");
        let now = year(&mut date);
        clock.give_to(&mut date);
        assert_eq!(year(&mut date), now);
        clock.turn(-20 * 365 * 86_400).unwrap();
        assert!((19..=20).contains(&(now - year(&mut date))));
        assert_eq!(year(machine.command("date").arg("+%Y")), now);
    }
}
