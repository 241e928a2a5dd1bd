//! `pam_countersign.so`: asks the Countersign agent whether a person may log in.
//!
//! The module runs inside `sshd`, `login`, `sudo`: it starts no thread, reads no environment variable, opens no
//! file a user could name, links no crypto. All it does is read the root-owned list of managed logins and hold
//! one conversation over one socket.
//!
//! | module | what |
//! |---|---|
//! | [`outcome`] | what may come of a hook, and the frozen table of PAM codes |
//! | [`args`] | the module's arguments in `/etc/pam.d` |
//! | [`managed_file`] | the root-owned file that says who needs a card |
//! | [`rescue_file`] | the root-owned file that ends all asking |
//! | [`programs`] | how the programs that call PAM show what a module says: one table |
//! | [`permit`] | a yes of the agent, bound to our request; and what one hook leaves for the next |
//! | [`client`] | one connection to the agent, under one deadline |
//! | [`conversation`] | the agent's prompts, shown by the program that called PAM |
//! | [`handle`] | what PAM knows of this transaction |
//! | [`syslog`] | one line for the administrator |
//! | [`guard`] | no panic leaves the module |
//! | [`ffi`] | the C edge: entries, pointers, `syslog(3)` |
//! | [`hook`] | a hook's common beginning and end |
//! | [`authenticate`], [`account`], [`setcred`], [`sessions`], [`chauthtok`] | the six hooks |
//!
//! The crate is a `cdylib` and nothing else: beside an `rlib` cargo would build it without link-time
//! optimisation, at twice the size.
#![deny(unsafe_code)]

mod args;
mod client;
mod conversation;
mod guard;
mod handle;
mod managed_file;
mod outcome;
mod permit;
mod programs;
mod rescue_file;
mod syslog;

mod account;
mod authenticate;
mod chauthtok;
mod hook;
mod sessions;
mod setcred;

#[expect(unsafe_code, reason = "the C edge: libpam calls in, and hands over raw pointers")]
mod ffi;
