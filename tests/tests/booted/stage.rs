//! The booted system, who is there, and where the transcripts go.

use std::time::Instant;

use countersign_tests::booted::{Booted, Console, Golden, Key, Names};
use countersign_tests::{Card, CardSpec, Machine, Trouble};

/// Root's password.
pub(crate) const ROOT: Key = Key::new("root's password", "rootword");
/// Ana's password.
pub(crate) const ANA: Key = Key::new("ana's password", "anaword");
/// Bob's password.
pub(crate) const BOB: Key = Key::new("bob's password", "bobword");
/// The PIN of Ana's card.
pub(crate) const PIN: Key = Key::new("the PIN", "271828");
/// What she changes it to.
pub(crate) const OTHER_PIN: Key = Key::new("another PIN", "161803");
/// No PIN of any card.
pub(crate) const WRONG: Key = Key::new("a wrong PIN", "999999");
/// Enter alone.
pub(crate) const NOTHING: Key = Key::new("Enter", "");
/// The admin PIN of everybody's cards.
pub(crate) const ADMIN_PIN: Key = Key::new("the admin PIN", "31415926");

/// Who is there and what they have.
pub(crate) struct Stage<'m> {
    pub(crate) debian: Booted<'m>,
    pub(crate) console: Console,
    /// The administrator's.
    pub(crate) admins_card: Card<'m>,
    pub(crate) anas_card: Card<'m>,
    /// The code for her registration.
    pub(crate) anas_code: String,
    pub(crate) names: Names,
    golden: Golden,
}

impl<'m> Stage<'m> {
    /// Boots, with the cards not yet in the readers.
    pub(crate) fn set(machine: &'m Machine) -> Result<Self, Trouble> {
        let (debian, console) = Booted::start(machine, 2)?;
        let admins_card = debian.card(0, CardSpec::new("00001000").absent())?;
        let anas_card = debian.card(1, CardSpec::new("00004201").absent())?;
        let golden = Golden::folder(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/booted/golden"))?;
        let names = Names::default();
        Ok(Self { debian, console, admins_card, anas_card, anas_code: String::new(), names, golden })
    }

    /// Plays a scene and compares its transcript. One that differs does not end the test.
    pub(crate) fn scene(
        &mut self,
        name: &str,
        play: impl FnOnce(&mut Self) -> Result<(), Trouble>,
    ) -> Result<(), Trouble> {
        let began = Instant::now();
        let played = play(self);
        let seen = self.console.take_transcript();
        eprintln!("{name}: {:.1} s", began.elapsed().as_secs_f32());
        self.golden.compare(name, &seen, &self.names)?;
        played.inspect_err(|_| eprintln!("{seen}\n{}", self.log()))
    }

    /// The system's log, for whoever looks for a fault.
    pub(crate) fn log(&self) -> String {
        self.debian.administer("journalctl --no-pager --lines=80").unwrap_or_default()
    }

    /// Every difference between what was seen and what is kept.
    pub(crate) fn end(self) -> Result<(), Trouble> {
        self.golden.verdict()
    }
}
