//! A real mail server on this machine, with a private authority: what it takes lies in a Maildir.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::ports::PortPair;
use crate::trouble::{Attempt as _, Trouble};
use crate::waiting::wait_until;

const PROGRAM: &str = include_str!("mail_server.py");

/// Long enough for letters that go at once, and for one more try of those that did not.
const SOON: Duration = Duration::from_secs(60);

/// The mail server and its postbox. Ends when dropped.
pub struct MailServer {
    folder: PathBuf,
    security: &'static str,
    ports: PortPair,
    process: Option<Child>,
    /// Letters that were fetched already.
    fetched: Vec<PathBuf>,
}

impl MailServer {
    /// Makes its files in `folder`, and does not listen yet. `security`: `starttls` or `tls`.
    ///
    /// # Errors
    /// If `openssl` says no, or there is no port.
    pub fn new(folder: &Path, security: &'static str) -> Result<Self, Trouble> {
        let folder = folder.join(format!("mail-{security}"));
        fs::create_dir_all(&folder).attempt(|| "make a folder".to_owned())?;
        let key = ["-newkey", "rsa:2048", "-nodes", "-days", "2"];
        run(Command::new("openssl")
            .current_dir(&folder)
            .args(["req", "-x509", "-subj", "/CN=authority"])
            .args(key)
            .args([
                "-addext",
                "keyUsage=critical,keyCertSign",
                "-keyout",
                "authority.key",
                "-out",
                "authority.pem",
            ]))?;
        run(Command::new("openssl")
            .current_dir(&folder)
            .args(["req", "-x509", "-subj", "/CN=localhost"])
            .args(key)
            .args([
                "-CA",
                "authority.pem",
                "-CAkey",
                "authority.key",
                "-addext",
                "subjectAltName=DNS:localhost",
            ])
            .args([
                "-addext",
                "basicConstraints=critical,CA:FALSE",
                "-keyout",
                "key.pem",
                "-out",
                "certificate.pem",
            ]))?;
        for (name, content) in [("program.py", PROGRAM), ("password", "open sesame\n")] {
            fs::write(folder.join(name), content).attempt(|| format!("write {name}"))?;
        }
        use std::os::unix::fs::PermissionsExt as _;
        fs::set_permissions(folder.join("password"), fs::Permissions::from_mode(0o600))
            .attempt(|| "close the password to others".to_owned())?;
        Ok(Self { folder, security, ports: PortPair::claim()?, process: None, fetched: Vec::new() })
    }

    /// The section of `server.toml` that names it.
    #[must_use]
    pub fn section(&self) -> String {
        format!(
            "\n[mail]\nserver = \"localhost\"\nport = {}\nsecurity = \"{}\"\nuser = \"countersign\"\npassword_file = {:?}\n\
             from = \"countersign@example.org\"\nca_file = {:?}\n",
            self.ports.first(),
            self.security,
            self.folder.join("password"),
            self.folder.join("authority.pem"),
        )
    }

    /// The file with the authority that signs its certificate.
    #[must_use]
    pub fn authority(&self) -> PathBuf {
        self.folder.join("authority.pem")
    }

    /// Listens from now on.
    ///
    /// # Errors
    /// If it does not.
    pub fn start(&mut self) -> Result<(), Trouble> {
        let log = fs::File::create(self.folder.join("log")).attempt(|| "make a log".to_owned())?;
        let process = Command::new("/usr/bin/python3")
            .current_dir(&self.folder)
            .arg("program.py")
            .arg(self.ports.first().to_string())
            .args(["certificate.pem", "key.pem", "maildir", self.security])
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(Stdio::inherit())
            .spawn()
            .attempt(|| "start the mail server".to_owned())?;
        self.process = Some(process);
        wait_until("the mail server", SOON, || {
            Ok(fs::read_to_string(self.folder.join("log"))
                .is_ok_and(|log| log.contains("listening"))
                .then_some(()))
        })
    }

    /// The next letter to this receiver: head and body.
    ///
    /// # Errors
    /// [`Trouble::Timeout`].
    pub fn letter_to(&mut self, receiver: &str) -> Result<String, Trouble> {
        let postbox = self.folder.join("maildir/new");
        let fetched = &mut self.fetched;
        wait_until(&format!("a letter to {receiver}"), SOON, || {
            let Ok(entries) = fs::read_dir(&postbox) else { return Ok(None) };
            for path in entries.flatten().map(|entry| entry.path()) {
                let text = fs::read_to_string(&path).unwrap_or_default().replace('\r', "");
                if !fetched.contains(&path) && text.contains(&format!("To: {receiver}\n")) {
                    fetched.push(path);
                    return Ok(Some(text));
                }
            }
            Ok(None)
        })
    }

    /// How many letters came in all.
    #[must_use]
    pub fn letters(&self) -> usize {
        fs::read_dir(self.folder.join("maildir/new")).map_or(0, Iterator::count)
    }
}

impl Drop for MailServer {
    fn drop(&mut self) {
        if let Some(process) = &mut self.process {
            // Already gone is as good.
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

fn run(command: &mut Command) -> Result<(), Trouble> {
    let made = command.output().attempt(|| "run openssl".to_owned())?;
    if made.status.success() {
        return Ok(());
    }
    let output = String::from_utf8_lossy(&made.stderr).into_owned();
    Err(Trouble::Program { program: "openssl".to_owned(), status: made.status.to_string(), output })
}
