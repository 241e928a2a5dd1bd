//! What came out, to be read and to be pasted.

use std::fmt::Write as _;

use serde::Serialize;

use crate::host::Host;
use crate::ours::Ours;
use crate::series::{Series, Spread};

/// Everything.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) host: Host,
    pub(crate) ours: Ours,
    pub(crate) neighbours: Vec<Series>,
}

/// What the design wants: 99 of 100 warm logins, without the card's time, in milliseconds.
const TARGET: f64 = 30.0;

impl Report {
    pub(crate) fn json(&self) -> String {
        serde_json::to_string_pretty(self).unwrap_or_else(|error| error.to_string())
    }

    pub(crate) fn table(&self) -> String {
        let Host { cpu, cores, memory_mib, kernel, debian, load } = &self.host;
        let mut text = format!(
            "Logins, in milliseconds (p50 / p99).\n\
             {cpu}, {cores} cores, {memory_mib} MiB, Linux {kernel}, Debian {debian}, load before: {load}\n\n\
             {:<22} {:>6} {:>6} {:>16} {:>16} {:>16} {:>16} {:>16} {:>16}\n",
            "",
            "logins",
            "APDUs",
            "PIN to result",
            "whole login",
            "in the card",
            "plain program",
            "PIN .. - plain",
            "whole - card"
        );
        for series in self.ours.series.iter().chain(&self.neighbours) {
            let (fewest, most) = series.commands;
            let commands = if fewest == most { fewest.to_string() } else { format!("{fewest}-{most}") };
            let _ = writeln!(
                text,
                "{:<22} {:>6} {commands:>6} {} {} {} {} {} {}",
                series.name,
                series.logins,
                shown(Some(series.after_pin)),
                shown(Some(series.whole)),
                shown(Some(series.card)),
                shown(series.plain),
                shown(series.without_plain),
                shown(Some(series.without_card)),
            );
        }
        text.push_str(
            "\nin the card: from each command's arrival at the virtual card to its answer, summed over the login.\n\
             plain program: the same commands by a PC/SC program that does nothing else, on the same card in the\n\
             same run, from connecting to disconnecting: card and pcscd. Its median is taken off every login.\n\
             Neighbours send most of their commands before they ask for the PIN, we send all of ours after it.\n",
        );
        let met = |spread: Spread| if spread.p99 < TARGET { "met" } else { "MISSED" };
        if let Some(spread) = self.ours.series.first().and_then(|warm| warm.without_plain) {
            let _ = writeln!(
                text,
                "Target: p99 below {TARGET} ms without card time: {:.1} ms, {}.",
                spread.p99,
                met(spread)
            );
        }
        let (idle, after) = self.ours.resident_kib;
        let _ = write!(
            text,
            "The agent's resident memory: {idle} KiB before the first login, {after} KiB after the last."
        );
        text
    }
}

fn shown(spread: Option<Spread>) -> String {
    let text = spread.map_or_else(|| "-".to_owned(), |Spread { p50, p99 }| format!("{p50:.1} / {p99:.1}"));
    format!("{text:>16}")
}
