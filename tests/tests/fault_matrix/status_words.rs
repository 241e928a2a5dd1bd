//! The card, or a reader that speaks for it, answers with a status word that it should not.

use countersign_tests::Trouble;
use countersign_tests::matrix::{Fault, Stage, Table};

use crate::letters::expected;

/// One answer is this status word, without data; the card never sees the command.
struct Once(u16);

impl Fault for Once {
    fn arm(&self, stage: &mut Stage<'_>, nth: u32) -> Result<(), Trouble> {
        stage.card().fail(nth, self.0)
    }
}

/// Status words that OpenPGP card 3.4.1 (7.3.2 and the commands' own tables) or ISO 7816-4 (5.1.3) give to any of the
/// commands of a login, and those that readers and other applets on the same chip make up. Letters as in `letters.rs`,
/// for cold, warm and inserted:
///
/// - Before the PIN is sent a refusal costs nothing: a warm connection that is refused is begun anew, which serves (s),
///   and a card that is being read is read again (s). A cold one has begun anew just now: it is refused by name (f).
///   Only what cards without the application say to SELECT is taken for that (g), and
///   what erased ones say for those (T); that is told while a card is awaited (r). A card that has no KDF setting after all
///   wants its PIN as it is (s).
/// - A refused PIN is told by its number (w), or as a blocked card (b); without a number it is believed to be wrong only
///   if a try is gone (j); anything else said to VERIFY is a failure (f).
/// - A refused signature is told by its cause: no touch (t), no key (k), no PIN after all (l), anything else (f).
const TABLE: &[(u16, &str, &str)] = &[
    // Warnings: the state of the card did not change, or did.
    (0x6283, "file deactivated, or end of file", "fffff sff ssssff"),
    (0x6285, "application terminated (3.4.1, 7.2.17)", "Tffff sff rsssff"),
    (0x6300, "verification failed, without a number", "fffjf sjf ssssjf"),
    (0x63C2, "wrong PIN, two tries left", "fffwf swf sssswf"),
    (0x63C1, "wrong PIN, one try left", "fffwf swf sssswf"),
    (0x63C0, "wrong PIN, none left", "fffbf sbf ssssbf"),
    // Execution errors.
    (0x6400, "execution error", "fffff sff ssssff"),
    (0x6581, "memory failure", "fffff sff ssssff"),
    (0x6600, "security: no touch (Gnuk, Nitrokey)", "fffft sft ssssft"),
    // The command is wrong.
    (0x6700, "wrong length", "fffff sff ssssff"),
    (0x6881, "channel not supported", "fffff sff ssssff"),
    (0x6882, "secure messaging not supported", "fffff sff ssssff"),
    (0x6883, "last command of a chain expected", "fffff sff ssssff"),
    (0x6982, "security status not satisfied", "fffjl sjl ssssjl"),
    (0x6983, "authentication method blocked", "fffbf sbf ssssbf"),
    (0x6985, "conditions of use not satisfied", "Tffff sff rsssff"),
    (0x6A80, "wrong data", "fffff sff ssssff"),
    (0x6A81, "function not supported", "fffff sff ssssff"),
    (0x6A82, "file or application not found", "gffff sff rsssff"),
    (0x6A88, "referenced data not found", "ffsfk sfk ssssfk"),
    (0x6B00, "wrong parameters", "fffff sff ssssff"),
    (0x6C10, "wrong length expected", "fffff sff ssssff"),
    (0x6D00, "instruction not supported", "gffff sff rsssff"),
    (0x6E00, "class not supported", "gffff sff rsssff"),
    (0x6F00, "no diagnosis", "fffff sff ssssff"),
];

pub(crate) fn table() -> Table {
    let mut table = Table::over_commands("status words");
    for (row, (status, meaning, letters)) in TABLE.iter().enumerate() {
        let cells =
            table.row(&format!("{status:04X} {meaning}"), Once(*status), letters, &|letter, command| {
                expected(letter, command, Some(*status))
            });
        // Each row once, and each column: there are more rows than columns.
        let column = row % cells.len();
        cells.get_mut(column).into_iter().for_each(|cell| cell.quick = true);
    }
    table
}
