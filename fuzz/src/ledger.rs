//! What comes from somebody's ledger.

use countersign_protocol::ledger::{
    Entry, EntryFilter, LedgerKey, Trust, check_receipt, verify_excerpt, verify_export,
};
use countersign_protocol::message::Receipt;

use crate::same;

/// The key of the ledger whose export is a seed.
const KEY: &str = include_str!("../seeds/ledger.key");

/// An entry, or a filter for some.
pub(crate) fn entry(bytes: &[u8]) -> bool {
    if same::json::<EntryFilter>(bytes) {
        return true;
    }
    let Ok(entry) = Entry::from_bytes(bytes) else { return false };
    // One that is small as it came may be too large as we would write it.
    if let Ok(written) = entry.to_bytes() {
        assert_eq!(Entry::from_bytes(&written).ok().as_ref(), Some(&entry), "another entry");
    }
    true
}

/// A whole export, or an excerpt.
pub(crate) fn export(bytes: &[u8]) -> bool {
    let trust = Trust { key: key(), ..Trust::default() };
    let excerpt = verify_excerpt(bytes, &trust).is_ok();
    let export = verify_export(bytes, &trust);
    if let Ok(report) = &export {
        assert!(report.size < 1 << 20 && report.key_was_known, "more is proven than there is");
    }
    // Whom nobody trusts proves less, and never more.
    let anybody = verify_export(bytes, &Trust::default());
    assert!(export.is_err() || anybody.is_ok(), "trust makes it worse");
    export.is_ok() || excerpt
}

/// A receipt.
pub(crate) fn receipt(bytes: &[u8]) -> bool {
    let taken = same::json::<Receipt>(bytes);
    if let (Ok(receipt), Some(key)) = (serde_json::from_slice::<Receipt>(bytes), key())
        && let Ok(proven) = check_receipt(&receipt, &key)
    {
        assert_eq!(proven.entry().to_bytes().ok(), Some(receipt.entry.0), "another entry is proven");
    }
    let _key = std::str::from_utf8(bytes).ok().and_then(|text| text.parse::<LedgerKey>().ok());
    taken
}

fn key() -> Option<LedgerKey> {
    KEY.trim().parse().ok()
}
