//! A web server on this machine, with a certificate that nobody but the test believes.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::trouble::{Attempt as _, Trouble};

/// Serves whole HTTP answers out of files. Ends when dropped.
pub struct WebServer {
    folder: tempfile::TempDir,
    process: Child,
    port: u16,
}

impl WebServer {
    /// Starts one, at `localhost` and a port of the kernel's choice.
    ///
    /// # Errors
    /// If `openssl` cannot be started, or says no.
    pub fn start() -> Result<Self, Trouble> {
        let folder = tempfile::tempdir().attempt(|| "make a folder".to_owned())?;
        let made = openssl(folder.path())
            .args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"])
            .args([
                "-addext",
                "subjectAltName=DNS:localhost",
                "-addext",
                "basicConstraints=critical,CA:FALSE",
            ])
            .args(["-keyout", "key.pem", "-out", "authority.pem"])
            .output()
            .attempt(|| "run openssl req".to_owned())?;
        if !made.status.success() {
            let output = String::from_utf8_lossy(&made.stderr).into_owned();
            let status = made.status.to_string();
            return Err(Trouble::Program { program: "openssl req".to_owned(), status, output });
        }
        let mut process = openssl(folder.path())
            .args([
                "s_server",
                "-accept",
                "127.0.0.1:0",
                "-HTTP",
                "-cert",
                "authority.pem",
                "-key",
                "key.pem",
            ])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .attempt(|| "start openssl s_server".to_owned())?;
        let mut said = process.stdout.take().map(BufReader::new).into_iter().flat_map(BufReader::lines);
        let port = said.find_map(|line| line.ok()?.strip_prefix("ACCEPT ")?.rsplit(':').next()?.parse().ok());
        // What it says about each connection must go somewhere.
        std::thread::spawn(move || said.for_each(drop));
        let server = Self { folder, process, port: port.unwrap_or_default() };
        if server.port == 0 {
            return Err(Trouble::Machine("openssl s_server did not say where it listens".to_owned()));
        }
        Ok(server)
    }

    /// The certificate to believe about it.
    #[must_use]
    pub fn authority(&self) -> PathBuf {
        self.folder.path().join("authority.pem")
    }

    /// Where a file of this name is, or would be.
    #[must_use]
    pub fn url(&self, name: &str) -> String {
        format!("https://localhost:{}/{name}", self.port)
    }

    /// Serves `body` under this name, and says where.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn serve(&self, name: &str, body: &[u8]) -> Result<String, Trouble> {
        let head = "HTTP/1.0 200 OK\r\nContent-Type: application/pgp-keys\r\n\r\n";
        self.answer(name, &[head.as_bytes(), body].concat())
    }

    /// Sends whoever asks for this name somewhere else.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn redirect(&self, name: &str, to: &str) -> Result<String, Trouble> {
        let answer = format!("HTTP/1.0 302 Found\r\nLocation: {to}\r\nContent-Length: 0\r\n\r\n");
        self.answer(name, answer.as_bytes())
    }

    /// Gives this whole answer to whoever asks for this name.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn answer(&self, name: &str, answer: &[u8]) -> Result<String, Trouble> {
        fs::write(self.folder.path().join(name), answer).attempt(|| format!("write {name}"))?;
        Ok(self.url(name))
    }
}

impl Drop for WebServer {
    fn drop(&mut self) {
        // Already gone is as good.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn openssl(folder: &Path) -> Command {
    let mut command = Command::new("openssl");
    command.current_dir(folder).stdin(Stdio::null());
    command
}
