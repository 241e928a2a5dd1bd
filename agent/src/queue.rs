//! Whose turn it is with a card, as a pure data structure: no clock, no lock, no card.
//!
//! Everyone who waits belongs to a [`Party`]. A request is given a round when it joins: one after the round
//! that is served now, and one after the party's own last request. The lowest round is served first, within a
//! round those before whom somebody else was served, then those who came first. So a party with many requests
//! has one in each round, and whoever comes with a single one waits for no more than one of each other party.

use std::collections::BTreeMap;
use std::time::Instant;

use countersign_protocol::ids::{CardIdent, LoginName};
use countersign_protocol::limits;

/// Whom a turn is counted to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Party {
    /// Whose login a program of root asks about.
    Login(LoginName),
    /// Who asks on the socket for everybody.
    Uid(u32),
    /// This host itself.
    Host,
}

/// A request that waits for a turn, or has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ticket {
    card: CardIdent,
    number: u64,
}

/// What is said about a turn to those who wait, and in `status`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Turns {
    /// Of which card.
    pub card: CardIdent,
    /// Who has it: `sudo of olga (terminal pts/3)`.
    pub holder: String,
    /// Since when.
    pub since: Instant,
    /// How many wait behind it.
    pub waiting: usize,
}

/// Too many wait already.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Crowded {
    /// Who has the card.
    pub holder: String,
}

/// The turns of all cards.
#[derive(Debug, Default)]
pub struct Queue {
    lines: BTreeMap<CardIdent, Line>,
    last: u64,
}

/// One card's. There is one only while somebody has the card.
#[derive(Debug)]
struct Line {
    now: Request,
    since: Instant,
    /// In the order of coming.
    waiting: Vec<Request>,
}

#[derive(Debug, Clone)]
struct Request {
    number: u64,
    party: Party,
    what: String,
    round: u64,
}

impl Queue {
    /// Comes for a card. The turn may be there at once: see [`Queue::has_turn`].
    ///
    /// # Errors
    /// [`Crowded`], and nothing is changed.
    pub fn join(
        &mut self,
        card: CardIdent,
        party: &Party,
        what: &str,
        now: Instant,
    ) -> Result<Ticket, Crowded> {
        let everybody: usize = self.lines.values().map(|line| line.waiting.len()).sum();
        let number = self.last + 1;
        let mut request = Request { number, party: party.clone(), what: what.to_owned(), round: 0 };
        match self.lines.get_mut(&card) {
            None => {
                self.lines.insert(card, Line { now: request, since: now, waiting: Vec::new() });
            }
            Some(line) => {
                let mine = line.waiting.iter().filter(|other| other.party == *party).count();
                if mine >= limits::TURNS_OF_ONE_PARTY || everybody >= limits::TURNS {
                    return Err(Crowded { holder: line.now.what.clone() });
                }
                request.round = line.last_round_of(party) + 1;
                line.waiting.push(request);
            }
        }
        self.last = number;
        Ok(Ticket { card, number })
    }

    /// Whether it is this request's turn.
    #[must_use]
    pub fn has_turn(&self, ticket: Ticket) -> bool {
        self.lines.get(&ticket.card).is_some_and(|line| line.now.number == ticket.number)
    }

    /// Leaves: the turn is over, or somebody waits no longer. The next one has the turn then.
    pub fn leave(&mut self, ticket: Ticket, now: Instant) {
        let Some(line) = self.lines.get_mut(&ticket.card) else { return };
        if line.now.number != ticket.number {
            return line.waiting.retain(|request| request.number != ticket.number);
        }
        match line.next() {
            Some(next) => (line.now, line.since) = (next, now),
            None => drop(self.lines.remove(&ticket.card)),
        }
    }

    /// Who has the card that this request waits for, since when, and how many are served in between if nobody
    /// else comes.
    #[must_use]
    pub fn before(&self, ticket: Ticket) -> Option<(String, Instant, usize)> {
        let line = self.lines.get(&ticket.card)?;
        let mut rest = Line { now: line.now.clone(), since: line.since, waiting: line.waiting.clone() };
        let mut between = 0;
        while let Some(next) = rest.next() {
            if next.number == ticket.number {
                return Some((line.now.what.clone(), line.since, between));
            }
            (rest.now, between) = (next, between + 1);
        }
        None
    }

    /// How things stand with every card that somebody has.
    #[must_use]
    pub fn snapshot(&self) -> Vec<Turns> {
        let turns = |(card, line): (&CardIdent, &Line)| Turns {
            card: *card,
            holder: line.now.what.clone(),
            since: line.since,
            waiting: line.waiting.len(),
        };
        self.lines.iter().map(turns).collect()
    }
}

impl Line {
    /// The round that is served, or the party's own last one if it is later.
    fn last_round_of(&self, party: &Party) -> u64 {
        let mine = self.waiting.iter().filter(|request| request.party == *party).map(|request| request.round);
        mine.max().unwrap_or(0).max(self.now.round)
    }

    fn next(&mut self) -> Option<Request> {
        let order = |request: &Request| (request.round, request.party == self.now.party, request.number);
        let (at, _) = self.waiting.iter().enumerate().min_by_key(|(_, request)| order(request))?;
        Some(self.waiting.remove(at))
    }
}

#[cfg(test)]
mod tests;
