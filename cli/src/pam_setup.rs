//! PAM on this host: what `countersign pam` changes, how it is tried, and how it is put back.
//!
//! Everything that is changed is kept first, in [`store::FOLDER`], with the time at which it is put back unless
//! somebody confirms. Whatever happens in between – a terminal that dies, a crash at any write, a reboot – leaves a
//! state from which [`put_back`] gets everything back.

pub(crate) mod apply;
pub(crate) mod authselect;
pub(crate) mod boot_clock;
pub(crate) mod debian;
pub(crate) mod kept;
pub(crate) mod lines;
pub(crate) mod managed_text;
pub(crate) mod people;
pub(crate) mod put_back;
pub(crate) mod signals;
pub(crate) mod store;
pub(crate) mod sudoers;
pub(crate) mod system;
pub(crate) mod timer;
pub(crate) mod tools;
pub(crate) mod trial;
