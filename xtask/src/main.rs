//! `cargo xtask`: everything a developer types, in one place.
#![forbid(unsafe_code)]

mod bench;
mod demo;
#[cfg(test)]
mod documents;
mod fuzz;
mod lint;
mod module;
mod packages;
mod soak;
#[cfg(test)]
mod sources;
mod step;
mod summary;
mod test;
mod workspace;

use std::io::Write as _;
use std::process::ExitCode;

use step::Stop;

const HELP: &str = "\
Usage: cargo xtask COMMAND

Commands:
  demo   build, then show a login with a card from enrolment to ledger, on real parts
  test   lint, build and test everything; ends with a line `N passed, N failed`
  lint   formatting, clippy, and licences where cargo-deny is installed
  soak matrix [FAMILY]
         every fault at every moment of a login; takes many minutes, and is no part of test
  soak load
         a thousand logins by eight programs on three cards, built for release: decisions, memory, descriptors
  soak servers [MINUTES]
         two servers on one PostgreSQL under load, both and it killed at any moment: five minutes where no number is given
  soak jobs [N]
         so many requests about documents, 10000 where no number is given, while servers are killed at any moment, on SQLite
         and on PostgreSQL: each is done once, served once, and none is lost
  soak fuzz [MILLIONS]
         agents and people made of random bytes, against the PAM module, 12 million scripts where no number is given;
         without a number, then also:
  soak fuzz parsers [MINUTES [TARGET]]
         whatever bytes, for every parser that meets those of strangers, five minutes for each where no number is given
  bench agent [--json] [--few]
         logins, built for release: warm, cold, with a card put in for it, and the same by poldi and pam_p11;
         --json prints figures, --few tries the bench out
  bench pam [--json] [--few]
         what the PAM module costs people who need no card, and people who do, beside pam_permit
  bench server [--json] [--few] [--rate | --growth]
         logins over HTTP at a server of its own below /var/tmp: round trips a second, what each costs, and whether it costs
         the same with more accounts, policies and entries; then as bench ledger
  bench jobs [--json] [--few]
         requests about documents, from the request to the result that is opened, with one worker and with four: how many a
         second, and how long each takes
  bench ledger
         how many entries a second `ledger verify` checks

demo, test, soak, bench agent and bench pam need root, because they make private machines (mount namespaces, pcscd, sudo)
and install the Debian packages that are missing. They leave the system's own services alone. Without root they
print the one command to run.

Exit codes: 0 done; 1 a step failed; 2 wrong command line; 4 root or packages are missing.
";

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let done = match words.as_slice() {
        ["demo"] => demo::run(),
        ["test"] => test::run(),
        ["lint"] => lint::run(),
        ["soak", words @ ..] if !words.iter().any(|word| word.starts_with('-')) => soak::run(words),
        ["bench", "agent", words @ ..] if words.iter().all(|word| ["--json", "--few"].contains(word)) => {
            bench::agent(words)
        }
        ["bench", "pam", words @ ..] if words.iter().all(|word| ["--json", "--few"].contains(word)) => {
            bench::pam(words)
        }
        ["bench", "server", words @ ..]
            if words.iter().all(|word| ["--json", "--few", "--rate", "--growth"].contains(word)) =>
        {
            bench::server(words)
        }
        ["bench", "jobs", words @ ..] if words.iter().all(|word| ["--json", "--few"].contains(word)) => {
            bench::jobs(words)
        }
        ["bench", "ledger"] => bench::ledger(),
        ["help" | "--help" | "-h"] | [_, "--help" | "-h"] => {
            let _ = write!(std::io::stdout(), "{HELP}");
            return ExitCode::SUCCESS;
        }
        [] => Err(Stop::Usage("which command?".to_owned())),
        ["bench"] => Err(Stop::Usage("bench what? agent, pam, server, jobs or ledger".to_owned())),
        ["demo" | "test" | "lint" | "soak" | "bench", rest, ..] => {
            Err(Stop::Usage(format!("`{rest}` is not understood")))
        }
        [other, ..] => Err(Stop::Usage(format!("there is no command `{other}`"))),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(stop @ Stop::Told) => stop.code(),
        Err(stop) => {
            step::say(&format!("xtask: {stop}"));
            if let Stop::Usage(_) = stop {
                let _ = write!(std::io::stderr(), "\n{HELP}");
            }
            stop.code()
        }
    }
}
