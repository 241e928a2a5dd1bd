//! Where people can be reached.

use countersign_protocol::clock::Timestamp;
use countersign_protocol::ids::{AccountName, MessageId};
use countersign_protocol::limits;
use countersign_server_core::codes::Mac;
use countersign_server_core::contacts::{ContactStore, SealedContact, WaitingContact};
use countersign_server_core::store::StoreError;

use super::rows::{bytes, time};
use super::{Row, Sql, Writing};

/// The columns that [`contact`] reads, in its order.
const CONTACT: &str = "id, digest, sealed, since";

fn contact(row: &Row<'_>) -> Result<SealedContact, StoreError> {
    Ok(SealedContact {
        id: MessageId::from_bytes(bytes(&row.get::<Vec<u8>>(0)?, "an address's id")?),
        digest: bytes(&row.get::<Vec<u8>>(1)?, "an address's digest")?,
        sealed: row.get(2)?,
        since: Timestamp::from_seconds(row.get(3)?),
    })
}

impl<D: Writing> ContactStore for Sql<D> {
    fn contacts(&self, account: &AccountName) -> Result<Vec<SealedContact>, StoreError> {
        let sql = format!("SELECT {CONTACT} FROM contacts WHERE account = $1 ORDER BY since, id");
        self.read_all(&sql, [account.as_str()], contact)
    }

    fn is_contact(&self, digest: &Mac) -> Result<bool, StoreError> {
        let found = self.read("SELECT 1 FROM contacts WHERE digest = $1", [digest], |_| Ok(()))?;
        Ok(found.is_some())
    }

    fn add_contact(&self, account: &AccountName, contact: &SealedContact) -> Result<bool, StoreError> {
        let added = self.write(
            "INSERT INTO contacts (id, account, digest, sealed, since) VALUES ($1, $2, $3, $4, $5)
             ON CONFLICT (digest) DO NOTHING",
            (contact.id.as_bytes(), account.as_str(), &contact.digest, &contact.sealed, time(contact.since)),
        )?;
        Ok(added == 1)
    }

    fn remove_contact(&self, account: &AccountName, digest: &Mac) -> Result<bool, StoreError> {
        let removed = self
            .write("DELETE FROM contacts WHERE account = $1 AND digest = $2", (account.as_str(), digest))?;
        Ok(removed == 1)
    }

    fn put_waiting_contact(&self, account: &AccountName, waiting: &WaitingContact) -> Result<(), StoreError> {
        let WaitingContact { contact, code, expires } = waiting;
        self.write(
            "INSERT INTO waiting_contacts (account, id, digest, sealed, since, code, expires)
             VALUES ($1, $2, $3, $4, $5, $6, $7)
             ON CONFLICT (account) DO UPDATE
             SET id = excluded.id, digest = excluded.digest, sealed = excluded.sealed, since = excluded.since,
                 code = excluded.code, expires = excluded.expires, tries = 0",
            (
                account.as_str(),
                contact.id.as_bytes(),
                &contact.digest,
                &contact.sealed,
                time(contact.since),
                code,
                time(*expires),
            ),
        )?;
        Ok(())
    }

    fn try_waiting_contact(
        &self,
        account: &AccountName,
        now: Timestamp,
    ) -> Result<Option<WaitingContact>, StoreError> {
        let sql = format!(
            "UPDATE waiting_contacts SET tries = tries + 1
             WHERE account = $1 AND tries < $2 AND expires > $3
             RETURNING {CONTACT}, code, expires"
        );
        self.write_returning(&sql, (account.as_str(), limits::CODE_TRIES, time(now)), |row| {
            Ok(WaitingContact {
                contact: contact(row)?,
                code: bytes(&row.get::<Vec<u8>>(4)?, "a code's digest")?,
                expires: Timestamp::from_seconds(row.get(5)?),
            })
        })
    }

    fn end_waiting_contact(&self, account: &AccountName, id: &MessageId) -> Result<bool, StoreError> {
        let ended = self.write(
            "DELETE FROM waiting_contacts WHERE account = $1 AND id = $2",
            (account.as_str(), id.as_bytes()),
        )?;
        Ok(ended == 1)
    }

    fn waits_until(&self, account: &AccountName, now: Timestamp) -> Result<Option<Timestamp>, StoreError> {
        let until = self.read(
            "SELECT expires FROM waiting_contacts WHERE account = $1 AND tries < $2 AND expires > $3",
            (account.as_str(), limits::CODE_TRIES, time(now)),
            |row| row.get(0),
        )?;
        Ok(until.map(Timestamp::from_seconds))
    }

    fn count_request(&self, digest: &Mac, now: Timestamp, expires: Timestamp) -> Result<bool, StoreError> {
        // The three newest that live stand in their order: where the oldest of them has ended, there are two at most.
        let counted = self.write(
            "INSERT INTO address_requests (digest, day, asked, not_before, pause, newest, middle, oldest)
             VALUES ($1, $2, 1, $5, $6, $3, 0, 0)
             ON CONFLICT (digest) DO UPDATE
             SET day = CASE WHEN address_requests.day <= $4 THEN excluded.day ELSE address_requests.day END,
                 asked = CASE WHEN address_requests.day <= $4 THEN 1 ELSE address_requests.asked + 1 END,
                 not_before = CASE WHEN address_requests.day <= $4 THEN excluded.not_before
                                   ELSE excluded.day + address_requests.pause END,
                 pause = CASE WHEN address_requests.day <= $4 THEN excluded.pause
                              ELSE address_requests.pause * 2 END,
                 newest = excluded.newest, middle = address_requests.newest, oldest = address_requests.middle
             WHERE address_requests.not_before <= $2 AND address_requests.oldest <= $2
               AND (address_requests.day <= $4 OR address_requests.asked < $7)",
            (
                digest,
                time(now),
                time(expires),
                time(now.plus(-24 * 3600)),
                time(now.plus(limits::REQUEST_PAUSE)),
                limits::REQUEST_PAUSE * 2,
                limits::REQUESTS_A_DAY,
            ),
        )?;
        Ok(counted == 1)
    }

    fn count_letter(&self, digest: &Mac, most: u32, now: Timestamp) -> Result<bool, StoreError> {
        let counted = self.write(
            "INSERT INTO address_requests (digest, day, asked, not_before, pause, newest, middle, oldest)
             SELECT $1, $2, 1, 0, 0, 0, 0, 0 WHERE $4 > 0
             ON CONFLICT (digest) DO UPDATE
             SET day = CASE WHEN address_requests.day <= $3 THEN excluded.day ELSE address_requests.day END,
                 asked = CASE WHEN address_requests.day <= $3 THEN 1 ELSE address_requests.asked + 1 END
             WHERE address_requests.day <= $3 OR address_requests.asked < $4",
            (digest, time(now), time(now.plus(-24 * 3600)), most),
        )?;
        Ok(counted == 1)
    }

    fn release_contacts(&self, account: &AccountName) -> Result<(), StoreError> {
        for table in ["contacts", "waiting_contacts"] {
            self.write(&format!("DELETE FROM {table} WHERE account = $1"), [account.as_str()])?;
        }
        Ok(())
    }

    fn forget_contacts(&self, account: &AccountName) -> Result<(), StoreError> {
        self.release_contacts(account)?;
        self.write("DELETE FROM letters WHERE account = $1", [account.as_str()])?;
        self.write(
            "DELETE FROM alone WHERE id IN (SELECT id FROM registrations WHERE account = $1)",
            [account.as_str()],
        )?;
        Ok(())
    }
}
