//! What receipts and exports prove, and what they refuse.

mod export;
mod log;
mod receipt;
mod speed;
