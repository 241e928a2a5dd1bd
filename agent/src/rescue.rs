//! Tells the ledger that root switched the asking for cards off on this host, and on again.
//!
//! The module decides for itself whether the file counts (`pam-module/src/rescue_file.rs`), with the agent or without.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use countersign_protocol::message::{HostEvent, HostEventKind};
use countersign_protocol::rescue;

use crate::agent::Agent;

/// What was seen last.
#[derive(Debug, Default)]
pub struct Watch {
    was_there: bool,
}

impl Watch {
    /// Looks for the file, and reports what changed. The keeper does so every few seconds.
    pub fn look(&mut self, agent: &Agent) {
        if let Some(event) = self.change(Path::new(rescue::PATH)) {
            report(agent, event);
        }
    }

    fn change(&mut self, path: &Path) -> Option<HostEventKind> {
        let is_there = is_there(path);
        match (std::mem::replace(&mut self.was_there, is_there), is_there) {
            (false, true) => Some(HostEventKind::RescueBegan),
            (true, false) => Some(HostEventKind::RescueEnded),
            (true, true) | (false, false) => None,
        }
    }
}

/// For telling only: nothing is opened, and nothing depends on what is there a moment later.
fn is_there(path: &Path) -> bool {
    std::fs::symlink_metadata(path)
        .is_ok_and(|meta| rescue::judge(meta.is_file(), meta.uid(), meta.mode()).is_ok())
}

fn report(agent: &Agent, event: HostEventKind) {
    let (name, told) = match event {
        HostEventKind::RescueBegan => (
            "rescue-began",
            format!("The rescue file {} is there: this host asks nobody for a card.", rescue::PATH),
        ),
        _ => (
            "rescue-ended",
            format!("The rescue file {} is gone: this host asks for cards again.", rescue::PATH),
        ),
    };
    agent.log.warn(name, &[("told", &told)]);
    let Ok(correlation) = agent.correlation() else { return };
    let event = HostEvent {
        event,
        at: agent.wire.time.now(),
        correlation,
        login: None,
        account: None,
        service: None,
        card: None,
        told,
    };
    // A host without a server has nobody to tell.
    if agent.link().is_some() { agent.report(&event) } else { agent.note(&event) }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    #[test]
    fn a_rescue_is_told_once_when_it_begins_and_once_when_it_ends() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rescue");
        let mut watch = Watch::default();
        assert_eq!(watch.change(&path), None);
        fs::write(&path, "").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        std::os::unix::fs::chown(&path, Some(0), Some(0)).expect("these tests run as root");
        assert_eq!(watch.change(&path), Some(HostEventKind::RescueBegan));
        assert_eq!(watch.change(&path), None);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).unwrap();
        assert_eq!(watch.change(&path), Some(HostEventKind::RescueEnded), "it counts no more");
        fs::remove_file(&path).unwrap();
        symlink("/etc/passwd", &path).unwrap();
        assert_eq!(watch.change(&path), None, "a link never counts");
    }
}
