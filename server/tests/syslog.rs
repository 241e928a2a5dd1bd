//! The ledger in syslog.

use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use countersign_protocol::message::Decision;
use countersign_server::syslog::{Teller, Telling, line};
use countersign_server_core::store::Store;

use crate::fixture::Server;

/// What syslog is on a machine: a datagram socket.
struct Sink(UnixDatagram);

impl Sink {
    fn at(path: &Path) -> Self {
        let _earlier = std::fs::remove_file(path);
        let socket = UnixDatagram::bind(path).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        Self(socket)
    }

    fn next(&self) -> String {
        let mut datagram = vec![0; 64 * 1024];
        let length = self.0.recv(&mut datagram).unwrap();
        String::from_utf8(datagram[..length].to_vec()).unwrap()
    }

    fn is_quiet(&self) -> bool {
        self.0.set_read_timeout(Some(Duration::from_millis(1500))).unwrap();
        self.0.recv(&mut [0; 16]).is_err()
    }
}

fn store(server: &Server) -> Arc<dyn Store> {
    server.read_store()
}

/// Every entry as it must be told.
fn lines(server: &Server) -> Vec<String> {
    (0..).zip(server.entries()).map(|(place, entry)| line(place, &entry.to_bytes().unwrap())).collect()
}

fn until(what: &str, is: impl Fn() -> bool) {
    let begun = Instant::now();
    while !is() {
        assert!(begun.elapsed() < Duration::from_secs(60), "waited in vain until {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn every_committed_entry_reaches_syslog_in_order_and_once_also_over_a_restart() {
    let server = Server::new();
    let (host, _admin, ana) = server.with_ana();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    let sink = Sink::at(&path);
    let telling = Arc::new(Telling::default());
    let teller = Teller::begin(store(&server), &path, telling.clone()).unwrap();
    let before = lines(&server);
    for expected in &before {
        assert_eq!(sink.next(), *expected);
    }
    assert_eq!(host.log_in(&ana, "ana").decision, Decision::Allowed);
    let after = lines(&server);
    assert_eq!(sink.next(), after[before.len()]);
    drop(teller);
    // While nobody sends, and after that.
    assert_eq!(host.log_in(&ana, "root").decision, Decision::Denied);
    let _again = Teller::begin(store(&server), &path, telling.clone()).unwrap();
    assert_eq!(sink.next(), lines(&server)[after.len()]);
    until("nothing waits", || telling.backlog() == 0);
    assert!(sink.is_quiet());
}

#[test]
fn a_syslog_that_is_gone_holds_nobody_up_and_is_told_everything_later() {
    let server = Server::new();
    let (host, _admin, ana) = server.with_ana();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    let telling = Arc::new(Telling::default());
    let _teller = Teller::begin(store(&server), &path, telling.clone()).unwrap();
    until("it is said", || telling.trouble().is_some_and(|why| why.contains("No such file")));
    assert_eq!(host.log_in(&ana, "ana").decision, Decision::Allowed);
    let all = lines(&server);
    until("the new one waits, too", || telling.backlog() == all.len() as u64);
    let sink = Sink::at(&path);
    for expected in &all {
        assert_eq!(sink.next(), *expected);
    }
    until("nothing waits", || telling.backlog() == 0 && telling.trouble().is_none());
    // It is made anew, as syslog does when it is started again; an entry may come twice by that, and none is lost.
    drop(sink);
    let sink = Sink::at(&path);
    assert_eq!(host.log_in(&ana, "ana").decision, Decision::Allowed);
    assert_eq!(sink.next(), lines(&server)[all.len()]);
}

#[test]
fn of_two_processes_one_sends_and_the_other_goes_on_where_it_left() {
    let server = Server::new();
    let (host, _admin, ana) = server.with_ana();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    let sink = Sink::at(&path);
    let told: Vec<Arc<Telling>> = (0..2).map(|_| Arc::new(Telling::default())).collect();
    let first = Teller::begin(store(&server), &path, told[0].clone()).unwrap();
    let all = lines(&server);
    until("the first one has told all", || told[0].told() == all.len() as u64);
    let _second = Teller::begin(store(&server), &path, told[1].clone()).unwrap();
    until("the second one stands aside", || told[1].is_aside());
    assert_eq!(host.log_in(&ana, "ana").decision, Decision::Allowed);
    for expected in lines(&server) {
        assert_eq!(sink.next(), expected);
    }
    drop(first);
    assert_eq!(host.log_in(&ana, "ana").decision, Decision::Allowed);
    assert_eq!(sink.next(), lines(&server)[all.len() + 1]);
    assert!(sink.is_quiet());
}

#[test]
fn a_process_whose_syslog_is_broken_leaves_it_to_one_whose_is_not() {
    let server = Server::new();
    let folder = tempfile::tempdir().unwrap();
    let sink = Sink::at(&folder.path().join("log"));
    let told: Vec<Arc<Telling>> = (0..2).map(|_| Arc::new(Telling::default())).collect();
    let _broken = Teller::begin(store(&server), &folder.path().join("none"), told[0].clone()).unwrap();
    until("it is said", || told[0].trouble().is_some());
    let _sound = Teller::begin(store(&server), &folder.path().join("log"), told[1].clone()).unwrap();
    until("the second one stands aside", || told[1].is_aside());
    for expected in lines(&server) {
        assert_eq!(sink.next(), expected);
    }
    until("the first one stands aside", || told[0].is_aside());
}
