//! `countersignd`: the part of Countersign that holds the cards.
//!
//! | module | what |
//! |---|---|
//! | [`harden`], [`descriptors`], [`config`] | start: shut the process, take what was passed, read the file |
//! | [`listener`], [`limits`], [`peer`], [`permit`], [`seat`] | who asks, and whether they may |
//! | [`person`] | the conversation with one caller |
//! | [`card`] | cards: seen, asked, and used to sign |
//! | [`courier`] | the process that carries sealed bytes |
//! | [`state`], [`vault`] | what must survive a restart |
//! | [`instance_key`] | this host's own keys |
#![deny(unsafe_code)]

pub mod card;
pub mod config;
pub mod courier;
pub mod descriptors;
pub mod harden;
pub mod instance_key;
pub mod limits;
pub mod listener;
pub mod peer;
pub mod permit;
pub mod person;
pub mod seat;
pub mod state;
pub mod vault;
