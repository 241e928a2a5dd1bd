//! Login names that the roster had no room for when somebody came: the server is asked about them first, so that whoever
//! logs in while it can be reached is in the roster afterwards. Also those who try their card with
//! `countersign login try` before this host demands one of them.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use countersign_protocol::ids::LoginName;
use countersign_protocol::limits;

use crate::state::{StateDir, StateError};

/// The file.
const FILE: &str = "wanted-logins.json";

/// Names of people who need no card here yet: the last ones who tried theirs.
const TRIERS: usize = 16;

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

    /// As many names as the server takes: `managed` ones, those first that were wanted last, and then others that were
    /// wanted lately. A host that manages so many that there is no room for these asks about none of them.
    #[must_use]
    pub fn first_of(&self, managed: &[LoginName]) -> Vec<LoginName> {
        let wanted = self.logins.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let there: BTreeSet<&LoginName> = managed.iter().collect();
        let (first, triers): (Vec<&LoginName>, Vec<&LoginName>) =
            wanted.iter().partition(|login| there.contains(login));
        let named: BTreeSet<&LoginName> = first.iter().copied().collect();
        let rest = managed.iter().filter(|login| !named.contains(login));
        let triers = triers.into_iter().take(TRIERS);
        first.iter().copied().chain(rest).chain(triers).take(limits::ROSTER_LOGINS).cloned().collect()
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
        // A file of some names is asked about whole, and then whoever tried a card that is not needed yet.
        let some = again.first_of(&managed[..2]);
        assert_eq!(some[..3], [name(0), name(1), "stranger".parse().unwrap()]);
    }
}
