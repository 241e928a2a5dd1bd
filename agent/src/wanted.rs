//! Login names that the roster had no room for when somebody came: the server is asked about them first, so that whoever
//! logs in while it can be reached is in the roster afterwards.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use countersign_protocol::ids::LoginName;
use countersign_protocol::limits;

use crate::state::{StateDir, StateError};

/// The file.
const FILE: &str = "wanted-logins.json";

/// Those names, in memory and on disk.
pub struct Wanted {
    state: StateDir,
    /// Whoever came last is the first.
    logins: Mutex<Vec<LoginName>>,
}

impl Wanted {
    /// What was kept.
    ///
    /// # Errors
    /// The file is damaged.
    pub fn load(state: StateDir) -> Result<Self, StateError> {
        let logins = state.read(FILE)?.unwrap_or_default();
        Ok(Self { state, logins: Mutex::new(logins) })
    }

    /// Somebody came whom the roster does not name.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn note(&self, login: &LoginName) -> Result<(), StateError> {
        let mut logins = self.logins.lock().unwrap_or_else(PoisonError::into_inner);
        if logins.first() == Some(login) {
            return Ok(());
        }
        let others = logins.iter().filter(|other| *other != login);
        let more: Vec<LoginName> =
            std::iter::once(login).chain(others).take(limits::ROSTER_LOGINS).cloned().collect();
        self.state.write(FILE, &more)?;
        *logins = more;
        Ok(())
    }

    /// As many of the `managed` names as the server takes: those that were wanted first.
    #[must_use]
    pub fn first_of(&self, managed: &[LoginName]) -> Vec<LoginName> {
        let wanted = self.logins.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let there: BTreeSet<&LoginName> = managed.iter().collect();
        let first: Vec<&LoginName> = wanted.iter().filter(|login| there.contains(login)).collect();
        let named: BTreeSet<&LoginName> = first.iter().copied().collect();
        let rest = managed.iter().filter(|login| !named.contains(login));
        first.iter().copied().chain(rest).take(limits::ROSTER_LOGINS).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(n: usize) -> LoginName {
        format!("user{n:04}").parse().unwrap()
    }

    #[test]
    fn of_too_many_logins_the_server_is_asked_about_those_who_came_first() {
        let folder = tempfile::tempdir().unwrap();
        let state = StateDir::open(folder.path()).unwrap();
        let wanted = Wanted::load(state.clone()).unwrap();
        let managed: Vec<LoginName> = (0..600).map(name).collect();
        assert_eq!(wanted.first_of(&managed), managed[..limits::ROSTER_LOGINS]);
        for n in [599, 3, 550, 599] {
            wanted.note(&name(n)).unwrap();
        }
        wanted.note(&"stranger".parse().unwrap()).unwrap();
        let again = Wanted::load(state).unwrap();
        let asked = again.first_of(&managed);
        assert_eq!(asked[..4], [name(599), name(550), name(3), name(0)]);
        assert_eq!(asked.len(), limits::ROSTER_LOGINS);
        assert_eq!(asked.iter().collect::<BTreeSet<_>>().len(), asked.len(), "each once");
        // A file of some names is asked about whole.
        assert_eq!(again.first_of(&managed[..2]), managed[..2]);
    }
}
