//! The auth server and the API as processes of their own: each does its part, and has no more than it needs.

mod alone;
mod grants;
mod jobs;

use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::database::{Client, is_postgres};
use crate::program::{BINARY, Made, init, run};

/// A server whose two parts are two users of the database, and have each a folder.
struct Parts {
    made: Made,
    /// The API's folder: no secret is in it.
    folder: tempfile::TempDir,
    /// The API's configuration.
    config: PathBuf,
    /// On PostgreSQL, the users and the owner of the tables.
    users: Option<Users>,
}

struct Users {
    auth: String,
    api: String,
    /// The database's address, as the owner of the tables.
    owner: String,
}

impl Users {
    fn of(made: &Made) -> Option<Self> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let text = std::fs::read_to_string(&made.config).unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix("postgres = "))?;
        let number = format!("{}_{}", std::process::id(), NUMBER.fetch_add(1, Ordering::SeqCst));
        let users = Self {
            auth: format!("auth_{number}"),
            api: format!("api_{number}"),
            owner: line.trim_matches('"').to_owned(),
        };
        let client = Client::connect(&users.owner);
        client.run(&format!("CREATE ROLE {} LOGIN; CREATE ROLE {} LOGIN", users.auth, users.api));
        client.run(&users.grants());
        Some(users)
    }

    /// What the command prints.
    fn grants(&self) -> String {
        let output = run(&["grants", "--auth", &self.auth, "--api", &self.api]);
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// The same address for somebody else.
    fn address_of(&self, user: &str) -> String {
        let name = regex::Regex::new(r"user=\S+").unwrap();
        assert!(name.is_match(&self.owner), "{}", self.owner);
        name.replace(&self.owner, format!("user={user}")).into_owned()
    }
}

impl Parts {
    fn make() -> Self {
        let made = init();
        let (folder, users) = (tempfile::tempdir().unwrap(), Users::of(&made));
        std::fs::copy(made.data.join("ledger.pub"), folder.path().join("ledger.pub")).unwrap();
        let (config, text) =
            (folder.path().join("server.toml"), std::fs::read_to_string(&made.config).unwrap());
        let mut own = text.replace(made.data.to_str().unwrap(), folder.path().to_str().unwrap());
        match &users {
            Some(users) => {
                own = own.replace(&users.owner, &users.address_of(&users.api));
                let auth = text.replace(&users.owner, &users.address_of(&users.auth));
                std::fs::write(&made.config, auth).unwrap();
            }
            None => symlink(made.data.join("countersign.db"), folder.path().join("countersign.db")).unwrap(),
        }
        std::fs::write(&config, own + "\n[metrics]\nlisten = \"127.0.0.1:0\"\n").unwrap();
        assert_eq!(users.is_some(), is_postgres());
        Self { made, folder, config, users }
    }

    fn arguments(&self) -> [&str; 5] {
        ["serve", "--role", "api", "--config", self.config.to_str().unwrap()]
    }

    /// Somebody who may do everything in the database.
    fn edit(&self, sql: &str) {
        match &self.users {
            Some(users) => Client::connect(&users.owner).run(sql),
            None => {
                let file = rusqlite::Connection::open(self.made.data.join("countersign.db")).unwrap();
                file.execute_batch(sql).unwrap();
            }
        }
    }

    /// The database lets the API in no more.
    fn shut_out(&self) {
        match &self.users {
            Some(users) => Client::connect(&users.owner).run(&format!(
                "ALTER ROLE {api} NOLOGIN; SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{api}'",
                api = users.api
            )),
            None => std::fs::remove_file(self.folder.path().join("countersign.db")).unwrap(),
        }
    }

    fn let_in(&self) {
        match &self.users {
            Some(users) => Client::connect(&users.owner).run(&format!("ALTER ROLE {} LOGIN", users.api)),
            None => symlink(self.made.data.join("countersign.db"), self.folder.path().join("countersign.db"))
                .unwrap(),
        }
    }
}

/// A running `serve --role api`. Killed when dropped.
struct Api {
    child: Child,
    said: BufReader<std::process::ChildStdout>,
    metrics: u16,
}

impl Api {
    /// Begun; it need not do jobs yet.
    fn begin(parts: &Parts) -> Self {
        Self::spawn(Command::new(BINARY).args(parts.arguments()).stderr(Stdio::null()))
    }

    fn spawn(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut said = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        said.read_line(&mut line).unwrap();
        let port = line.trim().strip_prefix("metrics on http://127.0.0.1:").unwrap();
        let metrics = port.strip_suffix("/metrics").unwrap().parse().unwrap();
        Self { child, said, metrics }
    }

    /// Waits until it does jobs.
    fn after_it_is_up(mut self) -> Self {
        let mut line = String::new();
        self.said.read_line(&mut line).unwrap();
        assert!(line.starts_with("doing jobs"), "{line:?}");
        self
    }

    fn signal(&self, signal: nix::sys::signal::Signal) {
        let pid = nix::unistd::Pid::from_raw(self.child.id().try_into().unwrap());
        nix::sys::signal::kill(pid, signal).unwrap();
    }

    /// Stops it in good order.
    fn stop(mut self) -> ExitStatus {
        self.signal(nix::sys::signal::Signal::SIGTERM);
        self.child.wait().unwrap()
    }
}

impl Drop for Api {
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}

fn set_mode(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}
