//! People at the machine, with a login name, a seat and a card.

use std::process::Command;

use super::{Ending, KEY_GENERATION, SOON, Site, talk};
use crate::card::{Card, CardSpec};
use crate::dialogue::Dialogue;
use crate::machine::{Machine, SessionHandle, SessionSpec, User};
use crate::trouble::Trouble;

/// The user PIN that everybody here chooses.
const PIN: &str = "271828";

/// The admin PIN that everybody here chooses.
const ADMIN_PIN: &str = "31415926";

/// Where somebody is.
pub type Seat = SessionHandle;

/// Somebody with a login name, a session at the machine, and a card in a reader.
pub struct Person<'m> {
    /// The login name.
    pub user: User,
    /// The session at seat0.
    pub seat: Seat,
    /// The card.
    pub card: Card<'m>,
}

impl Person<'_> {
    /// The PIN of the card, once it is registered.
    pub const PIN: &'static str = PIN;

    /// The admin PIN of the card, once it is registered.
    pub const ADMIN_PIN: &'static str = ADMIN_PIN;

    /// `countersign` with arguments, typed at this person's seat.
    ///
    /// # Errors
    /// [`Trouble::NotBuilt`].
    pub fn countersign(&self, arguments: &[&str]) -> Result<Command, Trouble> {
        let mut command = self.seat.command_as(&self.user, crate::target_bin("countersign")?);
        command.args(arguments);
        Ok(command)
    }

    /// Registers the card for `account` with a one-time code: keys are generated on it, both factory PINs
    /// replaced.
    ///
    /// # Errors
    /// If the command fails, with what it showed.
    pub fn register(&self, account: &str, code: &str) -> Result<Ending, Trouble> {
        self.register_with(account, code, PIN, ADMIN_PIN)
    }

    /// The same with keys of another kind: `rsa2048`, `nist-p256` …
    ///
    /// # Errors
    /// If the command fails, with what it showed.
    pub fn register_keys(&self, account: &str, code: &str, algorithm: &str) -> Result<Ending, Trouble> {
        self.registering(account, code, [PIN, ADMIN_PIN], &["--algorithm", algorithm])
    }

    /// The same with other PINs.
    ///
    /// # Errors
    /// If the command fails, with what it showed.
    pub fn register_with(
        &self,
        account: &str,
        code: &str,
        pin: &str,
        admin_pin: &str,
    ) -> Result<Ending, Trouble> {
        self.registering(account, code, [pin, admin_pin], &[])
    }

    fn registering(
        &self,
        account: &str,
        code: &str,
        [pin, admin_pin]: [&str; 2],
        more: &[&str],
    ) -> Result<Ending, Trouble> {
        let ident = self.card.ident();
        let command = self.countersign(&[&["register", account, "--card", &ident], more].concat())?;
        let answers = [
            ("Type yes", "yes"),
            ("New PIN (", pin),
            ("New PIN again", pin),
            ("New admin PIN (", admin_pin),
            ("New admin PIN again", admin_pin),
            ("One-time code", code),
            ("Register a second card now", ""),
        ];
        talk(&command, &answers, KEY_GENERATION)?.success()
    }

    /// Begins to register a fresh card: keys are generated on it, both factory PINs replaced. What is asked after that is
    /// the caller's to answer.
    ///
    /// # Errors
    /// If a question does not come, with what was shown.
    pub fn begin_registering(&self, account: &str, more: &[&str]) -> Result<Dialogue, Trouble> {
        let ident = self.card.ident();
        let command = self.countersign(&[&["register", account, "--card", &ident], more].concat())?;
        let mut dialogue = Dialogue::start(&command)?;
        for (question, answer) in [
            ("Type yes", "yes"),
            ("New PIN (", PIN),
            ("New PIN again", PIN),
            ("New admin PIN (", ADMIN_PIN),
            ("New admin PIN again", ADMIN_PIN),
        ] {
            dialogue.expect(question, KEY_GENERATION)?;
            dialogue.send_line(answer)?;
        }
        Ok(dialogue)
    }

    /// From now on the card signs only when it is touched.
    ///
    /// # Errors
    /// If the card refuses.
    pub fn needs_touch(&self, machine: &Machine, reader: usize) -> Result<(), Trouble> {
        let admin: String = ADMIN_PIN.bytes().map(|byte| format!("{byte:02X}")).collect();
        let verify = format!("00200083{:02X}{admin}", ADMIN_PIN.len());
        machine.apdus(reader, &["00A4040006D27600012401", &verify, "00DA00D6020120"]).map(drop)
    }

    /// Runs a command of an administrator that signs with the card.
    ///
    /// # Errors
    /// If the command fails, with what it showed.
    pub fn administer(&self, arguments: &[&str]) -> Result<Ending, Trouble> {
        let ident = self.card.ident();
        let mut all = arguments.to_vec();
        all.extend(["--card", ident.as_str()]);
        talk(&self.countersign(&all)?, &[("PIN for", PIN)], SOON)?.success()
    }
}

impl<'m> Site<'m> {
    /// Somebody comes with a fresh card for reader `reader` (1 and up), and sits down at the machine.
    ///
    /// # Errors
    /// If the user, the session or the card cannot be made.
    pub fn person(&self, login: &str, uid: u32, reader: usize) -> Result<Person<'m>, Trouble> {
        let user = self.machine.add_user(login, uid)?;
        let seat = self.machine.session(SessionSpec::local(&format!("c{uid}"), &user))?;
        let card = self.machine.card(reader, CardSpec::new(&format!("{uid:08X}")))?;
        card.wait_until_seen()?;
        Ok(Person { user, seat, card })
    }
}
