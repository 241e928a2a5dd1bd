//! What receipts and exports prove, and what they refuse.

mod excerpt;
mod export;
mod log;
mod receipt;
mod speed;
