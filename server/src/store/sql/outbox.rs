//! Letters on their way to people.

use countersign_protocol::clock::Timestamp;
use countersign_protocol::contact::Channel;
use countersign_protocol::ids::MessageId;
use countersign_server_core::outbox::{OutboxRead, OutboxStore, Queued, Taken};
use countersign_server_core::store::StoreError;

use super::rows::{bytes, corrupt, parsed, time};
use super::{Reading, Row, Sql, Writing};

fn taken(channel: Channel, row: &Row<'_>) -> Result<Taken, StoreError> {
    let account: Option<String> = row.get(2)?;
    Ok(Taken {
        queued: Queued {
            id: MessageId::from_bytes(bytes(&row.get::<Vec<u8>>(0)?, "a letter's id")?),
            channel,
            purpose: parsed(&row.get::<String>(1)?, "a letter's purpose")?,
            account: account.map(|account| parsed(&account, "a letter's account")).transpose()?,
            sealed: row.get(3)?,
            due: Timestamp::from_seconds(row.get(4)?),
            expires: Timestamp::from_seconds(row.get(5)?),
            silent: row.get::<i64>(6)? != 0,
        },
        attempt: row.get::<i64>(7)?.try_into().map_err(|_| corrupt("a letter's attempts"))?,
    })
}

impl<D: Reading> OutboxRead for Sql<D> {
    fn has_post(&self, channel: Channel, now: Timestamp) -> Result<bool, StoreError> {
        let found = self.read(
            "SELECT 1 FROM letters WHERE channel = $1 AND due <= $2 AND leased_until <= $2 LIMIT 1",
            (channel.as_str(), time(now)),
            |_| Ok(()),
        )?;
        Ok(found.is_some())
    }
}

impl<D: Writing> OutboxStore for Sql<D> {
    fn queue(&self, letter: &Queued) -> Result<(), StoreError> {
        self.write(
            "INSERT INTO letters (id, channel, purpose, account, sealed, due, expires, silent)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
            (
                letter.id.as_bytes(),
                letter.channel.as_str(),
                letter.purpose.as_str(),
                letter.account.as_ref().map(|account| account.as_str()),
                &letter.sealed,
                time(letter.due),
                time(letter.expires),
                letter.silent,
            ),
        )?;
        Ok(())
    }

    fn take_letter(
        &self,
        channel: Channel,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<Option<Taken>, StoreError> {
        self.write_returning(
            "UPDATE letters SET leased_until = $3, attempts = attempts + 1
             WHERE id = (SELECT id FROM letters WHERE channel = $1 AND due <= $2 AND leased_until <= $2
                         ORDER BY CASE WHEN purpose IN ('recovery', 'key') THEN 0 ELSE 1 END, due, id LIMIT 1)
               AND leased_until <= $2
             RETURNING id, purpose, account, sealed, due, expires, silent, attempts",
            (channel.as_str(), time(now), time(until)),
            |row| taken(channel, row),
        )
    }

    fn postpone_letter(&self, id: &MessageId, attempt: u32, due: Timestamp) -> Result<bool, StoreError> {
        let postponed = self.write(
            "UPDATE letters SET due = $3, leased_until = 0 WHERE id = $1 AND attempts = $2",
            (id.as_bytes(), attempt, time(due)),
        )?;
        Ok(postponed == 1)
    }

    fn drop_letter(&self, id: &MessageId, attempt: u32) -> Result<bool, StoreError> {
        let dropped =
            self.write("DELETE FROM letters WHERE id = $1 AND attempts = $2", (id.as_bytes(), attempt))?;
        Ok(dropped == 1)
    }
}
