//! What the parts of Countersign say to each other.
//!
//! | module | what |
//! |---|---|
//! | [`ids`] | names, fingerprints and numbers, each parsed once |
//! | [`clock`], [`random`] | time and chance as parameters |
//! | [`life`] | pending, active, suspended, retired: the one table of lives |
//! | [`limits`] | every ceiling, and why it is that number |
//! | [`crockford`], [`emergency`], [`recovery`] | codes that people copy from paper |
//! | [`contact`], [`totp`] | where a person can be reached, and what an authenticator program keeps |
//! | [`managed`] | the root-owned file that says who needs a card here |
//! | [`rescue`] | the root-owned file that ends all asking for cards here |
//! | [`ipc`] | PAM module and command line ⇄ agent, over a Unix socket |
//! | [`approval`] | how many other people must countersign a request, and who |
//! | [`statement`] | what a person's card signs |
//! | [`roster`] | what the server signs for a host: whose cards open what, also offline |
//! | [`message`] | what travels inside an envelope |
//! | [`envelope`] | one OpenPGP message: signed, then encrypted to one receiver |
//! | [`curve25519`] | signatures and key exchanges on the curve that software keys are on |
//! | [`ledger`] | entries, receipts and exports of the append-only log, and how anyone checks them |
//!
//! The OpenPGP half ([`envelope`], [`ledger`], key words) sits behind the feature `envelope`, so that
//! the PAM module never loads a crypto library into the program that calls it.
#![forbid(unsafe_code)]

pub mod approval;
pub mod binary;
pub mod clock;
pub mod contact;
pub mod crockford;
pub mod emergency;
pub mod ids;
pub mod ipc;
pub mod life;
pub mod limits;
pub mod managed;
pub mod message;
mod paper_code;
pub mod random;
pub mod recovery;
pub mod rescue;
pub mod roster;
pub mod statement;
pub mod totp;

#[cfg(feature = "envelope")]
pub mod certificate;
#[cfg(feature = "envelope")]
pub mod curve25519;
#[cfg(feature = "envelope")]
pub mod envelope;
#[cfg(feature = "envelope")]
pub mod key_words;
#[cfg(feature = "envelope")]
pub mod ledger;
