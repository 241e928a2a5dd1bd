//! A Unix datagram socket that syslog listens on.

use std::io;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::time::Duration;

/// How long syslog may take for one entry.
const PATIENCE: Duration = Duration::from_secs(2);

/// A connection, made anew when syslog was.
pub(super) struct Socket(UnixDatagram);

impl Socket {
    /// Sends one datagram, over the connection that is there or a new one.
    pub(super) fn send(socket: &mut Option<Self>, path: &Path, datagram: &[u8]) -> io::Result<()> {
        if let Some(open) = socket
            && open.0.send(datagram).is_ok()
        {
            return Ok(());
        }
        *socket = None;
        let open = UnixDatagram::unbound()?;
        open.connect(path)?;
        open.set_write_timeout(Some(PATIENCE))?;
        open.send(datagram)?;
        *socket = Some(Self(open));
        Ok(())
    }
}
