//! Databases behind the core's `Store` trait.

pub mod sqlite;
