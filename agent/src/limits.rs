//! How many connections are served at once, and how many large bodies held: for one user and in all.
//!
//! Each socket has its own gate, and so have bodies: what everybody does on `user.sock` takes nothing from root's programs on
//! `pam.sock`. There su and sudo count as whoever called them.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Counts connections of one socket, or bodies.
#[derive(Debug)]
pub struct Gate {
    per_uid: usize,
    root: usize,
    total: usize,
    open: Mutex<HashMap<u32, usize>>,
}

/// A place inside; given back when dropped.
#[derive(Debug)]
pub struct Place {
    gate: Arc<Gate>,
    uid: u32,
}

impl Gate {
    /// A gate for `per_uid` places of one user, `root` of root, and `total` in all, a quarter of them for root
    /// alone: one person may have thousands of user numbers (subuid(5)).
    #[must_use]
    pub fn new(per_uid: usize, root: usize, total: usize) -> Arc<Self> {
        Arc::new(Self { per_uid, root, total, open: Mutex::default() })
    }

    /// A place, or `None` if this user or everybody together has too many.
    #[must_use]
    pub fn enter(self: &Arc<Self>, uid: u32) -> Option<Place> {
        let mut open = self.lock();
        let all: usize = open.values().sum();
        let people = all - open.get(&0).copied().unwrap_or(0);
        if uid != 0 && people >= self.total - self.total / 4 {
            return None;
        }
        let mine = open.entry(uid).or_default();
        let most = if uid == 0 { self.root } else { self.per_uid };
        if all >= self.total || *mine >= most {
            return None;
        }
        *mine += 1;
        Some(Place { gate: Arc::clone(self), uid })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u32, usize>> {
        // Counting cannot be left half done: a panic elsewhere does not spoil it.
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.gate.lock();
        match open.get_mut(&self.uid) {
            Some(mine) if *mine > 1 => *mine -= 1,
            _ => drop(open.remove(&self.uid)),
        }
    }
}

/// Work that two at once would spoil, because it keeps its place in one file.
#[derive(Debug, Default)]
pub struct OneAtATime(AtomicBool);

/// The place in it, until it is dropped. It may go along to another thread that finishes the work.
#[derive(Debug)]
pub struct Alone<'a>(&'a OneAtATime);

impl OneAtATime {
    /// Nobody is at it.
    #[must_use]
    pub const fn new() -> Self {
        Self(AtomicBool::new(false))
    }

    /// The place, or `None` if somebody has it.
    pub fn enter(&self) -> Option<Alone<'_>> {
        (!self.0.swap(true, Ordering::SeqCst)).then_some(Alone(self))
    }
}

impl Drop for Alone<'_> {
    fn drop(&mut self) {
        // What a panic left half done is on disk, where the next one looks first.
        self.0.0.store(false, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_one_finds_the_place_taken_until_the_first_is_done() {
        static PLACE: OneAtATime = OneAtATime::new();
        let first = PLACE.enter();
        assert!(first.is_some() && PLACE.enter().is_none());
        drop(first);
        assert!(PLACE.enter().is_some());
        std::thread::spawn(|| {
            let _place = PLACE.enter();
            panic!("while inside");
        })
        .join()
        .unwrap_err();
        assert!(PLACE.enter().is_some(), "a panic does not keep it for ever");
    }

    #[test]
    fn one_user_cannot_take_every_place() {
        let gate = Gate::new(2, 2, 3);
        let a = gate.enter(1000).unwrap();
        let _b = gate.enter(1000).unwrap();
        assert!(gate.enter(1000).is_none());
        let _c = gate.enter(1001).unwrap();
        assert!(gate.enter(1002).is_none(), "three in all");
        drop(a);
        assert!(gate.enter(1002).is_some());
    }

    #[test]
    fn all_users_together_leave_places_for_root() {
        let gate = Gate::new(1, 8, 8);
        let places: Vec<Place> = (100_000..100_020).filter_map(|uid| gate.enter(uid)).collect();
        assert_eq!(places.len(), 6);
        let roots: Vec<Place> = (0..20).filter_map(|_| gate.enter(0)).collect();
        assert_eq!(roots.len(), 2);
    }
}
