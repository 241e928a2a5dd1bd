//! How fast the agent is, beside two neighbours on the same card, what the PAM module costs by itself, and how many logins a
//! second the server takes. Run by `cargo xtask bench agent`, `bench pam`, `bench server` and `bench jobs`, which build
//! everything for release first.
//!
//! | file | what |
//! |---|---|
//! | `ours` | logins through libpam, agent and server: warm, cold, with a card put in for it |
//! | `neighbours` | the same login by poldi, and by pam_p11 with OpenSC |
//! | `overhead` | the module alone: people who need no card, and people who do, beside pam_permit |
//! | `server` | the server: logins over HTTP, beside OpenSSL's bare operations |
//! | `series` | many measurements of one thing |
//! | `host` | what it ran on |
//! | `report` | the table, and the same as JSON |
#![forbid(unsafe_code)]

mod host;
mod neighbours;
mod ours;
mod overhead;
mod report;
mod series;
mod server;

use std::io::Write as _;
use std::process::ExitCode;

use countersign_tests::{Machine, Trouble};

use report::Report;

const USAGE: &str = "usage: countersign-bench agent|pam|server|jobs [--json] [--few]

  --json  figures as JSON on standard output, in place of the table
  --few   a tenth of the logins: to see whether the bench itself works

  server --rate    only round trips by 1, 8 and 32 clients
  server --growth  only what a login costs beside more accounts, policies and entries
";

/// How many of each.
#[derive(Clone, Copy)]
struct Plan {
    warm: usize,
    cold: usize,
    inserted: usize,
    neighbours: usize,
}

impl Plan {
    const FULL: Self = Self { warm: 300, cold: 50, inserted: 5, neighbours: 50 };
    const FEW: Self = Self { warm: 30, cold: 4, inserted: 2, neighbours: 5 };
}

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let (what, options) = match words.split_first() {
        Some((what @ (&"agent" | &"pam" | &"jobs"), options))
            if options.iter().all(|word| ["--json", "--few"].contains(word)) =>
        {
            (*what, options)
        }
        Some((what @ &"server", options))
            if options.iter().all(|word| ["--json", "--few", "--rate", "--growth"].contains(word)) =>
        {
            (*what, options)
        }
        _ => {
            let _ = write!(std::io::stderr(), "{USAGE}");
            return ExitCode::from(2);
        }
    };
    let (few, json) = (options.contains(&"--few"), options.contains(&"--json"));
    let text = match what {
        "pam" => overhead::measure(if few { 100 } else { 2000 })
            .map(|report| if json { report.json() } else { report.table() }),
        "jobs" => {
            server::measure_jobs(few).map(|outcome| if json { outcome.json() } else { outcome.table() })
        }
        "server" => {
            let part =
                ["rate", "growth"].into_iter().find(|part| options.contains(&format!("--{part}").as_str()));
            server::measure(few, part).map(|outcome| if json { outcome.json() } else { outcome.table() })
        }
        _ => measure(if few { Plan::FEW } else { Plan::FULL })
            .map(|report| if json { report.json() } else { report.table() }),
    };
    match text {
        Ok(text) => {
            let _ = writeln!(std::io::stdout(), "{text}");
            ExitCode::SUCCESS
        }
        Err(trouble) => {
            let _ = writeln!(std::io::stderr(), "\nThe bench stopped: {trouble}");
            ExitCode::FAILURE
        }
    }
}

fn measure(plan: Plan) -> Result<Report, Trouble> {
    let host = host::describe();
    let machine = Machine::start()?;
    let ours = ours::Bench::set_up(&machine)?.measure(plan)?;
    drop(machine);
    let neighbours = neighbours::measure(plan)?;
    Ok(Report { host, ours, neighbours })
}

/// Tells how far it is.
fn progress(text: &str) {
    let _ = writeln!(std::io::stderr(), "   {text}");
}
