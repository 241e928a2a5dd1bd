//! What a host was before its key was replaced, in a folder beside.

use countersign_protocol::message::KeyStore;

use crate::agent::Agent;
use crate::server_link::{INSTANCE, Link};
use crate::state::StateError;
use crate::vault::Slot;

/// Copies it before anything changes. PINs of cards stay where they are: they belong to the card.
pub(super) fn set_aside(agent: &Agent, old: &Link) -> Result<(), StateError> {
    let folder = format!("replaced-{}", old.instance.fingerprint);
    let mut names = vec![INSTANCE.to_owned(), "check-in.json".to_owned(), "roster.json".to_owned()];
    if old.instance.key_store == KeyStore::Sealed {
        names.extend(Slot::instance_key(&old.instance.fingerprint).files());
    }
    agent.state.copy_aside(&folder, &names)?;
    let path = agent.state.path(&folder).display().to_string();
    agent
        .log
        .notice("key-set-aside", &[("instance", &old.instance.fingerprint.to_string()), ("folder", &path)]);
    Ok(())
}
