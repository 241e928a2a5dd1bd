//! How fast an export is verified. Run with
//! `CARGO_PROFILE_TEST_OPT_LEVEL=3 cargo test -p countersign-protocol --features envelope verify_speed -- --ignored --nocapture`.

use super::log::{Log, plain};
use crate::binary::Binary;
use crate::ledger::{ExportHeader, ExportLine, Frontier, LedgerKey, Trust, verify_export};
use crate::message::Version;
use crate::message::result::ExportedEntry;

#[test]
#[ignore = "measures; the time means something only with optimisation"]
fn verify_speed() {
    let entries = 300_000;
    let (log, mut tree) = (Log::new(), Frontier::new());
    let mut body = Vec::new();
    for n in 0..entries {
        let mut entry = plain(0);
        entry.detail.insert("n".to_owned(), n.to_string());
        let bytes = entry.to_bytes().unwrap();
        tree.push(&bytes);
        let line = ExportLine::Entry(ExportedEntry { entry: Binary(bytes), evidence: None });
        serde_json::to_writer(&mut body, &line).unwrap();
        body.push(b'\n');
    }
    let name = LedgerKey::name_of(log.key.server());
    let root = tlog_tiles::Hash(*tree.root().as_bytes());
    let header = ExportHeader {
        v: Version,
        ledger_key: log.key.clone(),
        checkpoint: log.note(&format!("{name}\n{entries}\n{root}\n")),
        size: entries,
        from: 0,
    };
    let mut file = serde_json::to_vec(&ExportLine::Header(Box::new(header))).unwrap();
    file.push(b'\n');
    file.extend(body);

    let begun = std::time::Instant::now();
    let report = verify_export(file.as_slice(), &Trust::default()).unwrap();
    let took = begun.elapsed();
    assert_eq!(report.size, entries);
    println!(
        "{:.0} entries/s, {} B a line",
        entries as f64 / took.as_secs_f64(),
        file.len() as u64 / entries
    );
}
