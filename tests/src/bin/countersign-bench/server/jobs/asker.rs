//! Clients that each ask for one thing after another over a connection that stays open, fetch what came of it as an agent does, open
//! it, and say that they have it.

use std::time::{Duration, Instant};

use countersign_protocol::certificate::Pinned;
use countersign_protocol::clock::{Clock as _, SystemClock};
use countersign_protocol::envelope::{self, Opening, Sealed, Verified, open_from_card};
use countersign_protocol::ids::MessageId;
use countersign_protocol::message::result::DocumentShown;
use countersign_protocol::message::{
    Body, JobReply, JobResultReply, JobResultRequest, JobStanding, Message, ResultAck, ResultAckReply,
};
use countersign_protocol::random::SystemRandom;
use countersign_tests::Trouble;

use super::super::clients::Line;
use super::super::failed;
use super::super::keys::Host;
use super::super::site::Site;
use super::super::slice::over_the_wire;
use super::slice::Request;

/// How long an agent waits before it asks again, at first and at most: `agent/src/job/outcome.rs`.
const FIRST: Duration = Duration::from_millis(30);
const LONGEST: Duration = Duration::from_secs(1);

/// What came of a slice.
#[derive(Default)]
pub(super) struct Sent {
    /// From the first request to the last acknowledgement, in seconds.
    pub(super) took: f64,
    /// Of each job.
    pub(super) trips: Vec<Duration>,
    pub(super) fetches: u64,
    /// Processor time of the clients, in seconds.
    pub(super) cpu: f64,
}

impl Sent {
    pub(super) fn add(&mut self, other: Self) {
        self.took += other.took;
        self.trips.extend(other.trips);
        self.fetches += other.fetches;
        self.cpu += other.cpu;
    }
}

/// Each client sends its own, one after the other.
pub(super) fn send(site: &Site, slices: &[Vec<Request>]) -> Result<Sent, Trouble> {
    let began = Instant::now();
    let mut all = Sent::default();
    std::thread::scope(|scope| {
        let clients: Vec<_> = slices.iter().map(|slice| scope.spawn(|| one(site, slice))).collect();
        for client in clients {
            all.add(client.join().map_err(|_| failed("a client died"))??);
        }
        Ok::<(), Trouble>(())
    })?;
    Ok(Sent { took: began.elapsed().as_secs_f64(), ..all })
}

fn one(site: &Site, requests: &[Request]) -> Result<Sent, Trouble> {
    let mut line = Line::to(site.address())?;
    let mut sent = Sent::default();
    for request in requests {
        let host = site.hosts.get(request.host).ok_or_else(|| failed("the host is gone"))?;
        let mut asker = Asker { site, host, me: pinned(host)?, line: &mut line, fetches: 0 };
        let began = Instant::now();
        asker.run(request)?;
        sent.trips.push(began.elapsed());
        sent.fetches += asker.fetches;
    }
    sent.cpu = thread_cpu()?;
    Ok(sent)
}

struct Asker<'a> {
    site: &'a Site,
    host: &'a Host,
    me: Pinned,
    line: &'a mut Line,
    fetches: u64,
}

impl Asker<'_> {
    fn run(&mut self, request: &Request) -> Result<(), Trouble> {
        let reply: JobReply = self.exchange(&request.sealed)?.body().map_err(failed)?;
        let job = reply.job.ok_or_else(|| failed(format!("a job was denied: {}", reply.reason)))?.job;
        let mut pause = FIRST;
        let (fetch, reply) = loop {
            let fetch = self.seal(&JobResultRequest { job })?;
            let reply: JobResultReply = self.exchange(&fetch)?.body().map_err(failed)?;
            self.fetches += 1;
            if reply.standing != JobStanding::Queued {
                break (fetch, reply);
            }
            std::thread::sleep(pause);
            pause = (pause * 2).min(LONGEST);
        };
        if reply.standing != JobStanding::Done {
            return Err(failed(format!("a job was not done: {}", reply.reason)));
        }
        if request.is_read {
            let sealed = reply.sealed.ok_or_else(|| failed("nothing was sealed to the card"))?;
            let person = self.site.people.get(request.person).ok_or_else(|| failed("nobody has the card"))?;
            let plain = open_from_card(&sealed.0, &mut person.decryptor()).map_err(failed)?;
            let shown: DocumentShown = serde_json::from_slice(&plain).map_err(failed)?;
            if shown.version != 2 {
                return Err(failed("another version was read than was made"));
            }
        }
        let said = self.seal(&ResultAck { job, fetch: fetch.id() })?;
        let ResultAckReply {} = self.exchange(&said)?.body().map_err(failed)?;
        Ok(())
    }

    fn seal<B: Body>(&self, body: &B) -> Result<Sealed, Trouble> {
        let (now, id) = (SystemClock.now(), MessageId::new(&SystemRandom).map_err(failed)?);
        let message = Message::new(id, now, self.site.fingerprint.clone(), body).map_err(failed)?;
        envelope::seal(&message, vec![self.host.signer()], &self.site.server, now).map_err(failed)
    }

    fn exchange(&mut self, sealed: &Sealed) -> Result<Verified, Trouble> {
        let bytes = self.line.ask(&over_the_wire(sealed))?;
        let (me, decryptors, now) = (&self.me, &self.host.decryptors, SystemClock.now());
        let opened = envelope::open(bytes, Opening { me, decryptors, keyring: &self.site.server, now });
        opened.and_then(|opened| opened.answering(sealed, &self.site.fingerprint)).map_err(failed)
    }
}

fn pinned(host: &Host) -> Result<Pinned, Trouble> {
    Pinned::of(&host.cert, SystemClock.now()).map_err(failed)
}

/// What this thread has used so far, in seconds.
fn thread_cpu() -> Result<f64, Trouble> {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").map_err(failed)?;
    let nanoseconds = stat.split_whitespace().next().and_then(|first| first.parse::<f64>().ok());
    nanoseconds.map(|nanoseconds| nanoseconds / 1e9).ok_or_else(|| failed("no times in /proc"))
}
