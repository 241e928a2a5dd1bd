//! Whose key is whose.

use countersign_protocol::clock::Timestamp;
use countersign_protocol::ids::{Fingerprint, Nonce};
use countersign_server_core::keys::{KeyStore, Owner, SenderKeys};
use countersign_server_core::store::StoreError;
use sequoia_openpgp::{KeyHandle, KeyID};

use super::rows::{corrupt, parsed, time};
use super::{Kind, Reading, Sql, Table, Writing};

/// Whether one was burned.
pub(super) const NONCE: &str = "SELECT 1 FROM burned_nonces WHERE nonce = $1";

static NONCES: Table = Table {
    name: "burned_nonces",
    columns: &[("nonce", Kind::Blob), ("burned_at", Kind::Integer)],
    otherwise: "",
};

impl<D: Writing> KeyStore for Sql<D> {
    fn claim_key(&self, key: &Fingerprint, owner: &Owner) -> Result<bool, StoreError> {
        let (kind, name) = owner.columns();
        // The update changes nothing; it only counts a row that is ours already.
        let claimed = self.write(
            "INSERT INTO known_keys (fingerprint, key_id, owner_kind, owner) VALUES ($1, $2, $3, $4)
             ON CONFLICT (fingerprint) DO UPDATE SET owner = known_keys.owner
             WHERE known_keys.owner_kind = excluded.owner_kind AND known_keys.owner = excluded.owner
               AND known_keys.revoked_at IS NULL",
            (key.to_string(), key_id(key), kind, name),
        )?;
        Ok(claimed == 1)
    }

    fn may_hold_key(&self, key: &Fingerprint, owner: &Owner) -> Result<bool, StoreError> {
        let (kind, name) = owner.columns();
        let foreign = self.read(
            "SELECT 1 FROM known_keys WHERE fingerprint = $1 AND NOT (owner_kind = $2 AND owner = $3)",
            (key.to_string(), kind, name),
            |_| Ok(()),
        )?;
        Ok(foreign.is_none())
    }

    fn owner(&self, key: &Fingerprint) -> Result<Option<Owner>, StoreError> {
        let row = self.read(
            "SELECT owner_kind, owner FROM known_keys WHERE fingerprint = $1",
            [key.to_string()],
            |row| Ok((row.get::<String>(0)?, row.get::<String>(1)?)),
        )?;
        let Some((kind, name)) = row else { return Ok(None) };
        Ok(Some(match kind.as_str() {
            "server" => Owner::Server,
            "application" => Owner::Application(parsed(&name, "a key's application")?),
            "instance" => Owner::Instance(parsed(&name, "a key's instance")?),
            "account" => Owner::Account(parsed(&name, "a key's account")?),
            _ => return Err(corrupt("a key's owner")),
        }))
    }

    fn burn_nonce(&self, nonce: &Nonce, now: Timestamp) -> Result<bool, StoreError> {
        self.add_new(&NONCES, NONCE, (nonce.as_bytes(), time(now)))
    }
}

impl<D: Reading> SenderKeys for Sql<D> {
    fn sender_certificates(&self, key: &KeyHandle) -> Result<Vec<Vec<u8>>, StoreError> {
        let (column, wanted) = match key {
            KeyHandle::Fingerprint(fingerprint) => ("fingerprint", format!("{fingerprint:X}")),
            KeyHandle::KeyID(id) => ("key_id", format!("{id:X}")),
        };
        let sql = format!(
            "SELECT certificate FROM known_keys
             JOIN applications ON owner_kind = 'application' AND owner = name
             WHERE known_keys.{column} = $1
             UNION ALL
             SELECT certificate FROM known_keys
             JOIN instances ON owner_kind = 'instance' AND owner = instances.fingerprint
             WHERE known_keys.{column} = $1 AND (state <> 'revoked' OR successor IS NOT NULL)"
        );
        self.read_all(&sql, [wanted], |row| row.get(0))
    }
}

/// The short name that some signatures use instead of the fingerprint.
fn key_id(key: &Fingerprint) -> String {
    let version = if key.as_bytes().len() == 20 { 4 } else { 6 };
    let id = sequoia_openpgp::Fingerprint::from_bytes(version, key.as_bytes()).map(KeyID::from);
    id.map(|id| format!("{id:X}")).unwrap_or_default()
}
