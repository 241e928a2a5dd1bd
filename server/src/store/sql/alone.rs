//! Registrations without an administrator, and authenticator programs beside an administrator's code.

use countersign_protocol::clock::Timestamp;
use countersign_protocol::ids::{AccountName, MessageId};
use countersign_protocol::limits;
use countersign_server_core::registration::{Alone, AloneStore, SecondFactor};
use countersign_server_core::store::StoreError;

use super::rows::{bytes, time};
use super::{Row, Sql, Writing};

/// The columns that [`alone`] reads, in its order.
const ALONE: &str = "code, sealed, expires";

fn alone(id: MessageId, row: &Row<'_>) -> Result<Alone, StoreError> {
    let code: Option<Vec<u8>> = row.get(0)?;
    Ok(Alone {
        id,
        code: code.map(|code| bytes(&code, "a code's digest")).transpose()?,
        sealed: row.get(1)?,
        expires: Timestamp::from_seconds(row.get(2)?),
    })
}

impl<D: Writing> AloneStore for Sql<D> {
    fn add_alone(&self, alone: &Alone) -> Result<(), StoreError> {
        self.write(
            "INSERT INTO alone (id, code, sealed, expires) VALUES ($1, $2, $3, $4)",
            (alone.id.as_bytes(), alone.code, &alone.sealed, time(alone.expires)),
        )?;
        Ok(())
    }

    fn alone(&self, id: &MessageId) -> Result<Option<Alone>, StoreError> {
        let sql = format!("SELECT {ALONE} FROM alone WHERE id = $1");
        self.read(&sql, [id.as_bytes()], |row| alone(*id, row))
    }

    fn try_alone(&self, id: &MessageId, now: Timestamp) -> Result<Option<Alone>, StoreError> {
        let sql = format!(
            "UPDATE alone SET tries = tries + 1 WHERE id = $1 AND tries < $2 AND expires > $3 RETURNING {ALONE}"
        );
        self.write_returning(&sql, (id.as_bytes(), limits::CODE_TRIES, time(now)), |row| alone(*id, row))
    }

    fn take_totp_step(&self, id: &MessageId, step: i64) -> Result<bool, StoreError> {
        let taken = self.write(
            "UPDATE alone SET last_step = $2 WHERE id = $1 AND code IS NULL AND last_step < $2",
            (id.as_bytes(), step),
        )?;
        Ok(taken == 1)
    }

    fn put_second_factor(&self, account: &AccountName, factor: &SecondFactor) -> Result<(), StoreError> {
        self.write(
            "INSERT INTO second_factors (account, id, sealed) VALUES ($1, $2, $3)
             ON CONFLICT (account) DO UPDATE SET id = excluded.id, sealed = excluded.sealed, last_step = 0",
            (account.as_str(), factor.id.as_bytes(), &factor.sealed),
        )?;
        Ok(())
    }

    fn second_factor(&self, account: &AccountName) -> Result<Option<SecondFactor>, StoreError> {
        self.read("SELECT id, sealed FROM second_factors WHERE account = $1", [account.as_str()], |row| {
            let id = MessageId::from_bytes(bytes(&row.get::<Vec<u8>>(0)?, "a second factor's id")?);
            Ok(SecondFactor { id, sealed: row.get(1)? })
        })
    }

    fn take_second_factor_step(
        &self,
        account: &AccountName,
        id: &MessageId,
        step: i64,
    ) -> Result<bool, StoreError> {
        let taken = self.write(
            "UPDATE second_factors SET last_step = $3 WHERE account = $1 AND id = $2 AND last_step < $3",
            (account.as_str(), id.as_bytes(), step),
        )?;
        Ok(taken == 1)
    }
}
