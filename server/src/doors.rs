//! Doors: each proves in its own way who asks, and spells the answer in its own way.

pub mod openpgp;
