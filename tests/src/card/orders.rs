//! What a card's holder changes with another program.

use std::time::Duration;

use sha2::Digest as _;

use super::Card;
use crate::trouble::Trouble;

/// Makes OpenPGP the application that answers.
pub const SELECT: &str = "00A4040006D27600012401";

/// A user PIN and an admin PIN.
#[derive(Debug, Clone, Copy)]
pub struct Pins<'a> {
    /// For signing.
    pub user: &'a str,
    /// For changing anything.
    pub admin: &'a str,
}

impl Card<'_> {
    /// Sends commands (hexadecimal) to the card over a connection of their own that ends with a reset, and gives
    /// the answers.
    ///
    /// # Errors
    /// [`Trouble::Program`] with the PC/SC error and the answers up to it.
    pub fn send(&self, apdus: &[&str]) -> Result<Vec<String>, Trouble> {
        self.machine.apdus(self.reader, apdus)
    }

    /// How long `rounds` rounds of `apdus` (hexadecimal) take a program that does nothing else: connecting with
    /// nobody else there, a transaction, disconnecting.
    ///
    /// # Errors
    /// [`Trouble::Program`] with the PC/SC error, or the command that did not answer 9000.
    pub fn stopwatch(&self, rounds: usize, apdus: &[&str]) -> Result<Vec<Duration>, Trouble> {
        self.machine.stopwatch(self.reader, rounds, apdus)
    }

    /// Another user PIN from now on.
    ///
    /// # Errors
    /// If the card refuses, as for every method below.
    pub fn change_pin(&self, old: &str, new: &str) -> Result<(), Trouble> {
        self.order(&[change("81", &hex(old), &hex(new))])
    }

    /// The signature key wants a touch from now on, or no more. Programs notice when the card is put in anew.
    ///
    /// # Errors
    /// See [`Self::change_pin`].
    pub fn want_touch(&self, admin: &str, wanted: bool) -> Result<(), Trouble> {
        let policy = if wanted { "00DA00D6020120" } else { "00DA00D6020020" };
        self.order(&[verify("83", admin), policy.to_owned()])
    }

    /// A verified PIN stays good for any number of signatures from now on.
    ///
    /// # Errors
    /// See [`Self::change_pin`].
    pub fn keep_pin_open(&self, admin: &str) -> Result<(), Trouble> {
        self.order(&[verify("83", admin), "00DA00C40101".to_owned()])
    }

    /// A verified PIN is good for one signature from now on.
    ///
    /// # Errors
    /// See [`Self::change_pin`].
    pub fn close_pin_after_each_signature(&self, admin: &str) -> Result<(), Trouble> {
        self.order(&[verify("83", admin), "00DA00C40100".to_owned()])
    }

    /// The card asks for PINs hashed (iterated SHA-256) from now on, as after `gpg --card-edit`, `kdf-setup`.
    /// Gives the hash of the user PIN, which is what opens the card then.
    ///
    /// # Errors
    /// See [`Self::change_pin`].
    pub fn want_hashed_pins(&self, pins: Pins<'_>) -> Result<Vec<u8>, Trouble> {
        const COUNT: usize = 100_000;
        let hash = |salt: &str, pin: &str| {
            let bytes: Vec<u8> = [salt, pin].concat().bytes().cycle().take(COUNT).collect();
            sha2::Sha256::digest(bytes).to_vec()
        };
        let upper = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02X}")).collect::<String>();
        let (user_salt, admin_salt) = ("userSALT", "adminSLT");
        let object = format!(
            "8101038201088304{COUNT:08X}8408{}8508{}8608{}8720{}8820{}",
            hex(user_salt),
            hex("resetSLT"),
            hex(admin_salt),
            upper(&hash(user_salt, "123456")),
            upper(&hash(admin_salt, "12345678")),
        );
        let derived = hash(user_salt, pins.user);
        self.order(&[
            verify("83", pins.admin),
            format!("00DA00F9{:02X}{object}", object.len() / 2),
            change("81", &hex(pins.user), &upper(&derived)),
            change("83", &hex(pins.admin), &upper(&hash(admin_salt, pins.admin))),
        ])?;
        Ok(derived)
    }

    fn order(&self, commands: &[String]) -> Result<(), Trouble> {
        let mut all = vec![SELECT];
        all.extend(commands.iter().map(String::as_str));
        let answers = self.send(&all)?;
        match answers.iter().find(|answer| !answer.ends_with("9000")) {
            None => Ok(()),
            Some(refusal) => {
                Err(Trouble::Card { command: format!("{commands:?}"), error: refusal.to_owned() })
            }
        }
    }
}

fn verify(which: &str, pin: &str) -> String {
    format!("002000{which}{:02X}{}", pin.len(), hex(pin))
}

fn change(which: &str, old: &str, new: &str) -> String {
    format!("002400{which}{:02X}{old}{new}", (old.len() + new.len()) / 2)
}

fn hex(text: &str) -> String {
    text.bytes().map(|byte| format!("{byte:02X}")).collect()
}
