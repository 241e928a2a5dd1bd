//! The server around the core: a database file, a data folder, a door, and HTTP.
//!
//! | module | what |
//! |---|---|
//! | [`commands`] | the command line |
//! | [`config`] | `server.toml` |
//! | [`data`] | the folder with keys and database, and who may read it |
//! | [`init`] | a new server |
//! | [`invite`], [`token`] | a new code for the first administrator, and a token where no host is left |
//! | [`own_keys`] | the server's primary key and its subkeys |
//! | [`open`] | a core from what `init` left |
//! | [`serve`] | HTTP |
//! | [`api`] | the threads that do what is asked of documents |
//! | [`post`] | letters to people, by mail and short message |
//! | [`doors`] | who asks, and how the answer is spelled |
//! | [`store`] | SQLite |
//! | [`tls`] | the files for it, and their renewal |
//! | [`log`], [`metrics`] | one line on stderr for each message, and figures |
//! | [`notify`] | what systemd is told |
#![forbid(unsafe_code)]

pub mod api;
pub mod backup;
pub mod commands;
pub mod config;
pub mod data;
pub mod doors;
pub mod init;
pub mod invite;
pub mod log;
pub mod metrics;
pub mod notify;
pub mod open;
pub mod own_keys;
pub mod policy;
pub mod post;
pub mod proof;
pub mod serve;
pub mod store;
pub mod syslog;
pub mod tls;
pub mod token;
