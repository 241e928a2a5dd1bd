//! Hosts that wait to hear of a change. While they wait they hold a connection and a few hundred bytes: no thread, no
//! place in the queue, nothing of their message.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use countersign_protocol::clock::Timestamp;
use countersign_protocol::ids::Fingerprint;
use countersign_protocol::limits;
use countersign_server_core::stop::Failure;
use countersign_server_core::watch::Watching;
use tokio::sync::{Notify, Semaphore, watch};
use tokio::time::Instant;

use super::Stopping;
use crate::doors::openpgp::{Answer, OpenPgpDoor};

/// All that wait.
#[derive(Clone)]
pub(super) struct Watches {
    door: OpenPgpDoor,
    waiting: Arc<Waiting>,
    news: watch::Sender<()>,
    /// One permit for each thread that looks: a change that concerns a thousand hosts keeps nobody from logging in.
    lookers: Arc<Semaphore>,
    stopping: Stopping,
}

/// A watch that ended without an answer of the core.
pub(super) enum Ended {
    /// More wait than may.
    Full,
    /// The core failed; nothing happened.
    Failed(Failure),
    /// A thread died.
    Died,
}

impl Watches {
    /// At most `most` at once, looked after by up to `lookers` threads.
    pub(super) fn new(door: OpenPgpDoor, most: usize, lookers: usize, stopping: Stopping) -> Self {
        let news = watch::Sender::new(());
        let heard = news.clone();
        door.listen(Box::new(move || {
            heard.send_replace(());
        }));
        let (waiting, lookers) = (Arc::new(Waiting::new(most)), Arc::new(Semaphore::new(lookers)));
        Self { door, waiting, news, lookers, stopping }
    }

    /// Answers as soon as there is something to tell, or the time is over, or the same host watches anew, or the server
    /// stops.
    pub(super) async fn wait(&self, watching: Watching) -> Result<Answer, Ended> {
        let entered = self.waiting.enter(watching.instance(), watching.sent());
        let watching = Arc::new(watching);
        let until = Instant::now() + limits::WATCH;
        let mut news = self.news.subscribe();
        let place = match entered {
            Entered::Waits(place) => place,
            Entered::Full => return Err(Ended::Full),
            Entered::Late => return self.look(&watching, &mut news, true).await?.ok_or(Ended::Died),
        };
        loop {
            if let Some(answer) = self.look(&watching, &mut news, false).await? {
                return Ok(answer);
            }
            let again = tokio::select! {
                heard = news.changed() => heard.is_ok(),
                () = tokio::time::sleep_until(until) => false,
                () = place.replaced() => false,
                () = self.stopping.begun() => false,
            };
            if !again {
                // What another process changed is found here at the latest.
                return self.look(&watching, &mut news, true).await?.ok_or(Ended::Died);
            }
        }
    }

    async fn look(
        &self,
        watching: &Arc<Watching>,
        news: &mut watch::Receiver<()>,
        last: bool,
    ) -> Result<Option<Answer>, Ended> {
        let looker = self.lookers.clone().acquire_owned().await.map_err(|_| Ended::Died)?;
        // What was told while we waited for our turn is seen by this look.
        news.mark_unchanged();
        let (door, watching) = (self.door.clone(), watching.clone());
        let looked = move || {
            let _looker = looker;
            door.look(&watching, last)
        };
        let looked = tokio::task::spawn_blocking(looked).await.map_err(|_| Ended::Died)?;
        looked.map_err(Ended::Failed)
    }
}

/// Who waits, one watch for each host.
struct Waiting {
    most: usize,
    places: Mutex<HashMap<Fingerprint, Held>>,
}

struct Held {
    /// When its message says that it was sent.
    sent: Timestamp,
    replaced: Arc<Notify>,
}

/// What became of one that wants to wait.
enum Entered {
    /// It may.
    Waits(Place),
    /// Too many others do.
    Full,
    /// Its host has sent a newer one, which waits: this one was held up on the way, or recorded there and sent again.
    Late,
}

/// One of them, until it is dropped.
struct Place {
    waiting: Arc<Waiting>,
    host: Fingerprint,
    replaced: Arc<Notify>,
}

impl Waiting {
    fn new(most: usize) -> Self {
        Self { most, places: Mutex::default() }
    }

    /// The host's earlier watch ends.
    fn enter(self: &Arc<Self>, host: &Fingerprint, sent: Timestamp) -> Entered {
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        match places.get(host) {
            Some(held) if sent < held.sent => return Entered::Late,
            None if places.len() >= self.most => return Entered::Full,
            _ => {}
        }
        let replaced = Arc::new(Notify::new());
        if let Some(earlier) = places.insert(host.clone(), Held { sent, replaced: replaced.clone() }) {
            earlier.replaced.notify_one();
        }
        Entered::Waits(Place { waiting: self.clone(), host: host.clone(), replaced })
    }
}

impl Place {
    async fn replaced(&self) {
        self.replaced.notified().await;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut places = self.waiting.places.lock().unwrap_or_else(PoisonError::into_inner);
        if places.get(&self.host).is_some_and(|now| Arc::ptr_eq(&now.replaced, &self.replaced)) {
            places.remove(&self.host);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(last: char) -> Fingerprint {
        format!("0123456789ABCDEF0123456789ABCDEF0123456{last}").parse().unwrap()
    }

    const SENT: Timestamp = Timestamp::from_seconds(1_795_000_000);

    fn waits(waiting: &Arc<Waiting>, last: char, sent: Timestamp) -> Option<Place> {
        match waiting.enter(&host(last), sent) {
            Entered::Waits(place) => Some(place),
            Entered::Full | Entered::Late => None,
        }
    }

    #[test]
    fn a_host_waits_once_and_its_newest_watch_stays() {
        let waiting = Arc::new(Waiting::new(2));
        let first = waits(&waiting, 'A', SENT).unwrap();
        let second = waits(&waiting, 'A', SENT).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(first.replaced());
        drop(first);
        assert_eq!(waiting.places.lock().unwrap().len(), 1, "the newest");
        let other = waits(&waiting, 'B', SENT).unwrap();
        assert!(matches!(waiting.enter(&host('C'), SENT), Entered::Full), "two places");
        let third = waits(&waiting, 'A', SENT.plus(1)).unwrap();
        // One that was recorded before, and that another process took then, ends nobody's wait here.
        assert!(matches!(waiting.enter(&host('A'), SENT), Entered::Late));
        let replaced =
            async { tokio::time::timeout(std::time::Duration::from_millis(50), third.replaced()).await };
        assert!(runtime.block_on(replaced).is_err());
        drop((second, third, other));
        assert!(waiting.places.lock().unwrap().is_empty());
    }
}
