//! `countersign-server grants`.

use clap::Args;

use super::{CommandError, print};
use crate::store::postgres::{Grants, RoleName};

#[derive(Debug, Args)]
pub(super) struct GrantsArguments {
    /// The user of PostgreSQL that `serve --role auth` connects as.
    #[arg(long, value_name = "USER")]
    auth: RoleName,
    /// The user of PostgreSQL that `serve --role api` connects as.
    #[arg(long, value_name = "USER")]
    api: RoleName,
}

pub(super) fn run(arguments: GrantsArguments) -> Result<(), CommandError> {
    let GrantsArguments { auth, api } = arguments;
    if auth == api {
        return Err(CommandError::Failed(
            "--auth and --api name one user, which could then see everything; make two: createuser NAME"
                .into(),
        ));
    }
    print(&Grants { auth, api }.to_string());
    Ok(())
}
