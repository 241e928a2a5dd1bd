//! `countersignd`: the part of Countersign that holds the cards.
//!
//! | module | what |
//! |---|---|
//! | [`harden`], [`descriptors`], [`config`] | start: shut the process, take what was passed, read the file |
//! | [`listener`], [`limits`], [`peer`], [`permit`], [`seat`] | who asks, and whether they may |
//! | [`serve`], [`person`], [`trouble`] | from a request to its last word; the conversation with one caller |
//! | [`login`], [`login_sessions`], [`job`], [`register`], [`enrollment`], [`rotation`], [`status`], [`history`], [`ssh_keys`] | one file for each request |
//! | [`session`], [`drive`] | card, PIN, touch, server, decision: the pure machine, and what runs it |
//! | [`card`], [`card_pins`], [`card_choice`] | the cards |
//! | [`sealed_result`] | what is sealed to somebody, opened with their card |
//! | [`card_admin`], [`made_keys`] | looking after them |
//! | [`card_removal`], [`consent`] | sessions whose card is taken out; logins that stand for the next ones |
//! | [`queue`], [`holder`] | whose turn it is with a card, and other programs that have it |
//! | [`answer`], [`server_link`], [`wire`], [`reach`], [`courier`], [`server_time`] | the way to the server and back |
//! | [`instance_key`], [`vault`] | this host's own keys |
//! | [`keeper`], [`check_in`], [`known`] | staying in touch: session keys, roster, events |
//! | [`unsettled`] | requests whose answer was lost |
//! | [`rescue`] | root switched the asking for cards off |
//! | [`agent`], [`state`], [`journal`], [`flood`], [`log`], [`body`] | what all of them share |
#![deny(unsafe_code)]

pub mod accept_ledger;
pub mod agent;
pub mod answer;
mod asking;
pub mod body;
pub mod card;
pub mod card_admin;
pub mod card_choice;
pub mod card_pins;
pub mod card_removal;
pub mod check_in;
pub mod config;
pub mod consent;
pub mod courier;
pub mod descriptors;
pub mod drive;
pub mod enrollment;
pub mod flood;
pub mod harden;
pub mod history;
pub mod holder;
pub mod instance_key;
pub mod job;
pub mod journal;
pub mod keeper;
pub mod known;
pub mod limits;
pub mod listener;
pub mod log;
pub mod login;
pub mod login_sessions;
pub mod lookers;
pub mod made_keys;
pub mod offline;
pub mod peer;
pub mod permit;
pub mod person;
pub mod queue;
pub mod reach;
pub mod recover;
pub mod register;
pub mod rescue;
pub mod rosters;
pub mod rotation;
pub mod sealed_result;
pub mod seat;
pub mod serve;
pub mod server;
pub mod server_link;
pub mod server_time;
pub mod services;
pub mod session;
pub mod ssh_keys;
pub mod state;
pub mod status;
pub mod trouble;
pub mod unsettled;
pub mod vault;
pub mod wanted;
pub mod watch;
pub mod wire;
