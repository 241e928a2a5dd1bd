//! The server's own subkeys, while it serves.

use std::sync::Arc;

use countersign_protocol::certificate::Cert;
use countersign_protocol::clock::Timestamp;

use super::Core;
use crate::identity::Identity;
use crate::server_keys::{Custody, life};
use crate::stop::{Failure, Stop};

/// How long before their end, in seconds, somebody must be told of subkeys that are not renewed by themselves; of those that
/// live longer, when a quarter of their life is left.
const ENDS_SOON: i64 = 9 * 86_400;

impl Core {
    /// What is needed to open and exchange the server's subkeys.
    #[must_use]
    pub fn custody(&self) -> Custody<'_> {
        let parts = &self.parts;
        Custody {
            store: &*parts.store,
            ledger: &parts.ledger,
            store_key: &parts.store_key,
            random: &*parts.random,
        }
    }

    /// Does what is due: takes up what another process or somebody at the console exchanged, makes a new pair every `days`
    /// if `primary` has the primary key with its secret, and destroys what was outlived. Says what it did.
    ///
    /// # Errors
    /// What stood in the way; the subkeys stay as they are, and it is tried again the next time.
    pub fn keep_keys(
        &self,
        primary: impl FnOnce() -> Option<Cert>,
        days: u32,
    ) -> Result<Option<&'static str>, Failure> {
        let now = self.now();
        let mut done = self.take_up_keys(now)?.then_some("the server's subkeys were exchanged elsewhere");
        if is_due(&self.identity(), days, now)
            && let Some(primary) = primary()
        {
            let changed = self.custody().exchange(now, |keys| {
                // Another process may have been first.
                let keys =
                    keys.filter(|keys| keys.renewed_at(now).is_none_or(|made| is_over(made, days, now)));
                let renewed = keys.map(|keys| keys.renewed(&primary, now, life(days), false)).transpose();
                let renewed = renewed.map_err(|error| Failure::Keys(error.to_string()))?;
                Ok(renewed.map(|keys| (keys, RENEWED)))
            });
            if changed.map_err(failure)?.is_some() && self.take_up_keys(now)? {
                done = Some(RENEWED);
            }
        }
        if self.identity().has_outlived_secrets() {
            let changed = self.custody().exchange(now, |keys| {
                let left = keys.map(|keys| keys.outlived(now)).transpose();
                let left = left.map_err(|error| Failure::Keys(error.to_string()))?.flatten();
                Ok(left.map(|keys| (keys, DESTROYED)))
            });
            if changed.map_err(failure)?.is_some() && self.take_up_keys(now)? {
                done = done.or(Some(DESTROYED));
            }
        }
        Ok(done)
    }

    /// What somebody should know of the subkeys in good time.
    #[must_use]
    pub fn key_warning(&self) -> Option<String> {
        let identity = self.identity();
        let (ends, made) = identity.newest();
        let (ends, left) = (ends?, ends?.seconds_since(self.now()));
        let life = ends.seconds_since(made?);
        let cure = "with the primary key at hand: countersign-server key rotate; else, where the primary key lies, \
                    countersign-server key new-subkeys, and here key import-subkeys";
        if left <= 0 {
            return Some(format!("the server's subkeys ended at {ends} and no host is answered; {cure}"));
        }
        let soon = left < ENDS_SOON.max(life / 4);
        soon.then(|| {
            format!("the server's subkeys end at {ends}, and no host is answered after that; {cure}")
        })
    }

    /// Whether there were others, or it is another one's turn to sign.
    fn take_up_keys(&self, now: Timestamp) -> Result<bool, Failure> {
        let mine = self.identity();
        let gone = || Failure::Keys("they are not in the store any more".into());
        let (version, keys) = self.custody().look()?.ok_or_else(gone)?;
        let others = version != mine.version();
        if others || mine.has_turned(now) {
            let identity = Identity::new(&keys, version, mine.url().to_owned(), now)
                .map_err(|error| Failure::Keys(error.to_string()))?;
            self.parts.identity.store(Arc::new(identity));
        }
        Ok(others)
    }
}

/// In the ledger.
const RENEWED: &str = "the server made new subkeys";
const DESTROYED: &str = "the server destroyed the secrets of subkeys that newer ones took the place of";

fn is_due(identity: &Identity, days: u32, now: Timestamp) -> bool {
    let (_, made) = identity.newest();
    made.is_none_or(|made| is_over(made, days, now))
}

fn is_over(made: Timestamp, days: u32, now: Timestamp) -> bool {
    now.seconds_since(made) >= i64::from(days) * 86_400
}

fn failure(stop: Stop) -> Failure {
    match stop {
        Stop::Failed(failure) => failure,
        Stop::Refused(reason) => Failure::Keys(reason.to_string()),
    }
}
