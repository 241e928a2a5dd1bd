//! What whoever watches over the server is told: figures, and lines of the log.

use std::collections::BTreeMap;
use std::process::Command;
use std::sync::Arc;

use countersign_protocol::clock::{Clock as _, SystemClock};

use crate::client::carrier::{Http, exchange};
use crate::client::newcomer::Newcomer;
use crate::client::person::Person;
use crate::fixture::register;
use crate::program::{BINARY, Made, Program, get, init, post};

/// A server with one host and its administrator, who has logged in.
struct Watched {
    made: Made,
    program: Program,
    private: u16,
    secrets: Vec<String>,
}

fn watched(log: &str) -> Watched {
    let made = init();
    made.configure(&format!(
        "[metrics]\nlisten = \"127.0.0.1:0\"\n[log]\nformat = \"{log}\"\n[limits]\nstrangers_per_minute = 10\nhosts_per_second = 5\n"
    ));
    let mut program = Program::start_logged(&made.config, &made.data.join("log"));
    let private = program.metrics_port();
    let carrier = Arc::new(Http { port: program.port });
    let host = Newcomer::new(&made.bundle, carrier, Arc::new(SystemClock)).enrol(Some(&made.token));
    let admin = Person::new("admin", SystemClock.now());
    register(&host, &admin, &made.code);
    let _reply = host.job(&admin, "open-session", "login/root", None);
    let secrets = vec![made.code.clone(), made.token.clone(), "admin".into(), "127.0.0.1".into()];
    Watched { made, program, private, secrets }
}

/// Name with labels, and value. Panics at what is no OpenMetrics text.
fn parsed(text: &str) -> BTreeMap<String, f64> {
    assert!(text.ends_with("# EOF\n"), "{text}");
    let mut types = BTreeMap::new();
    let mut samples = BTreeMap::new();
    for line in text.lines() {
        let words: Vec<&str> = line.splitn(4, ' ').collect();
        match words.as_slice() {
            ["#", "EOF"] => {}
            ["#", "TYPE", name, kind] => {
                assert!(["counter", "gauge", "histogram", "info"].contains(kind), "{line}");
                assert!(types.insert((*name).to_owned(), (*kind).to_owned()).is_none(), "{line}");
            }
            ["#", "HELP" | "UNIT", ..] => {}
            _ => {
                let (name, value) = line.rsplit_once(' ').unwrap();
                let base = name.split('{').next().unwrap();
                assert!(types.keys().any(|known| base.starts_with(known.as_str())), "{line}");
                assert!(samples.insert(name.to_owned(), value.parse().unwrap()).is_none(), "{line}");
            }
        }
    }
    samples
}

#[test]
fn a_running_server_is_scraped_and_what_it_says_can_be_read_and_names_nobody() {
    let Watched { program, private, secrets, .. } = watched("text");
    assert_eq!(post(program.port, b"garbage").status, 400);
    let answer = get(private, "/metrics");
    assert_eq!(answer.status, 200);
    assert!(answer.head.contains("application/openmetrics-text"), "{}", answer.head);
    let text = String::from_utf8(answer.body).unwrap();
    let samples = parsed(&text);
    let of = |name: &str| *samples.get(name).unwrap_or_else(|| panic!("no {name} in {text}"));
    assert_eq!(of("countersign_requests_total{reply=\"JobReply\",outcome=\"answered\"}"), 1.0);
    assert_eq!(of("countersign_requests_total{reply=\"-\",outcome=\"refused\"}"), 1.0);
    assert_eq!(of("countersign_refusals_total{class=\"malformed\"}"), 1.0);
    assert_eq!(of("countersign_request_seconds_count{reply=\"JobReply\"}"), 1.0);
    assert!(of("countersign_request_seconds_sum{reply=\"JobReply\"}") > 0.0);
    assert!(of("countersign_ledger_entries") >= 4.0);
    assert_eq!(
        (of("countersign_ready"), of("countersign_queue"), of("countersign_watches")),
        (1.0, 0.0, 0.0)
    );
    assert_eq!(of("countersign_tls_certificate_expiry_timestamp_seconds"), 0.0);
    for secret in &secrets {
        assert!(!text.contains(secret.as_str()), "{secret} is in {text}");
    }
    assert_eq!(get(program.port, "/metrics").status, 404, "hosts have no business with them");
    assert_eq!(post(private, b"garbage").status, 404, "and envelopes none there");
}

#[test]
fn without_an_address_of_their_own_there_are_no_metrics() {
    let program = Program::start(&init().config, &[]);
    assert_eq!(get(program.port, "/metrics").status, 404);
}

#[test]
fn every_line_about_a_request_has_a_correlation_id_and_none_a_secret() {
    let Watched { made, program, secrets, .. } = watched("json");
    let answers: Vec<_> = (0..20).map(|_| post(program.port, b"garbage")).collect();
    let turned = answers.iter().find(|answer| answer.status == 429).unwrap();
    let quoted = turned.head.lines().find_map(|line| line.strip_prefix("countersign-correlation: ")).unwrap();
    let log = std::fs::read_to_string(made.data.join("log")).unwrap();
    let lines: Vec<serde_json::Value> =
        log.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}"))).collect();
    assert!(lines.len() > 20);
    for line in &lines {
        assert!(line["correlation"].as_str().is_some_and(|id| !id.is_empty()), "{line}");
        assert_eq!(line["address"], "127.0.0.1");
    }
    let with = |outcome: &str| lines.iter().filter(|line| line["outcome"] == outcome).count();
    assert!(with("answered") > 4 && with("refused") > 1 && with("turned-away") > 1);
    assert!(lines.iter().any(|line| line["correlation"] == quoted && line["level"] == "warning"));
    for secret in secrets.iter().take(2) {
        assert!(!log.contains(secret.as_str()));
    }
}

#[test]
fn a_proxy_of_ours_is_believed_about_the_address_and_nobody_else() {
    let limits = "[limits]\nstrangers_per_minute = 2\n";
    let forwarded = |port: u16, from: &str| {
        let head = format!(
            "POST /v1/messages HTTP/1.1\r\nHost: l\r\nX-Forwarded-For: {from}\r\nContent-Length: 1\r\nConnection: close\r\n\r\nx"
        );
        exchange(port, head.as_bytes()).unwrap().status
    };
    let alone = init();
    alone.configure(limits);
    let program = Program::start(&alone.config, &[]);
    let made_up = ["198.51.100.1", "198.51.100.2", "198.51.100.3"].map(|from| forwarded(program.port, from));
    assert_eq!(made_up, [400, 400, 429], "a stranger's header changes nothing");

    let behind = init();
    behind.configure(&format!("[proxy]\ntrusted = [\"127.0.0.1\"]\n{limits}"));
    let program = Program::start(&behind.config, &[]);
    let flood = [(); 3].map(|()| forwarded(program.port, "203.0.113.9, 198.51.100.1"));
    assert_eq!(flood, [400, 400, 429]);
    assert_eq!(forwarded(program.port, "198.51.100.2"), 400, "a flood of one keeps no other out");
    assert_eq!(
        forwarded(program.port, "198.51.100.2, 198.51.100.1"),
        429,
        "what was claimed before is not believed"
    );
}

#[test]
fn systemd_is_told_when_the_server_is_ready_lives_reloads_and_stops() {
    let made = init();
    let path = made.data.join("notify");
    let socket = std::os::unix::net::UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(std::time::Duration::from_secs(60))).unwrap();
    let mut command = Command::new(BINARY);
    command
        .args(["serve", "--config"])
        .arg(&made.config)
        .env("NOTIFY_SOCKET", &path)
        .env("WATCHDOG_USEC", "400000");
    let mut program = Program::spawn(&mut command);
    let heard = || {
        let mut datagram = [0; 64];
        let length = socket.recv(&mut datagram).unwrap();
        String::from_utf8(datagram[..length].to_vec()).unwrap()
    };
    assert_eq!(heard(), "READY=1");
    assert_eq!(heard(), "WATCHDOG=1");
    program.signal(nix::sys::signal::Signal::SIGHUP);
    let until = |wanted: &str| (0..50).any(|_| heard() == wanted);
    assert!(until("RELOADING=1") && until("READY=1") && until("WATCHDOG=1"));
    program.signal(nix::sys::signal::Signal::SIGTERM);
    assert!(until("STOPPING=1"));
    assert!(program.ends());
}
