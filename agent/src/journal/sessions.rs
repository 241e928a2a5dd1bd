//! Sessions that began here and did not end yet, so that an end is told with its beginning.

use countersign_protocol::clock::Timestamp;
use countersign_protocol::ids::{CorrelationId, LoginName, ServiceName};
use countersign_protocol::message::HostEvent;
use rusqlite::{OptionalExtension as _, Transaction, params};

use super::{Journal, JournalError, chain, outbox};

pub(super) const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS session (
        id          INTEGER PRIMARY KEY AUTOINCREMENT,
        correlation TEXT NOT NULL,
        login       TEXT NOT NULL,
        service     TEXT NOT NULL,
        opened      TEXT NOT NULL
    ) STRICT;
";

/// Most sessions that are waited for: those that a crash ended never say so. The oldest are forgotten.
const MOST: i64 = 1000;

impl Journal {
    /// Writes down that a session began: its entry, the report if the server is to hear of it, and what its end is
    /// told with. It outlives this process; a power cut, which ends every session, may take the last ones.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn session_opened(
        &self,
        event: &HostEvent,
        login: &LoginName,
        service: &ServiceName,
        is_reported: bool,
    ) -> Result<(), JournalError> {
        self.without_waiting(|transaction| {
            self.tell(transaction, event, is_reported)?;
            transaction.execute(
                "INSERT INTO session (correlation, login, service, opened) VALUES (?1, ?2, ?3, ?4)",
                params![event.correlation.as_str(), login.as_str(), service.as_str(), event.at.to_string()],
            )?;
            transaction.execute(
                "DELETE FROM session WHERE id <= (SELECT id FROM session ORDER BY id DESC LIMIT 1 OFFSET ?1)",
                [MOST],
            )?;
            Ok(())
        })
    }

    /// Writes down that a session ended, in the words that `event` makes of when it began. Says whether it was one
    /// that is known.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn session_closed(
        &self,
        correlation: Option<&CorrelationId>,
        login: &LoginName,
        service: &ServiceName,
        is_reported: bool,
        event: impl FnOnce(Option<Timestamp>) -> Option<HostEvent>,
    ) -> Result<(), JournalError> {
        self.without_waiting(|transaction| {
            let opened = match correlation {
                Some(correlation) => take(transaction, correlation, login, service)?,
                None => None,
            };
            event(opened).map_or(Ok(()), |event| self.tell(transaction, &event, is_reported))
        })
    }

    fn tell(
        &self,
        transaction: &Transaction<'_>,
        event: &HostEvent,
        is_reported: bool,
    ) -> Result<(), JournalError> {
        let event = outbox::sayable(event);
        let text = serde_json::to_string(&event)?;
        chain::append(transaction, event.at, &text, self.room.entries)?;
        if is_reported {
            outbox::add(transaction, event.event, &text, self.room.unsent)?;
        }
        Ok(())
    }
}

/// When it began; it is not open any more.
fn take(
    transaction: &Transaction<'_>,
    correlation: &CorrelationId,
    login: &LoginName,
    service: &ServiceName,
) -> Result<Option<Timestamp>, JournalError> {
    let opened: Option<String> = transaction
        .query_row(
            "DELETE FROM session WHERE id =
             (SELECT id FROM session WHERE correlation = ?1 AND login = ?2 AND service = ?3 ORDER BY id LIMIT 1)
             RETURNING opened",
            [correlation.as_str(), login.as_str(), service.as_str()],
            |row| row.get(0),
        )
        .optional()?;
    Ok(opened.and_then(|opened| Timestamp::try_from(opened).ok()))
}

#[cfg(test)]
mod tests {
    use countersign_protocol::message::HostEventKind;

    use super::super::Which;
    use super::*;

    const NOON: Timestamp = Timestamp::from_seconds(1_790_000_000);

    fn journal() -> (tempfile::TempDir, Journal) {
        let folder = tempfile::tempdir().unwrap();
        let journal = Journal::open(&folder.path().join("journal.sqlite"), None).unwrap();
        (folder, journal)
    }

    fn event(event: HostEventKind, correlation: &str) -> HostEvent {
        HostEvent {
            event,
            at: NOON,
            correlation: correlation.parse().unwrap(),
            login: Some("ana".parse().unwrap()),
            account: None,
            service: Some("sshd".parse().unwrap()),
            card: None,
            told: "told".to_owned(),
        }
    }

    fn open(journal: &Journal, correlation: &str) {
        let event = event(HostEventKind::SessionOpened, correlation);
        journal.session_opened(&event, &"ana".parse().unwrap(), &"sshd".parse().unwrap(), true).unwrap();
    }

    fn close(journal: &Journal, correlation: &str, login: &str, service: &str) -> Option<Timestamp> {
        let (id, mut began) = (correlation.parse().unwrap(), None);
        let (login, service) = (login.parse().unwrap(), service.parse().unwrap());
        let told = |opened| {
            began = opened;
            Some(event(HostEventKind::SessionClosed, correlation))
        };
        journal.session_closed(Some(&id), &login, &service, true, told).unwrap();
        began
    }

    #[test]
    fn an_end_is_paired_with_its_own_beginning_once() {
        let (_folder, journal) = journal();
        open(&journal, "7K3M-Q2ZD");
        open(&journal, "8K3M-Q2ZD");
        assert_eq!(close(&journal, "7K3M-Q2ZD", "bob", "sshd"), None, "another login");
        assert_eq!(close(&journal, "7K3M-Q2ZD", "ana", "su"), None, "another service");
        assert_eq!(close(&journal, "7K3M-Q2ZD", "ana", "sshd"), Some(NOON));
        assert_eq!(close(&journal, "7K3M-Q2ZD", "ana", "sshd"), None, "it ended before");
        assert_eq!(close(&journal, "8K3M-Q2ZD", "ana", "sshd"), Some(NOON));
        assert_eq!((journal.verify().unwrap(), journal.unsent().unwrap()), (7, 7));
    }

    #[test]
    fn a_host_without_a_server_keeps_its_sessions_to_itself() {
        let (_folder, journal) = journal();
        let event = event(HostEventKind::SessionOpened, "7K3M-Q2ZD");
        journal.session_opened(&event, &"ana".parse().unwrap(), &"sshd".parse().unwrap(), false).unwrap();
        assert_eq!(journal.verify().unwrap(), 1);
        assert!(journal.oldest_unsent(Which::All).unwrap().is_none());
    }

    #[test]
    fn sessions_that_never_end_take_no_room_without_end() {
        let (_folder, journal) = journal();
        for _ in 0..=MOST {
            open(&journal, "7K3M-Q2ZD");
        }
        open(&journal, "8K3M-Q2ZD");
        let count: i64 =
            journal.lock().query_row("SELECT count(*) FROM session", [], |row| row.get(0)).unwrap();
        assert_eq!(count, MOST);
        assert_eq!(close(&journal, "8K3M-Q2ZD", "ana", "sshd"), Some(NOON), "the newest is known");
    }
}
