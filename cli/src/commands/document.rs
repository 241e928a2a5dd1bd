//! Documents: `countersign get`, `put`, `patch`, `rm` and `ls`.

mod get;
mod ls;
mod patch;
mod put;
mod rm;

pub(crate) use get::Get;
pub(crate) use ls::Ls;
pub(crate) use patch::Patch;
pub(crate) use put::Put;
pub(crate) use rm::Rm;
