//! The real program: its arguments, its exit codes, its HTTP.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;
use std::time::Duration;

use countersign_protocol::certificate;
use countersign_protocol::clock::{Clock as _, SystemClock};
use countersign_protocol::ledger::{EntryKind, ExportWriter, Trust, detail, verify_export};
use countersign_protocol::message::result::{ApplicationBundle, LedgerPage};
use countersign_protocol::message::{Decision, InstanceState, JobRequest};
use countersign_server::data::DataFolder;

use crate::client::carrier::{Answer, Http, exchange};
use crate::client::host::Registered;
use crate::client::newcomer::Newcomer;
use crate::client::person::Person;
use crate::client::refusal;
use crate::database::{Fresh, Intruder};
use crate::fixture::{entries, register};

/// A running `countersign-server`. Killed when dropped.
pub(crate) struct Program {
    child: Child,
    pub(crate) port: u16,
    /// What it says on standard output after the first line.
    said: BufReader<std::process::ChildStdout>,
}

pub(crate) const BINARY: &str = env!("CARGO_BIN_EXE_countersign-server");

pub(crate) fn run(arguments: &[&str]) -> Output {
    Command::new(BINARY).args(arguments).output().unwrap()
}

/// `init` in a new folder. The port in the URL says nothing: tests listen on any free one.
pub(crate) struct Made {
    pub(crate) _root: (tempfile::TempDir, Fresh),
    pub(crate) data: PathBuf,
    pub(crate) config: PathBuf,
    pub(crate) code: String,
    pub(crate) token: String,
    pub(crate) ledger_key: String,
    pub(crate) bundle: ApplicationBundle,
}

pub(crate) fn init() -> Made {
    let (root, database) = (tempfile::tempdir().unwrap(), Fresh::make());
    let data = root.path().join("data");
    let path = data.to_str().unwrap();
    let more = database.arguments();
    let mut arguments = vec![
        "init",
        "--data",
        path,
        "--url",
        "http://127.0.0.1:8443",
        "--listen",
        "127.0.0.1:0",
        "--login",
        "root",
    ];
    arguments.extend(more.iter().map(String::as_str));
    let output = run(&arguments);
    assert!(output.status.success(), "{output:?}");
    let told = String::from_utf8(output.stdout).unwrap();
    let field = |name: &str| {
        let line = told.lines().find(|line| line.starts_with(name)).unwrap();
        line[name.len()..].trim().split("   ").next().unwrap().to_owned()
    };
    let bundle = std::fs::read(field("Application bundle:")).unwrap();
    Made {
        config: data.join("server.toml"),
        code: field("Registration code:"),
        token: field("Enrolment token:"),
        ledger_key: field("Ledger key:"),
        bundle: serde_json::from_slice(&bundle).unwrap(),
        data,
        _root: (root, database),
    }
}

impl Made {
    /// Writes more into the configuration file.
    pub(crate) fn configure(&self, section: &str) {
        let text = std::fs::read_to_string(&self.config).unwrap();
        std::fs::write(&self.config, format!("{text}\n{section}")).unwrap();
    }
}

impl Program {
    pub(crate) fn start(config: &Path, more: &[&str]) -> Self {
        Self::spawn(
            Command::new(BINARY).args(["serve", "--config"]).arg(config).args(more).stderr(Stdio::null()),
        )
    }

    /// One that may not come up.
    pub(crate) fn try_start(config: &Path) -> Option<Self> {
        let mut command = Command::new(BINARY);
        command.args(["serve", "--config"]).arg(config).stderr(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut said = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        said.read_line(&mut line).unwrap();
        let Ok(port) = line.trim().rsplit(':').next().unwrap().parse() else {
            let _reaped = child.wait();
            return None;
        };
        Some(Self { child, port, said })
    }

    /// One whose log is written to a file.
    pub(crate) fn start_logged(config: &Path, log: &Path) -> Self {
        let log = std::fs::File::create(log).unwrap();
        Self::spawn(Command::new(BINARY).args(["serve", "--config"]).arg(config).stderr(log))
    }

    pub(crate) fn spawn(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut said = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        said.read_line(&mut line).unwrap();
        let port =
            line.trim().rsplit(':').next().unwrap().parse().unwrap_or_else(|_| panic!("said {line:?}"));
        Self { child, port, said }
    }

    /// The port of the second address, where there is one.
    pub(crate) fn metrics_port(&mut self) -> u16 {
        let mut line = String::new();
        self.said.read_line(&mut line).unwrap();
        let port = line.trim().strip_prefix("metrics on http://127.0.0.1:").unwrap();
        port.strip_suffix("/metrics").unwrap().parse().unwrap()
    }

    /// A line of its `/proc/PID/status`, as a number.
    pub(crate) fn status(&self, name: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with(name)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }

    pub(crate) fn signal(&self, signal: nix::sys::signal::Signal) {
        let pid = nix::unistd::Pid::from_raw(self.child.id().try_into().unwrap());
        nix::sys::signal::kill(pid, signal).unwrap();
    }

    pub(crate) fn is_over(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Whether it ends by itself within a moment: its sockets close a little before it is gone.
    pub(crate) fn ends(&mut self) -> bool {
        (0..200).any(|_| {
            std::thread::sleep(Duration::from_millis(10));
            self.is_over()
        })
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}

pub(crate) fn get(port: u16, path: &str) -> Answer {
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    exchange(port, request.as_bytes()).unwrap()
}

pub(crate) fn post(port: u16, body: &[u8]) -> Answer {
    let head = format!(
        "POST /v1/messages HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    exchange(port, &[head.as_bytes(), body].concat()).unwrap()
}

pub(crate) fn fails(arguments: &[&str], code: i32, says: &[&str]) {
    let output = run(arguments);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {said}");
    for part in says {
        assert!(said.contains(part), "{arguments:?} did not say {part:?}: {said}");
    }
}

#[test]
fn init_refuses_a_folder_with_anything_in_it() {
    let made = init();
    let data = made.data.to_str().unwrap();
    let before = std::fs::read(made.data.join("server.key")).unwrap();
    fails(&["init", "--data", data, "--url", "http://x:1"], 4, &[data, "is not empty"]);
    assert_eq!(std::fs::read(made.data.join("server.key")).unwrap(), before);
}

#[test]
fn every_file_of_init_is_private() {
    use std::os::unix::fs::MetadataExt as _;
    let made = init();
    assert_eq!(std::fs::metadata(&made.data).unwrap().mode() & 0o777, 0o700);
    for file in std::fs::read_dir(&made.data).unwrap() {
        let file = file.unwrap();
        // All but what anybody may know.
        let wanted = if file.file_name() == "ledger.pub" { 0o644 } else { 0o600 };
        assert_eq!(file.metadata().unwrap().mode() & 0o777, wanted, "{}", file.path().display());
    }
}

#[test]
fn every_bad_argument_and_file_is_told_with_what_next() {
    use std::os::unix::fs::PermissionsExt as _;
    let made = init();
    let config = made.config.to_str().unwrap();
    assert!(run(&["config", "check", "--config", config]).status.success());

    fails(&["init", "--data", "/nowhere"], 2, &["--url"]);
    fails(&["init", "--data", "/nowhere", "--url", "example.org"], 2, &["http://HOST:PORT"]);
    fails(&["serve", "--config", "/nowhere/server.toml"], 3, &["/nowhere/server.toml", "init"]);

    let text = std::fs::read_to_string(&made.config).unwrap();
    let wrong = made.data.join("wrong.toml");
    let wrong_path = wrong.to_str().unwrap();
    std::fs::write(&wrong, format!("{text}[limits]\nqueu = 3\n")).unwrap();
    fails(&["serve", "--config", wrong_path], 3, &[wrong_path, "line ", "queu", "expected one of"]);
    std::fs::write(&wrong, text.replace("127.0.0.1:0", "localhost")).unwrap();
    fails(&["serve", "--config", wrong_path], 3, &["line ", "listen"]);
    std::fs::write(&wrong, text.replace(made.data.to_str().unwrap(), "/nowhere")).unwrap();
    fails(&["serve", "--config", wrong_path], 4, &["/nowhere", "does not exist", "init"]);

    let key = made.data.join("server.key");
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).unwrap();
    fails(&["serve", "--config", config], 4, &["server.key", "0644", "chmod 600"]);
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).unwrap();
    std::fs::set_permissions(&made.data, std::fs::Permissions::from_mode(0o755)).unwrap();
    fails(&["config", "check", "--config", config], 4, &["0755", "chmod 700"]);
    std::fs::set_permissions(&made.data, std::fs::Permissions::from_mode(0o700)).unwrap();

    let running = Program::start(&made.config, &[]);
    std::fs::write(&wrong, text.replace("127.0.0.1:0", &format!("127.0.0.1:{}", running.port))).unwrap();
    fails(&["serve", "--config", wrong_path], 5, &["cannot listen", "another server"]);
    let help = String::from_utf8(run(&["--help"]).stdout).unwrap();
    assert!(help.contains("Exit codes:") && help.contains("  5  "), "{help}");
}

#[test]
fn init_says_what_the_ledger_is_checked_with() {
    let made = init();
    let kept = std::fs::read_to_string(made.data.join("ledger.key")).unwrap();
    assert_eq!(kept.lines().nth(1), Some(made.ledger_key.as_str()));
    let public = std::fs::read_to_string(made.data.join("ledger.pub")).unwrap();
    assert_eq!(public, format!("{}\n", made.ledger_key));
}

#[test]
fn a_new_code_on_the_servers_machine_is_for_the_first_administrator_without_a_key() {
    let made = init();
    let config = made.config.to_str().unwrap();
    let invite = ["invite", "--config", config, "admin"];
    fails(&["invite", "--config", config, "eve"], 1, &["eve is not the account", "(admin)"]);
    let output = run(&invite);
    assert!(output.status.success(), "{output:?}");
    let told = String::from_utf8(output.stdout).unwrap();
    let line = told.lines().find_map(|line| line.strip_prefix("Registration code:")).unwrap();
    let code = line.trim().split("   ").next().unwrap();
    assert_ne!(code, made.code);

    // The server may run meanwhile.
    let program = Program::start(&made.config, &[]);
    let carrier = Arc::new(Http { port: program.port });
    let host = Newcomer::new(&made.bundle, carrier, Arc::new(SystemClock)).enrol(Some(&made.token));
    let admin = Person::new("admin", SystemClock.now());
    assert!(matches!(host.register(&admin, &made.code).unwrap(), Registered::WrongCode));
    register(&host, &admin, code);
    fails(&invite, 1, &["has its key already"]);
    let noted: Vec<_> = entries(&DataFolder::at(made.data.clone()))
        .into_iter()
        .filter(|entry| entry.kind == EntryKind::Bootstrap)
        .collect();
    assert_eq!(noted.len(), 2);
    assert!(noted[1].reason.contains("new code"));
}

#[test]
fn the_only_administrator_whose_card_is_lost_gets_another_on_the_servers_machine() {
    let made = init();
    let program = Program::start(&made.config, &[]);
    let carrier = Arc::new(Http { port: program.port });
    let host = Newcomer::new(&made.bundle, carrier, Arc::new(SystemClock)).enrol(Some(&made.token));
    let lost = Person::new("admin", SystemClock.now());
    register(&host, &lost, &made.code);
    let body = br#"{"logins":["ana"],"roles":["user"]}"#;
    assert_eq!(host.job(&lost, "create", "account/ana", Some(body)).decision, Decision::Allowed);

    let config = made.config.to_str().unwrap();
    for nobody in ["ana", "eve"] {
        fails(&["invite", "--config", config, "--replace-key", nobody], 1, &["is no administrator's"]);
    }
    let replace = ["invite", "--config", config, "--replace-key", "admin"];
    let output = run(&replace);
    assert!(output.status.success(), "{output:?}");
    // The lost card is worth nothing from now on; whoever has it is an alarm.
    let statement = host.session(&lost, "admin");
    let body = JobRequest { signed: lost.sign(&statement), body: None };
    let sealed = host.seal(&host.message(&body));
    refusal(&host.send(&sealed), &host.server, &sealed);
    // Its code got lost too: another one, and nothing is revoked.
    let told = String::from_utf8(run(&replace).stdout).unwrap();
    assert!(!told.contains("Revoked"), "{told}");
    let line = told.lines().find_map(|line| line.strip_prefix("Registration code:")).unwrap();
    let code = line.trim().split("   ").next().unwrap();
    let admin = Person::new("admin", SystemClock.now());
    register(&host, &admin, code);
    let body = br#"{"logins":["ben"],"roles":["user"]}"#;
    assert_eq!(host.job(&admin, "create", "account/ben", Some(body)).decision, Decision::Allowed);

    let key = certificate::fingerprint(&lost.cert).unwrap();
    let alarms: Vec<_> = entries(&DataFolder::at(made.data.clone()))
        .into_iter()
        .filter(|entry| entry.kind == EntryKind::Alarm && entry.reason.contains("the server's own machine"))
        .collect();
    assert_eq!(alarms.len(), 2);
    assert_eq!(alarms[0].detail[detail::REVOKED_KEY], key.to_string());
    let body = serde_json::to_vec(&serde_json::json!({"from": 0})).unwrap();
    let reply = host.job(&admin, "read", "ledger/entries", Some(&body));
    let page: LedgerPage = serde_json::from_value(reply.result.unwrap()).unwrap();
    let export = ExportWriter::begin(Vec::new(), &page).unwrap().finish().unwrap();
    // What the lost card asked for is there as a claim.
    assert_eq!(verify_export(export.as_slice(), &Trust::default()).unwrap().unattributed, 1);
}

#[test]
fn a_ledger_key_of_another_server_is_refused() {
    let (one, other) = (init(), init());
    std::fs::copy(other.data.join("ledger.key"), one.data.join("ledger.key")).unwrap();
    fails(&["serve", "--config", one.config.to_str().unwrap()], 4, &["ledger.key", "another server"]);
}

#[test]
fn a_signal_ends_the_server_in_good_order() {
    for signal in [nix::sys::signal::Signal::SIGTERM, nix::sys::signal::Signal::SIGINT] {
        let made = init();
        let mut program = Program::start(&made.config, &[]);
        assert_eq!((get(program.port, "/healthz").status, get(program.port, "/").status), (200, 404));
        program.signal(signal);
        let status = program.child.wait().unwrap();
        assert_eq!(status.code(), Some(0));
    }
}

#[test]
fn a_flood_from_one_address_is_told_when_to_come_again() {
    let made = init();
    made.configure("[limits]\nstrangers_per_minute = 5\n");
    let program = Program::start(&made.config, &[]);
    for _ in 0..5 {
        assert_eq!(post(program.port, b"garbage").status, 400);
    }
    let answer = post(program.port, b"garbage");
    assert_eq!(answer.status, 429);
    let after = answer.head.lines().find_map(|line| line.strip_prefix("retry-after: ")).unwrap();
    assert!((1..=13).contains(&after.parse::<u64>().unwrap()), "{after}");
    assert_eq!(get(program.port, "/healthz").status, 200, "whoever watches is not throttled");
}

/// A connection from another address of this machine.
fn connect_from(source: &str, port: u16) -> std::net::TcpStream {
    let connected = async {
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.bind(format!("{source}:0").parse().unwrap()).unwrap();
        let stream = socket.connect(([127, 0, 0, 1], port).into()).await.unwrap();
        stream.into_std().unwrap()
    };
    let stream =
        tokio::runtime::Builder::new_current_thread().enable_io().build().unwrap().block_on(connected);
    stream.set_nonblocking(false).unwrap();
    stream
}

#[test]
fn half_open_requests_neither_keep_others_out_nor_stay() {
    use std::io::{Read as _, Write as _};
    let made = init();
    let program = Program::start(&made.config, &[]);
    let mut idle: Vec<_> = (0..300).map(|_| connect_from("127.0.0.2", program.port)).collect();
    for stream in &mut idle {
        // Those over the limit are closed already.
        let _closed = stream.write_all(b"POST /v1/messages HTTP/1.1\r\nHost: l");
    }
    assert_eq!(get(program.port, "/healthz").status, 200);
    assert_eq!(post(program.port, b"garbage").status, 400);

    let mut closed = |within: Duration| {
        let mut seen = 0;
        for stream in &mut idle {
            stream.set_read_timeout(Some(within)).unwrap();
            let read = stream.read(&mut [0; 1]);
            let waits = read.is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock);
            seen += usize::from(!waits);
        }
        seen
    };
    assert_eq!(closed(Duration::from_millis(10)), 268, "all but 32 were turned away at once");
    std::thread::sleep(Duration::from_secs(11));
    assert_eq!(closed(Duration::from_millis(10)), 300, "the rest had ten seconds");
}

#[test]
fn a_client_that_hangs_up_keeps_its_place_until_its_message_is_done_with() {
    use std::io::Write as _;
    let made = init();
    made.configure("[limits]\nqueue = 1\n");
    let program = Program::start(&made.config, &[]);
    // While somebody else writes, the worker waits.
    let database = Intruder::in_folder(&DataFolder::at(made.data.clone()));
    database.take_the_writers_turn();
    let mut client = std::net::TcpStream::connect(("127.0.0.1", program.port)).unwrap();
    client.write_all(b"POST /v1/messages HTTP/1.1\r\nHost: l\r\nContent-Length: 7\r\n\r\ngarbage").unwrap();
    std::thread::sleep(Duration::from_millis(300));
    drop(client);
    std::thread::sleep(Duration::from_millis(300));
    let began = std::time::Instant::now();
    assert_eq!(post(program.port, b"garbage").status, 503, "its work goes on, and so does its place");
    assert!(
        began.elapsed() < Duration::from_secs(2),
        "turned away at once, not after waiting for the writer"
    );
    database.give_back();
    let free = (0..50).any(|_| {
        std::thread::sleep(Duration::from_millis(100));
        post(program.port, b"garbage").status == 400
    });
    assert!(free);
}

#[test]
fn a_crowd_of_strangers_leaves_half_of_the_places_to_hosts() {
    use std::io::Write as _;
    let made = init();
    made.configure("[limits]\nqueue = 4\n");
    let program = Program::start(&made.config, &[]);
    let carrier = Arc::new(Http { port: program.port });
    let host = Newcomer::new(&made.bundle, carrier, Arc::new(SystemClock)).enrol(Some(&made.token));
    assert_eq!(host.check_in(1, 0, &[]).state, InstanceState::Active);
    // While somebody else writes, the workers wait.
    let database = Intruder::in_folder(&DataFolder::at(made.data.clone()));
    database.take_the_writers_turn();
    let garbage =
        b"POST /v1/messages HTTP/1.1\r\nHost: l\r\nConnection: close\r\nContent-Length: 7\r\n\r\ngarbage";
    let crowd: Vec<_> = (2..7)
        .map(|n| {
            let mut stream = connect_from(&format!("127.0.0.{n}"), program.port);
            stream.write_all(garbage).unwrap();
            std::thread::sleep(Duration::from_millis(200));
            stream
        })
        .collect();
    let checks_in = std::thread::spawn(move || host.check_in(2, 0, &[]).state);
    std::thread::sleep(Duration::from_millis(500));
    assert!(!checks_in.is_finished(), "it waits for the writer, as two of the crowd do");
    database.give_back();
    assert_eq!(checks_in.join().unwrap(), InstanceState::Active);
    let turned_away = crowd.into_iter().filter(|mut stream| {
        let mut answer = String::new();
        let _cut = std::io::Read::read_to_string(&mut stream, &mut answer);
        answer.starts_with("HTTP/1.1 503")
    });
    assert_eq!(turned_away.count(), 3);
}

#[test]
fn a_store_that_does_not_answer_is_alive_and_not_ready() {
    let made = init();
    made.configure("[metrics]\nlisten = \"127.0.0.1:0\"\n");
    let mut program = Program::start(&made.config, &[]);
    let private = program.metrics_port();
    // What somebody saw a moment before is seen by all.
    let look = || {
        std::thread::sleep(Duration::from_millis(1100));
        [get(program.port, "/readyz"), get(private, "/readyz"), get(program.port, "/healthz")]
    };
    assert_eq!(look().map(|answer| answer.status), [200, 200, 200]);
    let database = Intruder::in_folder(&DataFolder::at(made.data.clone()));
    database.run("ALTER TABLE ledger_checkpoint RENAME TO gone");
    let [public, private, alive] = look();
    assert_eq!((public.status, private.status, alive.status), (503, 503, 200));
    assert_eq!(public.body, b"not ready\n", "strangers are not told why");
    let why = String::from_utf8(private.body).unwrap();
    assert!(why.contains("not ready: ") && why.contains("ledger_checkpoint"), "{why}");
    database.run("ALTER TABLE gone RENAME TO ledger_checkpoint");
    assert_eq!(look().map(|answer| answer.status), [200, 200, 200]);

    // Somebody else's write that does not end. Whoever asks takes no turn, so that it is seen within ten seconds only.
    database.take_the_writers_turn();
    let began = std::time::Instant::now();
    assert_eq!(look().map(|answer| answer.status), [200, 200, 200]);
    assert!(began.elapsed() < Duration::from_secs(4), "nobody waited for the writer");
    assert!((0..12).any(|_| look()[0].status == 503));
    database.give_back();
    assert_eq!(look().map(|answer| answer.status), [200, 200, 200], "seen at once again");
}

#[test]
fn a_body_larger_than_an_envelope_is_cut_off() {
    let made = init();
    let program = Program::start(&made.config, &[]);
    let body = vec![0; countersign_protocol::limits::ENVELOPE + 1];
    assert_eq!(post(program.port, &body).status, 413);
    std::thread::sleep(Duration::from_millis(10));
    assert_eq!(get(program.port, "/healthz").status, 200);
}
