//! Databases behind the core's `Store` trait.

mod faults;
mod sql;
pub mod sqlite;
