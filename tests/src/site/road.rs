//! The road between hosts and the server: clear as a rule, and in whatever state a test wants.
//!
//! It understands as much HTTP as the courier speaks: requests and answers with a length.

mod http;

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use nix::sys::socket::sockopt::Linger;
use nix::sys::socket::{Backlog, listen, setsockopt};

use crate::trouble::{Attempt as _, Trouble};
use crate::waiting::wait_until;

/// What happens to a message on the way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Weather {
    /// It is carried, and its answer back.
    Clear,
    /// Nobody listens at the server's address.
    Refused,
    /// Nobody there says even that: packets to it are lost.
    Blackholed,
    /// It is taken and never answered.
    Silent,
    /// It is taken, and the connection reset.
    Reset,
    /// It is carried after this time.
    Slow(Duration),
    /// It waits until the weather changes, and is carried then.
    Held,
    /// It is carried, and the answer lost.
    AnswerLost,
    /// The server's answer under another status.
    Status(u16),
    /// This for an answer, under status 200.
    Body(Vec<u8>),
    /// The server's answer with one bit turned in the middle.
    BitTurned,
    /// Half of the server's answer; then the connection ends.
    Half,
    /// The answer to an earlier message, genuine in itself.
    EarlierAnswer,
    /// An answer larger than any may be.
    Huge,
    /// Bytes that are no HTTP.
    Noise,
}

/// A place on this machine that hosts take for the server.
pub struct Road {
    shared: Arc<Shared>,
}

struct Shared {
    here: SocketAddr,
    there: SocketAddr,
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    weather: Weather,
    /// Messages that wait while it is [`Weather::Held`].
    held: usize,
    /// Answers of the server so far; only the first few are kept.
    answers: Vec<Vec<u8>>,
    /// Keeps the queue of new connections full.
    plugs: Vec<TcpStream>,
    /// It is full.
    full: bool,
    ended: bool,
}

impl Road {
    /// Opens the road from a port of this machine to another one.
    pub(super) fn open(here: u16, there: u16) -> Result<Self, Trouble> {
        let local = |port| SocketAddr::from(([127, 0, 0, 1], port));
        let state = State {
            weather: Weather::Clear,
            held: 0,
            answers: Vec::new(),
            plugs: Vec::new(),
            full: false,
            ended: false,
        };
        let shared = Arc::new(Shared {
            here: local(here),
            there: local(there),
            state: Mutex::new(state),
            changed: Condvar::new(),
        });
        let listener = shared.listen()?;
        let watcher = Arc::clone(&shared);
        std::thread::spawn(move || watcher.watch(listener));
        Ok(Self { shared })
    }

    /// Changes the weather. Messages that were held go on under the new one.
    ///
    /// # Errors
    /// It did not change in time.
    pub fn weather(&self, weather: Weather) -> Result<(), Trouble> {
        let shared = &self.shared;
        let blackholed = weather == Weather::Blackholed;
        let open = weather != Weather::Refused;
        let held = weather == Weather::Held;
        shared.change(|state| {
            state.weather = weather;
            state.full = false;
            state.plugs.clear();
        });
        // The watcher sleeps in its queue of connections.
        drop(TcpStream::connect_timeout(&shared.here, KNOCK));
        wait_until("the road's weather", Duration::from_secs(20), || {
            let is_there = if blackholed {
                shared.lock().full
            } else {
                TcpStream::connect_timeout(&shared.here, KNOCK).is_ok() == open
            };
            // The next change comes after this one, for what was held as well.
            Ok((is_there && (held || shared.lock().held == 0)).then_some(()))
        })
    }

    /// Waits until a message is held.
    ///
    /// # Errors
    /// None came in time.
    pub fn wait_for_held(&self, limit: Duration) -> Result<(), Trouble> {
        wait_until("a message on the road", limit, || Ok((self.shared.lock().held > 0).then_some(())))
    }
}

impl Drop for Road {
    fn drop(&mut self) {
        self.shared.change(|state| {
            state.ended = true;
            state.plugs.clear();
        });
        drop(TcpStream::connect_timeout(&self.shared.here, KNOCK));
    }
}

/// How long one knock at the own door may take.
const KNOCK: Duration = Duration::from_millis(100);

/// More connections than fill a queue of length zero: the kernel lets one more in than it says.
const PLUGS: usize = 8;

/// Answers that are kept.
const KEPT: usize = 8;

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, with: impl FnOnce(&mut State)) {
        with(&mut self.lock());
        self.changed.notify_all();
    }

    fn listen(&self) -> Result<TcpListener, Trouble> {
        TcpListener::bind(self.here).attempt(|| format!("listen on {}", self.here))
    }

    /// Takes connections, as the weather allows.
    fn watch(self: Arc<Self>, listener: TcpListener) {
        let mut listener = Some(listener);
        loop {
            let weather = {
                let state = self.lock();
                if state.ended {
                    return;
                }
                state.weather.clone()
            };
            match weather {
                Weather::Refused => {
                    listener = None;
                    self.wait_while(&weather);
                }
                Weather::Blackholed => {
                    if let Some(listener) = &listener {
                        self.plug(listener);
                    }
                    self.wait_while(&weather);
                    // The kernel does not lengthen the queue of a listener that is full.
                    listener = None;
                }
                _ => {
                    if listener.is_none() {
                        listener = self.listen().ok();
                    }
                    match listener.as_ref().map(TcpListener::accept) {
                        Some(Ok((from, _))) => {
                            let road = Arc::clone(&self);
                            std::thread::spawn(move || road.serve(&from));
                        }
                        // The port is not free yet.
                        _ => std::thread::sleep(Duration::from_millis(5)),
                    }
                }
            }
        }
    }

    fn wait_while(&self, weather: &Weather) {
        let same = |state: &mut State| state.weather == *weather && !state.ended;
        drop(self.changed.wait_while(self.lock(), same));
    }

    /// Fills the queue of new connections, until one more is not heard.
    fn plug(&self, listener: &TcpListener) {
        let Ok(none) = Backlog::new(0) else { return };
        if listen(listener, none).is_err() {
            return;
        }
        for _ in 0..PLUGS {
            match TcpStream::connect_timeout(&self.here, KNOCK) {
                Ok(plug) => self.change(|state| state.plugs.push(plug)),
                Err(_) => return self.change(|state| state.full = true),
            }
        }
    }

    /// One connection from a host.
    fn serve(&self, from: &TcpStream) {
        let _ = from.set_read_timeout(Some(Duration::from_secs(60)));
        while let Some(request) = http::read(&mut &*from) {
            if self.pass(from, &request).is_none() {
                return;
            }
        }
    }

    /// One message and its answer; `None` ends the connection.
    fn pass(&self, from: &TcpStream, request: &http::Message) -> Option<()> {
        let weather = self.let_through()?;
        match weather {
            Weather::Silent => {
                // Until the host gives up.
                let _ = (&*from).read(&mut [0]);
                return None;
            }
            Weather::Reset | Weather::Refused | Weather::Blackholed => {
                let _ = setsockopt(from, Linger, &AT_ONCE);
                return None;
            }
            Weather::Slow(time) => std::thread::sleep(time),
            _ => {}
        }
        let own = match &weather {
            Weather::Body(body) => Some(http::answer(200, body)),
            Weather::Huge => Some(http::answer(200, &vec![b'x'; 8 * 1024 * 1024])),
            Weather::Noise => Some(NOISE.to_vec()),
            Weather::EarlierAnswer => self.lock().answers.first().map(|body| http::answer(200, body)),
            _ => None,
        };
        if let Some(own) = own {
            (&*from).write_all(&own).ok()?;
            return (weather != Weather::Noise).then_some(());
        }
        let answer = self.ask(request)?;
        let changed = match weather {
            Weather::AnswerLost => return None,
            Weather::Status(status) => http::answer(status, &answer.body),
            Weather::BitTurned => http::answer(200, &turned(&answer.body)),
            Weather::Half => {
                let whole = answer.bytes();
                let _ = (&*from).write_all(whole.split_at(whole.len() - answer.body.len() / 2).0);
                return None;
            }
            _ => {
                self.change(|state| {
                    if state.answers.len() < KEPT {
                        state.answers.push(answer.body.clone());
                    }
                });
                answer.bytes()
            }
        };
        (&*from).write_all(&changed).ok()
    }

    /// The weather, once it is not [`Weather::Held`].
    fn let_through(&self) -> Option<Weather> {
        self.change(|state| state.held += 1);
        let held = |state: &mut State| state.weather == Weather::Held && !state.ended;
        let mut state = self.changed.wait_while(self.lock(), held).unwrap_or_else(PoisonError::into_inner);
        state.held -= 1;
        (!state.ended).then(|| state.weather.clone())
    }

    /// What the server says.
    fn ask(&self, request: &http::Message) -> Option<http::Message> {
        let mut to = TcpStream::connect(self.there).ok()?;
        to.set_read_timeout(Some(Duration::from_secs(60))).ok()?;
        to.write_all(&request.bytes()).ok()?;
        http::read(&mut &to)
    }
}

/// The greeting of another protocol.
const NOISE: &[u8] = b"SSH-2.0-OpenSSH_9.2p1\r\n\x00\x01\xFF\xFE\r\n\r\n";

fn turned(body: &[u8]) -> Vec<u8> {
    let middle = body.len() / 2;
    body.iter().enumerate().map(|(at, byte)| if at == middle { byte ^ 0x10 } else { *byte }).collect()
}

/// Closing sends a reset.
const AT_ONCE: nix::libc::linger = nix::libc::linger { l_onoff: 1, l_linger: 0 };
