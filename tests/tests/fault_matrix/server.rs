//! The server is slow, away, or somebody else.

use std::time::Duration;

use countersign_tests::Trouble;
use countersign_tests::matrix::{Cell, Fault, Moment, Stage, Table};
use countersign_tests::site::Weather;

use crate::letters::expected;

/// The weather on the road to the server, from before the PIN is typed until after the login.
struct Bad(Weather);

impl Fault for Bad {
    fn arm(&self, _: &mut Stage<'_>, _: u32) -> Result<(), Trouble> {
        Ok(())
    }

    fn strike(&self, stage: &mut Stage<'_>, moment: Moment) -> Result<(), Trouble> {
        match moment {
            Moment::AsksForPin => stage.road()?.weather(self.0.clone()),
            Moment::HasPin | Moment::WaitsForCard => Ok(()),
        }
    }

    fn mend(&self, stage: &mut Stage<'_>) -> Result<(), Trouble> {
        stage.road()?.weather(Weather::Clear)
    }
}

/// Ten seconds are given to a server that is needed, and a little.
const NEEDED: Duration = Duration::from_secs(14);

/// Two seconds where the roster will do, and a little.
const NOT_NEEDED: Duration = Duration::from_secs(4);

/// What is no envelope.
const RANDOM: &[u8] = b"\x84\x5E\x03\x9F\x00\xFF\x13\x37 not what anybody sealed \x0B\xAD\xF0\x0D";

const COLUMNS: [&str; 2] = ["server needed", "roster will do"];

/// Where the server is needed: waited for (s), not there (u), not believed (y). Where the roster will do: asked first
/// (s), and done without when it says nothing that it signed (o).
pub(crate) fn table() -> Table {
    let mut table = Table::over("server", &COLUMNS);
    for (row, weather, letters) in [
        ("connection refused", Weather::Refused, "uo"),
        ("packets lost", Weather::Blackholed, "uo"),
        ("takes it and says nothing", Weather::Silent, "uo"),
        ("connection reset", Weather::Reset, "uo"),
        ("slow: 0.5 s", Weather::Slow(Duration::from_millis(500)), "ss"),
        ("slow: 4 s", Weather::Slow(Duration::from_secs(4)), "so"),
        ("slow: 15 s", Weather::Slow(Duration::from_secs(15)), "uo"),
        ("answer lost, each time", Weather::AnswerLost, "uo"),
        ("500", Weather::Status(500), "uo"),
        ("404", Weather::Status(404), "uo"),
        ("302", Weather::Status(302), "uo"),
        ("429", Weather::Status(429), "uo"),
        ("its answer as a refusal", Weather::Status(400), "yo"),
        ("no bytes", Weather::Body(Vec::new()), "yo"),
        ("random bytes", Weather::Body(RANDOM.to_vec()), "yo"),
        ("one bit turned", Weather::BitTurned, "yo"),
        ("half an answer", Weather::Half, "uo"),
        ("the answer to another message", Weather::EarlierAnswer, "yo"),
        ("8 MiB", Weather::Huge, "uo"),
        ("another protocol", Weather::Noise, "uo"),
    ] {
        let quick =
            matches!(row, "packets lost" | "slow: 4 s" | "one bit turned" | "the answer to another message");
        for (column, letter) in COLUMNS.into_iter().zip(letters.chars()) {
            let cell = Cell::at(row, column, Bad(weather.clone()), expected(letter, "", None));
            let is_needed = column == "server needed";
            let cell = if is_needed { cell.within(NEEDED) } else { cell.within(NOT_NEEDED).offline() };
            table.cells.push(if quick { cell.quick() } else { cell });
        }
    }
    table
}
