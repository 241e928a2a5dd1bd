//! What drives a connection: whoever waits for an answer.
//!
//! The client library is asynchronous and our core is not. Each connection has an event loop of its own, which runs in
//! the thread that waits, so that no answer is passed from thread to thread.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use countersign_server_core::store::StoreError;
use tokio::runtime::Runtime;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_postgres::{AsyncMessage, Client, Error};

use super::super::address::Address;
use super::told;

/// What is polled for a connection to go on: what it says without being asked, until it ends.
pub(in super::super) type Wire =
    Box<dyn FnMut(&mut Context<'_>) -> Poll<Option<Result<AsyncMessage, Error>>> + Send>;

/// A request that nobody has waited for yet.
pub(super) type Sent = Pin<Box<dyn Future<Output = Result<(), Error>> + Send>>;

/// How long nothing may come while an answer is waited for. The database itself gives up sooner what takes it too long.
pub(in super::super) const PATIENCE: Duration = Duration::from_secs(10);

/// A connection's events.
pub(super) struct Events {
    runtime: Loop,
    patience: Cell<Duration>,
    wire: RefCell<Option<Wire>>,
    sent: RefCell<VecDeque<Sent>>,
}

impl Events {
    pub(super) fn connect(address: &Address, patience: Duration) -> Result<(Client, Self), StoreError> {
        let unavailable = |error: String| StoreError::Unavailable(format!("{address}: {error}"));
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| unavailable(error.to_string()))?;
        let runtime = Loop(Some(runtime));
        // Whoever takes the connection may say nothing after that.
        let connected = runtime.block_on(async { timeout(patience, address.connect()).await })?;
        let connected = connected.map_err(|_| unavailable(silent(patience)))?;
        let (client, wire) = connected.map_err(|error| unavailable(told(&error)))?;
        let (patience, wire) = (Cell::new(patience), RefCell::new(Some(wire)));
        Ok((client, Self { runtime, patience, wire, sent: RefCell::default() }))
    }

    /// From here on, so much silence is waited through.
    pub(super) fn be_patient(&self, patience: Duration) {
        self.patience.set(patience);
    }

    /// Requests whose answers nobody has seen yet.
    pub(super) fn unanswered(&self) -> usize {
        self.sent.borrow().len()
    }

    /// Whether the connection has not ended yet.
    pub(super) fn are_going_on(&self) -> bool {
        self.wire.borrow().is_some()
    }

    /// Puts a request behind those before it. Whoever waits next sends it on its way.
    pub(super) fn send(&self, mut sent: Sent) {
        // A request takes its place when it is polled first. One that cannot be sent is over with that.
        let over = sent.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        self.sent.borrow_mut().push_back(match over {
            Poll::Pending => sent,
            Poll::Ready(answer) => Box::pin(std::future::ready(answer)),
        });
    }

    /// Waits for an answer; and the first error of what was sent before it. Where nothing comes for too long, that is an error,
    /// and the connection is over.
    pub(super) fn wait<T>(&self, asked: impl Future<Output = T>) -> Result<(T, Option<Error>), StoreError> {
        let (mut asked, mut answer, mut before) = (pin!(asked), None, None);
        let patience = self.patience.get();
        let answer = self.runtime.block_on(async {
            let mut heard = Instant::now();
            let mut too_long = pin!(sleep_until(heard + patience));
            poll_fn(|cx| {
                if answer.is_none()
                    && let Poll::Ready(ready) = asked.as_mut().poll(cx)
                {
                    answer = Some(ready);
                }
                self.drive(cx);
                before = before.take().or(self.settle(cx));
                if answer.is_none()
                    && let Poll::Ready(ready) = asked.as_mut().poll(cx)
                {
                    answer = Some(ready);
                }
                if let Some(answer) = answer.take() {
                    return Poll::Ready(Some(answer));
                }
                // Whoever is woken by anything else was woken by the wire.
                if too_long.as_mut().poll(cx).is_pending() {
                    heard = Instant::now();
                    return Poll::Pending;
                }
                // It was set when the wait began; something may have come since.
                too_long.as_mut().reset(heard + patience);
                too_long.as_mut().poll(cx).map(|()| None)
            })
            .await
        })?;
        match answer {
            Some(answer) => Ok((answer, before)),
            None => {
                *self.wire.borrow_mut() = None;
                Err(StoreError::Unavailable(silent(patience)))
            }
        }
    }

    /// Takes what has come, and waits for nothing; the first error among it.
    pub(super) fn look(&self) -> Result<Option<Error>, StoreError> {
        self.runtime.block_on(async {
            // Once around the loop, so that it sees the socket.
            tokio::task::yield_now().await;
            poll_fn(|cx| {
                self.drive(cx);
                Poll::Ready(self.settle(cx))
            })
            .await
        })
    }

    /// Waits for what the server says without being asked; nothing once `stop` is done or the connection is over.
    pub(super) fn hear(&self, stop: impl Future<Output = ()>) -> Option<AsyncMessage> {
        let mut stop = pin!(stop);
        let heard = self.runtime.block_on(poll_fn(|cx| {
            if stop.as_mut().poll(cx).is_ready() {
                return Poll::Ready(None);
            }
            match self.wire.borrow_mut().as_mut() {
                Some(wire) => wire(cx).map(|said| said?.ok()),
                None => Poll::Ready(None),
            }
        }));
        heard.ok().flatten()
    }

    /// Writes what is to be written, reads what can be read.
    fn drive(&self, cx: &mut Context<'_>) {
        let mut wire = self.wire.borrow_mut();
        while let Some(going_on) = wire.as_mut() {
            match going_on(cx) {
                Poll::Pending => return,
                // Notices, and parameters of the session.
                Poll::Ready(Some(Ok(_))) => {}
                // Whoever waits for an answer on it hears that it is closed.
                Poll::Ready(Some(Err(_)) | None) => *wire = None,
            }
        }
    }

    /// Takes the answers to what was sent, in order; the first error among them.
    fn settle(&self, cx: &mut Context<'_>) -> Option<Error> {
        let mut first = None;
        let mut sent = self.sent.borrow_mut();
        while let Some(Poll::Ready(answer)) = sent.front_mut().map(|sent| sent.as_mut().poll(cx)) {
            sent.pop_front();
            first = first.or(answer.err());
        }
        first
    }
}

fn silent(patience: Duration) -> String {
    format!("PostgreSQL said nothing for {} s", patience.as_secs())
}

/// An event loop. Where it is dropped may be no place to wait for its end.
struct Loop(Option<Runtime>);

impl Loop {
    fn block_on<T>(&self, what: impl Future<Output = T>) -> Result<T, StoreError> {
        let ended = || StoreError::Unavailable("the connection's event loop has ended".into());
        Ok(self.0.as_ref().ok_or_else(ended)?.block_on(what))
    }
}

impl Drop for Loop {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}
