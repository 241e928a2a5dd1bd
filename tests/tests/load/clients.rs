//! Eight programs that log people in, each with its own libpam.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Mutex, PoisonError};

use countersign_tests::Trouble;
use countersign_tests::site::{PamClient, Person};

use crate::town::{SERVICES, Town};

/// `PAM_SUCCESS`, `PAM_PERM_DENIED`, `PAM_AUTH_ERR`.
const SUCCESS: i32 = 0;
const PERM_DENIED: i32 = 6;
const AUTH_ERR: i32 = 7;

/// What the person at one of them is for the server.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Standing {
    /// May log in, with the card of this number.
    Member(usize),
    /// Is denied by policy before a card is asked for: suspended, or without an account.
    Barred,
}

/// What the person does this time.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Deed {
    RightPin,
    WrongPin,
    Cancel,
}

struct Client {
    login: &'static str,
    service: &'static str,
    standing: Standing,
    program: PamClient,
}

impl Client {
    /// Logs in once, and compares what came of it with what must.
    fn act(&mut self, deed: Deed, done: &Mutex<Done>) {
        let pin = match deed {
            Deed::RightPin => Some(Person::PIN),
            Deed::WrongPin => Some("999999"),
            Deed::Cancel => None,
        };
        // The words, or the lack of any, that the right decision comes with.
        let (code, words) = match (self.standing, deed) {
            (Standing::Barred, _) => (PERM_DENIED, "No account may open"),
            (_, Deed::Cancel) => (AUTH_ERR, ""),
            (_, Deed::WrongPin) => (AUTH_ERR, "Wrong PIN"),
            (Standing::Member(_), Deed::RightPin) => (SUCCESS, ""),
        };
        let complaint = match self.program.login(pin) {
            Ok(answer) => {
                if answer.code == SUCCESS {
                    lock(done).granted += 1;
                }
                let shown = answer.shown.join(" / ");
                let is_right = answer.code == code && shown.contains(words);
                (!is_right).then(|| format!("PAM code {} instead of {code}: {shown}", answer.code))
            }
            Err(trouble) => Some(trouble.to_string()),
        };
        if let Some(complaint) = complaint {
            let who = format!("{} through {}, {deed:?}", self.login, self.service);
            lock(done).wrong.push(format!("{who}: {complaint}"));
        }
    }
}

pub(crate) struct Clients {
    clients: Vec<Client>,
    /// For each card: nobody mistypes twice in a row, whoever does types it right before the next one may.
    cards: Vec<Mutex<()>>,
    tally: Mutex<BTreeMap<(&'static str, Deed), usize>>,
}

/// What came of a batch.
#[derive(Default)]
pub(crate) struct Done {
    pub(crate) granted: usize,
    pub(crate) wrong: Vec<String>,
}

const SEATS: [(&str, usize, Standing); 8] = [
    ("ana", 0, Standing::Member(0)),
    ("ana", 1, Standing::Member(0)),
    ("ben", 1, Standing::Member(1)),
    ("ben", 2, Standing::Member(1)),
    ("eva", 0, Standing::Member(2)),
    ("eva", 2, Standing::Member(2)),
    ("fay", 1, Standing::Barred),
    ("dora", 2, Standing::Barred),
];

impl Clients {
    pub(crate) fn start(town: &Town<'_>) -> Result<Self, Trouble> {
        let mut clients = Vec::new();
        for (login, service, standing) in SEATS {
            let service = SERVICES.get(service).copied().unwrap_or("sudo");
            let command = town.scene.console.command(PamClient::program()?);
            clients.push(Client {
                login,
                service,
                standing,
                program: PamClient::start(command, service, login)?,
            });
        }
        Ok(Self { clients, cards: (0..3).map(|_| Mutex::default()).collect(), tally: Mutex::default() })
    }

    /// `logins` in all, shared by all clients at once; with the `batch` the pattern of deeds moves on.
    pub(crate) fn log_in(&mut self, logins: usize, batch: usize) -> Done {
        let left = Mutex::new(logins);
        let done = Mutex::new(Done::default());
        let (cards, tally) = (&self.cards, &self.tally);
        std::thread::scope(|scope| {
            for (at, client) in self.clients.iter_mut().enumerate() {
                let (left, done) = (&left, &done);
                scope.spawn(move || {
                    let mut turn = batch + at;
                    while take(left, 1) == 1 {
                        let deed = deed(turn);
                        turn += 1;
                        let card = match client.standing {
                            Standing::Member(card) => cards.get(card),
                            Standing::Barred => None,
                        };
                        // A wrong PIN takes a second login along, which makes it good.
                        let repair = deed == Deed::WrongPin && card.is_some() && take(left, 1) == 1;
                        let deed = if deed == Deed::WrongPin && !repair { Deed::RightPin } else { deed };
                        let held = repair.then(|| card.map(lock));
                        let deeds: &[Deed] = if repair { &[Deed::WrongPin, Deed::RightPin] } else { &[deed] };
                        for deed in deeds {
                            *lock(tally).entry((client.login, *deed)).or_insert(0) += 1;
                            client.act(*deed, done);
                        }
                        drop(held);
                    }
                });
            }
        });
        done.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    /// Who did what how often.
    pub(crate) fn tally(&self) -> String {
        let mut text = String::new();
        for ((login, deed), count) in lock(&self.tally).iter() {
            // Writing to a string does not fail.
            let _ = write!(text, "{login} {deed:?} {count}; ");
        }
        text
    }
}

fn take(left: &Mutex<usize>, wanted: usize) -> usize {
    let mut left = lock(left);
    let taken = wanted.min(*left);
    *left -= taken;
    taken
}

/// One of sixteen is wrong, two are cancelled.
fn deed(turn: usize) -> Deed {
    match turn % 16 {
        5 => Deed::WrongPin,
        3 | 11 => Deed::Cancel,
        _ => Deed::RightPin,
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
