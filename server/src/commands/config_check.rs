//! `countersign-server config check`.

use std::path::Path;

use countersign_protocol::clock::{Clock as _, SystemClock};

use crate::config::Config;
use crate::post;
use crate::tls::Files;

use super::serve::Role;
use super::{CommandError, own_files, print, serve_api};

pub(super) fn run(path: &Path, role: Role) -> Result<(), CommandError> {
    let wrong = |error: &dyn std::fmt::Display| CommandError::Configuration(error.to_string());
    let config = Config::read(path).map_err(|error| wrong(&error))?;
    if role == Role::Api {
        let (ledger, _) = serve_api::files(&config)?;
        print(&format!("{} is good for the role api.\nLedger key: {}\n", path.display(), ledger.as_str()));
        return Ok(());
    }
    let tls = config.tls.as_ref().map(|tls| Files::from(tls).load(SystemClock.now()));
    let tls = tls.transpose().map_err(|error| wrong(&error))?;
    let _readable = post::carriers(&config).map_err(|error| wrong(&error))?;
    let (_, keys) = own_files::keys(path)?;
    print(&format!(
        "{} is good.\nServer fingerprint: {}\n",
        path.display(),
        keys.primary.fingerprint().spaced()
    ));
    if let Some(tls) = &tls {
        print(&format!("TLS certificate:    until {}\n", tls.expires));
    }
    let says_tls = config.url.as_str().starts_with("https:");
    match (&tls, says_tls) {
        (Some(_), false) => print(
            "Note: this server speaks TLS, and its url begins with http:. Hosts will not get through.\n",
        ),
        (None, true) => {
            print("Note: url begins with https:, and there is no [tls]: a proxy must stand in front.\n")
        }
        _ => {}
    }
    Ok(())
}
