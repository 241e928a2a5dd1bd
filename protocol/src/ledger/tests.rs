//! What receipts and exports prove, and what they refuse.

mod approvals;
mod excerpt;
mod export;
mod log;
mod receipt;
mod speed;
