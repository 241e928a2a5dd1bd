//! What the server looks after by itself while it serves: its TLS files, what ends soon, and systemd's question whether
//! it lives.

use std::sync::Arc;
use std::time::Duration;

use countersign_protocol::clock::{Clock as _, SystemClock, Timestamp};
use countersign_server_core::audit::Finding;
use countersign_server_core::core::Core;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior, interval_at};

use super::{Edge, Stopping};
use crate::log::{Level, Log};
use crate::notify;
use crate::own_keys::Primary;
use crate::tls::Renewed;

/// How often files are looked at.
const LOOK: Duration = Duration::from_secs(5);

/// How often the tables are compared with the ledger. The first time is before the start.
const AUDIT: Duration = Duration::from_secs(600);

/// How soon that is tried again where it could not be done.
const AUDIT_AGAIN: Duration = Duration::from_secs(60);

/// How long and how often the first time is tried where it could not be done, before anybody is answered.
const PATIENCE: Duration = Duration::from_secs(60);
const SOON: Duration = Duration::from_secs(2);

/// How often it is said that the first time goes on still.
const PROGRESS: Duration = Duration::from_secs(10);

/// How often that is done with the whole ledger, and not with what is new: by one of the servers on a database.
const WHOLE_AUDIT: Duration = Duration::from_secs(24 * 3600);

/// How often what ends soon is said again.
const REMIND: Duration = Duration::from_secs(24 * 3600);

/// Edited rows that are named.
const SHOWN: usize = 20;

/// How long before its end a TLS certificate should have been renewed, in seconds: those that are renewed by themselves
/// are renewed earlier.
const TLS_ENDS_SOON: i64 = 14 * 86_400;

/// Until the server stops.
pub(super) async fn keep(edge: Edge, stopping: Stopping) {
    let mut hangups = signal(SignalKind::hangup()).ok();
    let mut looks = every(LOOK);
    let mut reminders = every(REMIND);
    let mut audits = every(AUDIT);
    let mut failed_audits = every(AUDIT_AGAIN);
    let mut auditing: Option<JoinHandle<bool>> = None;
    let mut signs = notify::watchdog().map(every);
    remind(&edge);
    loop {
        tokio::select! {
            () = stopping.begun() => break,
            _ = looks.tick() => {
                forget(&edge);
                look(&edge, false).await;
                keep_keys(&edge).await;
            }
            _ = audits.tick(), if is_over(auditing.as_ref()) => {
                auditing = Some(audit(edge.door.core(), edge.log, Some(WHOLE_AUDIT)));
            }
            _ = failed_audits.tick(), if is_over(auditing.as_ref()) => {
                if edge.door.core().verdict().failure().is_some() {
                    auditing = Some(audit(edge.door.core(), edge.log, Some(WHOLE_AUDIT)));
                }
            }
            _ = reminders.tick() => remind(&edge),
            () = hung_up(&mut hangups) => {
                notify::tell("RELOADING=1");
                look(&edge, true).await;
                keep_keys(&edge).await;
                notify::tell("READY=1");
            }
            () = due(&mut signs) => {
                // A thread that may block lives too, or nobody is answered.
                if tokio::task::spawn_blocking(|| ()).await.is_ok() {
                    notify::tell("WATCHDOG=1");
                }
            }
        }
    }
    notify::tell("STOPPING=1");
}

/// What is no reason not to serve, yet.
pub(super) fn warnings(edge: &Edge) -> Vec<String> {
    let now = SystemClock.now();
    let tls =
        edge.tls.as_ref().and_then(|tls| ends_soon("the TLS certificate", tls.expires(), TLS_ENDS_SOON, now));
    let chain = edge.tls.as_ref().and_then(|tls| tls.chain_expires());
    let chain =
        chain.and_then(|at| ends_soon("a certificate behind it in the TLS file", at, TLS_ENDS_SOON, now));
    let verdict = edge.door.core().verdict();
    let edited = verdict.findings().into_iter().take(SHOWN).map(|found| {
        let Finding { row, what } = found;
        format!("the database was edited: {row}: {what}; look into it with: countersign-server check")
    });
    let unaudited =
        verdict.failure().map(|why| format!("the database could not be compared with the ledger: {why}"));
    let untold = edge.telling.trouble().map(|why| {
        let waiting = edge.telling.backlog();
        format!("syslog takes nothing, {waiting} entries of the ledger wait for it: {why}")
    });
    tls.into_iter()
        .chain(chain)
        .chain(edge.door.keys_end().1)
        .chain(edited)
        .chain(unaudited)
        .chain(untold)
        .collect()
}

fn ends_soon(what: &str, at: Timestamp, soon: i64, now: Timestamp) -> Option<String> {
    let left = at.seconds_since(now);
    match left {
        _ if left > soon => None,
        _ if left <= 0 => Some(format!("{what} ended at {at}; renew it")),
        _ => Some(format!("{what} ends at {at}; renew it")),
    }
}

/// Compares the tables with what is new in the ledger before anybody is answered, so that nothing goes by a row that was edited
/// while the server stood still. After a start or an update that has much to read, it says that it lives. A database that is
/// busy is waited for: another server may be writing what it read first.
pub async fn first_audit(core: &Arc<Core>, log: Log) {
    let began = Instant::now();
    let mut told = every(PROGRESS);
    let mut audited = std::pin::pin!(async {
        while !audit(core, log, None).await.unwrap_or(true) && began.elapsed() < PATIENCE {
            tokio::time::sleep(SOON).await;
        }
    });
    loop {
        tokio::select! {
            () = &mut audited => break,
            _ = told.tick() => {
                notify::tell("EXTEND_TIMEOUT_USEC=60000000");
                let so_far = began.elapsed().as_secs();
                log.note(Level::Info, &format!("the database is compared with the ledger: {so_far} s so far"));
            }
        }
    }
}

fn is_over(audit: Option<&JoinHandle<bool>>) -> bool {
    audit.is_none_or(JoinHandle::is_finished)
}

/// On a thread of its own. Whether it is done: it came to an end, or failed for something that does not pass.
fn audit(core: &Arc<Core>, log: Log, whole: Option<Duration>) -> JoinHandle<bool> {
    let core = core.clone();
    tokio::task::spawn_blocking(move || match core.audit(whole) {
        Ok(report) => {
            for Finding { row, what } in report.unheard {
                log.note(Level::Error, &format!("ALARM: the database was edited: {row}: {what}"));
            }
            true
        }
        Err(failure) => {
            log.note(Level::Error, &format!("the database could not be compared with the ledger: {failure}"));
            failure.is_damage()
        }
    })
}

/// What came of jobs, and what ends by itself. On a thread of its own, too: there may be much.
fn forget(edge: &Edge) {
    let (core, log) = (edge.door.core().clone(), edge.log);
    tokio::task::spawn_blocking(move || {
        if let Err(failure) = core.record_jobs() {
            log.note(
                Level::Error,
                &format!("what came of jobs could not be written into the ledger: {failure}"),
            );
        }
        if let Err(failure) = core.forget() {
            log.note(Level::Error, &format!("what can no longer come again could not be deleted: {failure}"));
        }
    });
}

fn remind(edge: &Edge) {
    for warning in warnings(edge) {
        edge.log.note(Level::Warning, &warning);
    }
}

async fn look(edge: &Edge, asked: bool) {
    let Some(tls) = edge.tls.clone() else { return };
    match tokio::task::spawn_blocking(move || tls.renew(asked, SystemClock.now())).await {
        Ok(Renewed::Same) | Err(_) => {}
        Ok(Renewed::Yes(until)) => {
            edge.log
                .note(Level::Info, &format!("new connections use the TLS certificate that ends at {until}"));
        }
        Ok(Renewed::No(error)) => {
            edge.log
                .note(Level::Error, &format!("the new TLS files are not used, the old ones stay: {error}"));
        }
    }
}

/// What is due for the server's own subkeys. What stands in the way is said again when it is tried again: rarely enough.
async fn keep_keys(edge: &Edge) {
    let (door, care) = (edge.door.clone(), edge.keys.clone());
    let kept = tokio::task::spawn_blocking(move || {
        let primary = || {
            let primary = Primary::read(&care.folder).ok()?;
            primary.has_secret().then(|| primary.certificate().clone())
        };
        door.keep_keys(primary, care.rotate_days)
    });
    match kept.await {
        Ok(Ok(None)) | Err(_) => {}
        Ok(Ok(Some(done))) => edge.log.note(Level::Info, done),
        Ok(Err(failure)) => edge.log.note(Level::Error, &failure.to_string()),
    }
}

/// Ticks, the first time after one period.
pub(crate) fn every(period: Duration) -> tokio::time::Interval {
    let mut ticks = interval_at(Instant::now() + period, period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}

async fn hung_up(hangups: &mut Option<Signal>) {
    match hangups {
        Some(hangups) => {
            let _signal = hangups.recv().await;
        }
        None => std::future::pending().await,
    }
}

/// The next tick; never where there are none.
pub(crate) async fn due(signs: &mut Option<tokio::time::Interval>) {
    match signs {
        Some(signs) => {
            let _tick = signs.tick().await;
        }
        None => std::future::pending().await,
    }
}
