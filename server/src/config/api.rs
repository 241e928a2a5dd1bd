//! `[api]`: who does the jobs.

use serde::{Deserialize, Serialize};

use super::Unfit;

/// Who does the jobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Api {
    /// Threads that do what is asked of documents, where this process does.
    pub workers: u16,
}

impl Default for Api {
    fn default() -> Self {
        Self { workers: 1 }
    }
}

impl Api {
    /// Most of them: each has a connection to the database.
    const MOST: u16 = 64;

    pub(super) fn check(&self) -> Result<(), Unfit> {
        match self.workers {
            1..=Self::MOST => Ok(()),
            0 => Err(Unfit::new(
                "api.workers",
                "is 0, and nothing would be done; a server that does no jobs is started with: serve --role auth",
            )),
            more => Err(Unfit::new("api.workers", format!("is {more}; 1 to {} are possible", Self::MOST))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::read_with;

    #[test]
    fn no_worker_and_too_many_are_refused() {
        for (number, says) in [(0, "serve --role auth"), (65, "1 to 64")] {
            let said = read_with(&format!("[api]\nworkers = {number}\n")).unwrap_err().to_string();
            assert!(said.contains("api.workers is") && said.contains(says), "{said}");
        }
        assert_eq!(read_with("[api]\nworkers = 64\n").unwrap().api.workers, 64);
    }
}
