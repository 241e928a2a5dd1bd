//! Replies that may be asked for again.

use countersign_protocol::clock::Timestamp;
use countersign_protocol::ids::{Digest, MessageId};
use countersign_server_core::replies::{Recipient, ReplyRead, ReplyStore, StoredReply};
use countersign_server_core::store::StoreError;

use super::rows::{bytes, corrupt, count, parsed, time};
use super::{Kind, Reading, Sql, Table, Writing};

/// One by the message that it answers.
pub(super) const ONE: &str =
    "SELECT digest, instance, ephemeral, sealed, passing, never FROM replies WHERE id = $1";

static REPLIES: Table = Table {
    name: "replies",
    columns: &[
        ("id", Kind::Blob),
        ("digest", Kind::Blob),
        ("instance", Kind::Text),
        ("ephemeral", Kind::Blob),
        ("sealed", Kind::Blob),
        ("stored_at", Kind::Integer),
        ("passing", Kind::Integer),
        ("never", Kind::Integer),
    ],
    otherwise: "",
};

impl<D: Reading> ReplyRead for Sql<D> {
    fn never_happened(&self, id: &MessageId) -> Result<Option<u64>, StoreError> {
        let place = self
            .read("SELECT never FROM replies WHERE id = $1", [id.as_bytes()], |row| {
                row.get::<Option<i64>>(0)
            })?
            .flatten();
        place.map(|place| count(place, "the place of an entry")).transpose()
    }
}

impl<D: Writing> ReplyStore for Sql<D> {
    fn reply(&self, id: &MessageId) -> Result<Option<StoredReply>, StoreError> {
        let row = self.read(ONE, [id.as_bytes()], |row| {
            Ok((
                row.get::<Vec<u8>>(0)?,
                row.get::<Option<String>>(1)?,
                row.get::<Option<Vec<u8>>>(2)?,
                row.get::<Vec<u8>>(3)?,
                row.get::<i64>(4)? != 0,
                row.get::<Option<i64>>(5)?,
            ))
        })?;
        let Some((digest, instance, ephemeral, sealed, passing, never)) = row else { return Ok(None) };
        let recipient = match (instance, ephemeral) {
            (Some(instance), None) => Recipient::Instance(parsed(&instance, "a reply's instance")?),
            (None, Some(certificate)) => Recipient::Ephemeral(certificate),
            _ => return Err(corrupt("a reply's recipient")),
        };
        let digest = Digest::from_bytes(bytes(&digest, "a reply's digest")?);
        let never = never.map(|place| count(place, "the place of an entry")).transpose()?;
        Ok(Some(StoredReply { id: *id, digest, recipient, sealed, passing, never }))
    }

    fn put_reply(&self, reply: &StoredReply, now: Timestamp) -> Result<(), StoreError> {
        let (instance, ephemeral) = match &reply.recipient {
            Recipient::Instance(fingerprint) => (Some(fingerprint.to_string()), None),
            Recipient::Ephemeral(certificate) => (None, Some(certificate)),
        };
        if reply.passing {
            self.write_unseen(
                "UPDATE replies SET sealed = $2 WHERE instance = $1 AND passing = 1 AND length(sealed) > 0",
                (&instance, [0; 0]),
            )?;
        }
        self.add(
            &REPLIES,
            (
                reply.id.as_bytes(),
                reply.digest.as_bytes(),
                instance,
                ephemeral,
                &reply.sealed,
                time(now),
                reply.passing,
                reply.never.map(i64::try_from).transpose().map_err(|_| corrupt("the place of an entry"))?,
            ),
        )
    }
}
