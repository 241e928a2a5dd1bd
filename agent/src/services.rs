//! The PAM services of this host: what the server is asked about, so that a roster can tell them apart.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use countersign_protocol::ids::ServiceName;
use countersign_protocol::limits;

use crate::state::{StateDir, StateError};

/// The file of those that asked.
const FILE: &str = "services.json";

/// Where libpam looks.
const FOLDERS: [&str; 2] = ["/etc/pam.d", "/usr/lib/pam.d"];

/// Debian's parts that other files include; nobody logs in by them.
const INCLUDES: &str = "common-";

/// Services that asked for a login here, in memory and on disk: some have no file of their own.
pub struct Services {
    state: StateDir,
    asked: Mutex<BTreeSet<ServiceName>>,
    trouble: Option<String>,
}

impl Services {
    /// What was kept. A damaged file is set aside: the services ask again.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn load(state: StateDir) -> Result<Self, StateError> {
        let (asked, trouble) = state.read_or_set_aside::<BTreeSet<ServiceName>>(FILE)?;
        Ok(Self { state, asked: Mutex::new(asked.unwrap_or_default()), trouble })
    }

    /// What was wrong with the file at the start.
    #[must_use]
    pub fn trouble(&self) -> Option<&str> {
        self.trouble.as_deref()
    }

    /// One of root's programs asked for a login by this service. Says whether the server is to hear of it.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn asked(&self, service: &ServiceName) -> Result<bool, StateError> {
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        if asked.contains(service) || asked.len() >= limits::ROSTER_SERVICES {
            return Ok(false);
        }
        let mut more = asked.clone();
        more.insert(service.clone());
        self.state.write(FILE, &more)?;
        *asked = more;
        Ok(true)
    }

    /// All of them, as many as the server takes: those that asked before those that only have a file.
    #[must_use]
    pub fn all(&self) -> Vec<ServiceName> {
        let asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner).clone();
        of(asked, &FOLDERS.map(Path::new))
    }
}

fn of(asked: BTreeSet<ServiceName>, folders: &[&Path]) -> Vec<ServiceName> {
    let files = folders.iter().filter_map(|folder| std::fs::read_dir(folder).ok()).flatten().flatten();
    let files = files.filter(|file| !file.file_type().is_ok_and(|kind| kind.is_dir()));
    let names = files.filter_map(|file| file.file_name().to_str()?.parse::<ServiceName>().ok());
    let named: BTreeSet<ServiceName> =
        names.filter(|name| !name.as_str().starts_with(INCLUDES) && !asked.contains(name)).collect();
    let mut all: Vec<ServiceName> = asked.into_iter().chain(named).take(limits::ROSTER_SERVICES).collect();
    // In one order, whoever asked: the roster is the same then.
    all.sort();
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> ServiceName {
        text.parse().unwrap()
    }

    #[test]
    fn services_are_the_files_of_pam_and_those_that_asked() {
        let folder = tempfile::tempdir().unwrap();
        for file in ["sudo", "login", "common-auth", "common-session", "not a service", "su"] {
            std::fs::write(folder.path().join(file), "").unwrap();
        }
        let state = StateDir::open(&folder.path().join("state")).unwrap();
        let services = Services::load(state.clone()).unwrap();
        assert!(services.asked(&name("kiosk")).unwrap());
        assert!(!services.asked(&name("kiosk")).unwrap(), "it is known");
        let again = Services::load(state).unwrap();
        let asked = again.asked.lock().unwrap().clone();
        let missing = Path::new("/nonexistent");
        let all = of(asked, &[folder.path(), missing]);
        assert_eq!(all, ["kiosk", "login", "su", "sudo"].map(name));
    }

    #[test]
    fn whoever_asked_is_named_although_there_are_too_many_files() {
        let folder = tempfile::tempdir().unwrap();
        for n in 0..200 {
            std::fs::write(folder.path().join(format!("a{n:03}")), "").unwrap();
        }
        let all = of(BTreeSet::from([name("zz-locker")]), &[folder.path()]);
        assert_eq!(all.len(), limits::ROSTER_SERVICES);
        assert!(all.contains(&name("zz-locker")));
    }
}
