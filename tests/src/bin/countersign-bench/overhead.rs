//! The module alone: whole transactions of people who need no card and of people who do, beside pam_permit in the same
//! program. The agent is a stand-in that grants at once, so that neither card nor server nor the agent's own work is in
//! it: what remains is loading the module, reading the root-owned file, and one conversation over a socket.

use std::io::{Read as _, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::time::Duration;

use countersign_tests::site::{PamClient, module_path};
use countersign_tests::{Machine, Trouble};
use serde::Serialize;
use serde_json::{Value, json};

use crate::host::{self, Host};
use crate::progress;
use crate::series::Spread;

/// Milliseconds over pam_permit, at half and at 99 of 100: for people who need no card, and for people who do.
const UNMANAGED: f64 = 1.0;
const MANAGED: f64 = 5.0;

/// As long a file as a large site has: one line for each of so many people.
const PEOPLE: usize = 500;

/// What came out.
#[derive(Debug, Serialize)]
pub(crate) struct Overhead {
    host: Host,
    transactions: usize,
    kinds: Vec<Kind>,
}

/// Transactions of one kind.
#[derive(Debug, Serialize)]
struct Kind {
    name: &'static str,
    /// From before `pam_start` until after `pam_end`.
    whole: Spread,
    /// Each of `whole`, without the same of pam_permit: what disturbs the machine disturbs both.
    over_permit: Option<Spread>,
    /// What `over_permit` must stay below.
    target: Option<f64>,
}

/// So many transactions of each kind, in turn.
pub(crate) fn measure(transactions: usize) -> Result<Overhead, Trouble> {
    let host = host::describe();
    let machine = Machine::start()?;
    let socket = machine.scratch().join("pam.sock");
    serve(&socket)?;
    let managed: String = (0..PEOPLE).map(|number| format!("user person{number} card\n")).collect();
    machine.write("/etc/countersign/managed", &format!("{managed}user ana card\n"), 0o644)?;
    let permit = "auth required pam_permit.so\naccount required pam_permit.so\n";
    machine.pam_service("permit", permit)?;
    let (module, socket) = (module_path()?, socket.display().to_string());
    let ours = |hook: &str| {
        format!("{hook} [success=done ignore=ignore default=die] {} socket={socket}\n", module.display())
    };
    machine.pam_service("ours", &format!("{}{}{permit}", ours("auth"), ours("account")))?;

    progress(&format!("{transactions} transactions of each kind, in turn"));
    let start = |service, login| {
        let mut command = machine.command(PamClient::program()?);
        command.arg("--whole");
        PamClient::start(command, service, login)
    };
    let mut clients = [start("permit", "zoe")?, start("ours", "zoe")?, start("ours", "ana")?];
    let mut times = [const { Vec::new() }; 3];
    for round in 0..transactions + transactions / 10 {
        for (client, times) in clients.iter_mut().zip(&mut times) {
            let answer = client.login(None)?;
            if answer.code != 0 {
                return Err(Trouble::Machine(format!("a transaction ended with {answer:?}")));
            }
            // The first tenth fills the caches.
            if round >= transactions / 10 {
                times.push(answer.whole());
            }
        }
    }
    let [permit, unmanaged, managed] = times;
    let permit = Spread::of(permit);
    let kind = |name, times: Vec<Duration>, target| {
        let whole = Spread::of(times);
        let over = Spread { p50: whole.p50 - permit.p50, p99: whole.p99 - permit.p99 };
        Kind { name, whole, over_permit: Some(over), target: Some(target) }
    };
    let kinds = vec![
        Kind { name: "pam_permit alone", whole: permit, over_permit: None, target: None },
        kind("needs no card", unmanaged, UNMANAGED),
        kind("needs a card", managed, MANAGED),
    ];
    Ok(Overhead { host, transactions, kinds })
}

impl Overhead {
    pub(crate) fn json(&self) -> String {
        serde_json::to_string_pretty(self).unwrap_or_else(|error| error.to_string())
    }

    pub(crate) fn table(&self) -> String {
        let Host { cpu, cores, memory_mib, kernel, debian, load } = &self.host;
        let mut text = format!(
            "pam_start, authenticate, account, setcred, pam_end, in milliseconds (p50 / p99), {} times each.\n\
             {cpu}, {cores} cores, {memory_mib} MiB, Linux {kernel}, Debian {debian}, load before: {load}\n\n\
             {:<18} {:>15} {:>17}\n",
            self.transactions, "", "whole", "over pam_permit"
        );
        let spread = |spread: Spread| format!("{:.3} / {:.3}", spread.p50, spread.p99);
        for kind in &self.kinds {
            let over = kind.over_permit.map_or_else(|| "-".to_owned(), spread);
            let verdict = match (kind.over_permit, kind.target) {
                (Some(over), Some(target)) => {
                    let met = over.p50 < target && over.p99 < target;
                    format!("   below {target} ms: {}", if met { "met" } else { "MISSED" })
                }
                _ => String::new(),
            };
            text.push_str(&format!("{:<18} {:>15} {over:>17}{verdict}\n", kind.name, spread(kind.whole)));
        }
        text.push_str(&format!(
            "\nThe module is loaded anew for each transaction, as login programs do; the file of managed logins has \
             {} lines. The agent is a stand-in that\ngrants at once: card, server and the agent's own work are not \
             in it (`bench agent` has those).",
            PEOPLE + 1
        ));
        text
    }
}

/// An agent that grants whatever it is asked.
fn serve(socket: &Path) -> Result<(), Trouble> {
    let listener = UnixListener::bind(socket)
        .map_err(|error| Trouble::Machine(format!("cannot listen on {}: {error}", socket.display())))?;
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            // A transaction that gets no answer fails, and the bench with it.
            let _ = grant(stream);
        }
    });
    Ok(())
}

fn grant(mut stream: UnixStream) -> std::io::Result<()> {
    let mut header = [0; 6];
    stream.read_exact(&mut header)?;
    let [_, _, length @ ..] = header;
    let mut body = vec![0; usize::try_from(u32::from_be_bytes(length)).unwrap_or(0)];
    stream.read_exact(&mut body)?;
    let request: Value = serde_json::from_slice(&body)?;
    let grant = json!({
        "reply": "granted",
        "nonce": request.get("nonce"),
        "account": "ana",
        "ledger_index": 7,
        "statement": "00".repeat(32),
        "correlation": "7K3M-Q2ZD",
    });
    let body = serde_json::to_vec(&grant)?;
    let length = u32::try_from(body.len()).unwrap_or(0).to_be_bytes();
    stream.write_all(&[&[1, 1], &length[..], &body].concat())
}
