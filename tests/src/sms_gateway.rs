//! A gateway for short messages on this machine: a little HTTP that keeps what it is given.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::trouble::{Attempt as _, Trouble};
use crate::waiting::wait_until;

const SOON: Duration = Duration::from_secs(60);

/// The key that it wants to see.
const KEY: &str = "X-Gateway-Key: 7c0ffee7";

/// The gateway, until the test ends.
pub struct SmsGateway {
    port: u16,
    headers: std::path::PathBuf,
    taken: Arc<Mutex<Vec<serde_json::Value>>>,
}

impl SmsGateway {
    /// Listens at a port of the kernel's choice; its key lies in `folder`.
    ///
    /// # Errors
    /// If it cannot.
    pub fn start(folder: &Path) -> Result<Self, Trouble> {
        let headers = folder.join("gateway-headers");
        std::fs::write(&headers, format!("{KEY}\n")).attempt(|| "write the gateway's key".to_owned())?;
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::set_permissions(&headers, std::fs::Permissions::from_mode(0o600))
            .attempt(|| "close the key to others".to_owned())?;
        let listener = TcpListener::bind("127.0.0.1:0").attempt(|| "listen for short messages".to_owned())?;
        let port = listener.local_addr().attempt(|| "find the port".to_owned())?.port();
        let taken: Arc<Mutex<Vec<_>>> = Arc::default();
        let kept = Arc::clone(&taken);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                // Whoever hangs up in the middle is not answered.
                let _ = serve(&stream, &kept);
            }
        });
        Ok(Self { port, headers, taken })
    }

    /// The section of `server.toml` that names it.
    #[must_use]
    pub fn section(&self) -> String {
        format!(
            "\n[sms]\nurl = \"http://127.0.0.1:{}/v1/messages\"\nheaders_file = {:?}\n\
             body = '{{\"to\": \"{{number}}\", \"text\": \"{{text}}\"}}'\n",
            self.port, self.headers,
        )
    }

    /// The words of the next message to this number.
    ///
    /// # Errors
    /// [`Trouble::Timeout`].
    pub fn message_to(&self, number: &str) -> Result<String, Trouble> {
        wait_until("a short message", SOON, || {
            let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
            let field =
                |message: &serde_json::Value, name: &str| message.get(name)?.as_str().map(str::to_owned);
            let place = taken.iter().position(|message| field(message, "to").as_deref() == Some(number));
            Ok(place.and_then(|place| field(&taken.remove(place), "text")))
        })
    }
}

fn serve(stream: &TcpStream, kept: &Mutex<Vec<serde_json::Value>>) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    let (mut length, mut known, mut line) = (0, false, String::new());
    loop {
        line.clear();
        reader.read_line(&mut line)?;
        let header = line.trim_end().to_ascii_lowercase();
        if header.is_empty() {
            break;
        }
        known |= header == KEY.to_ascii_lowercase();
        length = header.strip_prefix("content-length: ").map_or(length, |value| value.parse().unwrap_or(0));
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let message = serde_json::from_slice(&body).ok().filter(|_| known);
    let status = if message.is_some() { "200 OK" } else { "403 Forbidden" };
    kept.lock().unwrap_or_else(PoisonError::into_inner).extend(message);
    let mut stream = stream;
    write!(stream, "HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
}
