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
        // What cannot be taken up may be too old to sign: a new pair cures that.
        let taken_up = self.take_up_keys(now);
        let due = taken_up.is_err() || is_due(self.identity().newest(), days, now);
        let renewed = due && self.renew_keys(primary, days, now)?;
        let mut done = None;
        if renewed {
            self.take_up_keys(now)?;
            done = Some(RENEWED);
        } else if taken_up? {
            done = Some("the server's subkeys were exchanged elsewhere");
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

    /// Makes a new pair, if one is due and `primary` is there.
    fn renew_keys(
        &self,
        primary: impl FnOnce() -> Option<Cert>,
        days: u32,
        now: Timestamp,
    ) -> Result<bool, Failure> {
        let Some(primary) = primary() else { return Ok(false) };
        let changed = self.custody().exchange(now, |keys| {
            // Another process may have been first.
            let keys = keys.filter(|keys| is_due((keys.ends(now), keys.renewed_at(now)), days, now));
            let renewed = keys.map(|keys| keys.renewed(&primary, now, life(days), false)).transpose();
            let renewed = renewed.map_err(|error| Failure::Keys(error.to_string()))?;
            Ok(renewed.map(|keys| (keys, RENEWED)))
        });
        Ok(changed.map_err(failure)?.is_some())
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

/// By when the newest pair ends and was made. One that was made for fewer days than are configured now is exchanged as early
/// before its end as any other: hosts must hear of the next one, and what it signed last lives on for a while.
fn is_due((ends, made): (Option<Timestamp>, Option<Timestamp>), days: u32, now: Timestamp) -> bool {
    let used = made.is_none_or(|made| now.seconds_since(made) >= i64::from(days) * 86_400);
    used || ends.is_some_and(|ends| ends.seconds_since(now) <= life(0))
}

fn failure(stop: Stop) -> Failure {
    match stop {
        Stop::Failed(failure) => failure,
        Stop::Refused(reason) => Failure::Keys(reason.to_string()),
    }
}
