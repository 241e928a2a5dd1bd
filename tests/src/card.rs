//! A virtual card in a machine's reader.

mod control;
mod orders;

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::binaries::target_bin;
use crate::machine::{Machine, reader_name};
use crate::running::Running;
use crate::trouble::Trouble;
use crate::waiting::wait_until;
use control::Control;

pub use control::{CardStatus, Counts, Damage, Touch};
pub use orders::{Pins, SELECT};

/// A card to be.
#[derive(Clone, Debug)]
pub struct CardSpec {
    serial: String,
    manufacturer: String,
    state: Option<PathBuf>,
    absent: bool,
    buttonless: bool,
}

impl CardSpec {
    /// A new card with this serial number (eight hexadecimal digits), of the test manufacturer FFFE,
    /// inserted, and forgotten at the end.
    #[must_use]
    pub fn new(serial: &str) -> Self {
        Self {
            serial: serial.to_owned(),
            manufacturer: "FFFE".to_owned(),
            state: None,
            absent: false,
            buttonless: false,
        }
    }

    /// Four hexadecimal digits.
    #[must_use]
    pub fn manufacturer(self, manufacturer: &str) -> Self {
        Self { manufacturer: manufacturer.to_owned(), ..self }
    }

    /// Keeps keys, PINs and counters in this folder.
    #[must_use]
    pub fn kept_in(self, folder: impl Into<PathBuf>) -> Self {
        Self { state: Some(folder.into()), ..self }
    }

    /// Cannot be touched.
    #[must_use]
    pub fn buttonless(self) -> Self {
        Self { buttonless: true, ..self }
    }

    /// Not in the reader at first.
    #[must_use]
    pub fn absent(self) -> Self {
        Self { absent: true, ..self }
    }
}

/// A card. It must not outlive its machine; the program ends with either.
pub struct Card<'m> {
    machine: &'m Machine,
    reader: usize,
    spec: CardSpec,
    program: Running,
    control: Control,
}

impl Machine {
    /// Puts a card into a reader. It returns when the card program runs, not when pcscd has noticed:
    /// see [`Card::wait_until_seen`].
    ///
    /// # Errors
    /// If there is no such reader or the program does not come up.
    pub fn card(&self, reader: usize, spec: CardSpec) -> Result<Card<'_>, Trouble> {
        let socket = self.scratch().join(format!("card-{}.sock", self.next_card()));
        let program = boot(self, reader, &spec, &socket)?;
        Ok(Card { machine: self, reader, spec, program, control: Control::new(socket) })
    }
}

impl Card<'_> {
    /// Identity as the agent reports it: `FFFE:0000AAAA`.
    #[must_use]
    pub fn ident(&self) -> String {
        format!("{}:{}", self.spec.manufacturer.to_uppercase(), self.spec.serial.to_uppercase())
    }

    /// The reader's PC/SC name.
    #[must_use]
    pub fn reader_name(&self) -> String {
        reader_name(self.reader)
    }

    /// The control socket, for a program that steers the card by itself.
    #[must_use]
    pub fn control_socket(&self) -> &Path {
        self.control.socket()
    }

    /// Waits until pcscd's clients see what is true: the card there, or the reader empty. pcscd looks
    /// every 400 ms.
    ///
    /// # Errors
    /// After twenty seconds, with pcscd's log.
    pub fn wait_until_seen(&self) -> Result<(), Trouble> {
        let inserted = self.status()?.inserted;
        self.machine.wait_for_card(self.reader, inserted)
    }

    /// Takes the card out of the reader.
    ///
    /// # Errors
    /// If the card program does not answer, as for every method below.
    pub fn pull(&self) -> Result<(), Trouble> {
        self.control.order("pull")
    }

    /// Puts the card into the reader.
    pub fn insert(&self) -> Result<(), Trouble> {
        self.control.order("insert")
    }

    /// Where the card is and what it waits for.
    pub fn status(&self) -> Result<CardStatus, Trouble> {
        self.control.ask("status")
    }

    /// The commands it got since the last reset of the count.
    pub fn counts(&self) -> Result<Counts, Trouble> {
        self.control.ask("count")
    }

    /// Starts counting anew.
    pub fn reset_counts(&self) -> Result<(), Trouble> {
        self.control.order("reset-count")
    }

    /// The `nth` command from now (1 is the next) is answered `status` and does not reach the card.
    pub fn fail(&self, nth: u32, status: u16) -> Result<(), Trouble> {
        self.control.order(&format!("fail {nth} {status:04X}"))
    }

    /// The `nth` command from now and every later one is answered `status`, until [`Card::clear_faults`].
    pub fn fail_from(&self, nth: u32, status: u16) -> Result<(), Trouble> {
        self.control.order(&format!("fail-from {nth} {status:04X}"))
    }

    /// The next command of this name (`VERIFY`, `PSO_CDS`, `GET_DATA_6E`) is answered `status`.
    pub fn fail_next(&self, command: &str, status: u16) -> Result<(), Trouble> {
        self.control.order(&format!("fail-next {command} {status:04X}"))
    }

    /// The `nth` command from now takes this much longer.
    pub fn delay(&self, nth: u32, time: Duration) -> Result<(), Trouble> {
        self.control.order(&format!("delay {nth} {}", time.as_millis()))
    }

    /// The `nth` command from now is not answered until [`Card::resume`].
    pub fn hang(&self, nth: u32) -> Result<(), Trouble> {
        self.control.order(&format!("hang {nth}"))
    }

    /// Lets a hanging command go on.
    pub fn resume(&self) -> Result<(), Trouble> {
        self.control.order("resume")
    }

    /// The card is pulled when the `nth` command from now arrives, which gets no answer.
    pub fn pull_at(&self, nth: u32) -> Result<(), Trouble> {
        self.control.order(&format!("pull-at {nth}"))
    }

    /// The card carries the `nth` command from now out, and is pulled before its answer is there.
    pub fn pull_after(&self, nth: u32) -> Result<(), Trouble> {
        self.control.order(&format!("pull-after {nth}"))
    }

    /// The card carries the `nth` command from now out, and its answer is damaged on the way.
    pub fn damage(&self, nth: u32, damage: Damage) -> Result<(), Trouble> {
        self.control.order(&format!("damage {nth} {}", damage.word()))
    }

    /// Forgets the faults still to come.
    pub fn clear_faults(&self) -> Result<(), Trouble> {
        self.control.order("clear-faults")
    }

    /// What the finger does when the card asks for a touch, which it does only for keys whose touch
    /// policy is on.
    pub fn touch(&self, touch: Touch) -> Result<(), Trouble> {
        self.control.order(&format!("touch {}", touch.word()))
    }

    /// Waits until the card blinks.
    pub fn wait_until_it_asks_for_a_touch(&self, limit: Duration) -> Result<(), Trouble> {
        wait_until("the card to ask for a touch", limit, || {
            Ok(self.status()?.waiting_for_touch.then_some(()))
        })
    }

    /// Kills the program in the middle of whatever it does, and starts it again. Pulled and touched
    /// states, faults and counts start afresh; so does everything else unless the card is kept in a
    /// folder.
    pub fn kill_and_restart(&mut self) -> Result<(), Trouble> {
        let inserted = self.status()?.inserted;
        self.program.kill()?;
        if inserted && self.machine.pcscd_runs() {
            // Between two of its looks pcscd would take the new connection for the old card.
            self.machine.wait_for_card(self.reader, false)?;
        }
        self.program = boot(self.machine, self.reader, &self.spec, self.control.socket())?;
        Ok(())
    }
}

fn boot(machine: &Machine, reader: usize, spec: &CardSpec, socket: &Path) -> Result<Running, Trouble> {
    let mut command = machine.command_beside(target_bin("countersign-virtual-card")?);
    command
        .arg(format!("--vpcd=127.0.0.1:{}", machine.reader_port(reader)?))
        .args(["--serial", &spec.serial, "--manufacturer", &spec.manufacturer])
        .arg("--control")
        .arg(socket);
    match &spec.state {
        Some(folder) => command.arg("--state").arg(folder),
        None => command.arg("--memory"),
    };
    if spec.absent {
        command.arg("--absent");
    }
    if spec.buttonless {
        command.arg("--buttonless");
    }
    // A killed card leaves its socket.
    let _ = std::fs::remove_file(socket);
    let mut program = machine.spawn("card", &mut command)?;
    wait_until("the virtual card's control socket", Duration::from_secs(20), || match program.ended()? {
        Some(status) => Err(Trouble::Program {
            program: "countersign-virtual-card".to_owned(),
            status: status.to_string(),
            output: program.log(),
        }),
        None => Ok(std::os::unix::net::UnixStream::connect(socket).ok().map(drop)),
    })?;
    Ok(program)
}
