//! The harness under the end-to-end tests.
//!
//! A [`Machine`] is a private machine inside this one: its own `/etc`, `/var`, `/run`, host name and
//! cgroup, so that tests run side by side and leave nothing behind. It runs a real `pcscd`, and a
//! [`Card`] is a real OpenPGP card as far as that can tell. People log in as [`SessionHandle`]s and
//! type in a [`Dialogue`]. Where all of a Debian is wanted, with its systemd and logind, [`booted`] starts one.
//!
//! Everything dies with its handle, also when a test panics or is killed. Needs root. The binaries
//! under test must be built first: `cargo xtask test` does it.
#![forbid(unsafe_code)]

mod binaries;
pub mod booted;
mod card;
mod dialogue;
mod machine;
mod mail_server;
pub mod matrix;
pub mod memory;
pub mod pam_stack;
mod ports;
mod postgres;
mod running;
pub mod site;
mod sms_gateway;
mod trouble;
mod waiting;
mod web_server;

pub use binaries::target_bin;
pub use card::{Card, CardSpec, CardStatus, Counts, Damage, Pins, SELECT, Touch};
pub use dialogue::Dialogue;
pub use machine::{Machine, Place, ServiceHandle, SessionHandle, SessionSpec, SystemLog, User};
pub use mail_server::MailServer;
pub use ports::PortPair;
pub use postgres::Postgres;
pub use running::Running;
pub use sms_gateway::SmsGateway;
pub use trouble::Trouble;
pub use waiting::wait_until;
pub use web_server::WebServer;
