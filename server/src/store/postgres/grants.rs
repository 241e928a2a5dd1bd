//! Who may see what, where the auth server and the API are two users of the database: the auth server no documents, the API no
//! codes and no secret keys. A third user owns the tables; it runs `init` and migrations, and serves nobody.

use std::fmt;
use std::str::FromStr;

/// Tables with documents, and what the API does with each.
const DOCUMENTS: [(&str, &str); 2] =
    [("documents", "SELECT, INSERT, UPDATE"), ("document_versions", "SELECT, INSERT, DELETE")];

/// What the API does with every other table that it needs: public keys and who is active, the jobs but for results that others
/// fetch, and whether the database is the right one. A column that is not here is not for it.
const OF_API: [(&str, &str); 8] = [
    (
        "accounts",
        "SELECT (name, state, suspended_at, certificate, short_certificate, primary_key, signing_keys, authentication_key, \
         key_card, key_at)",
    ),
    (
        "second_keys",
        "SELECT (account, certificate, short_certificate, primary_key, signing_keys, authentication_key, key_card, key_at)",
    ),
    ("instances", "SELECT"),
    ("collections", "SELECT (name, owner, schema, state, created_at)"),
    (
        "jobs",
        "SELECT (id, place, correlation, account, account_key, instance, operation, resource, accepted_at, expires_at, \
         standing, message, signature, certificate, receipt, worker, claimed_until), \
         UPDATE (standing, reason, version, result, is_sealed, message, signature, certificate, receipt, worker, claimed_until)",
    ),
    ("ledger_checkpoint", "SELECT"),
    ("ledger_entries", "SELECT (place)"),
    ("refinery_schema_history", "SELECT"),
];

/// The name of a user of the database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoleName(String);

/// No name of a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a user of PostgreSQL has a name of 1 to 63 bytes, without control characters and dollar signs; make one with: createuser NAME"
)]
pub struct BadName;

impl FromStr for RoleName {
    type Err = BadName;

    fn from_str(text: &str) -> Result<Self, BadName> {
        // A dollar sign could end the text that the name is put into.
        let is_name = (1..64).contains(&text.len()) && !text.contains(|c: char| c.is_control() || c == '$');
        if is_name { Ok(Self(text.to_owned())) } else { Err(BadName) }
    }
}

/// As an identifier.
impl fmt::Display for RoleName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.0.replace('"', "\"\""))
    }
}

impl RoleName {
    /// As a text, whatever the session makes of backslashes.
    fn text(&self) -> String {
        let escaped = self.0.replace('\\', "\\\\").replace('\'', "''");
        format!("E'{escaped}'")
    }
}

/// What two users of the database are to be granted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grants {
    /// Of `serve --role auth`.
    pub auth: RoleName,
    /// Of `serve --role api`.
    pub api: RoleName,
}

/// Statements for psql, all or none of them, to be run by the owner of the tables: as often as one likes, and after each new
/// version, whose new tables the API does not see before.
impl fmt::Display for Grants {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { auth, api } = self;
        writeln!(f, "BEGIN;\n")?;
        writeln!(f, "-- Whoever owns the tables may do everything with them, whatever is granted.")?;
        writeln!(
            f,
            "DO $countersign$\nBEGIN\n    IF EXISTS (SELECT 1 FROM pg_catalog.pg_class WHERE oid = to_regclass('documents')\n        \
             AND (pg_has_role({auth}, relowner, 'MEMBER') OR pg_has_role({api}, relowner, 'MEMBER'))) THEN\n        \
             RAISE EXCEPTION 'the tables belong to one of the two users, or it is a superuser: let a third one own them';\n    \
             END IF;\nEND\n$countersign$;\n",
            auth = auth.text(),
            api = api.text()
        )?;
        writeln!(f, "-- The auth server: everything but documents, and no other version of the tables.")?;
        writeln!(f, "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {auth};")?;
        writeln!(f, "REVOKE INSERT, UPDATE, DELETE ON refinery_schema_history FROM {auth};")?;
        for (table, _) in DOCUMENTS {
            writeln!(f, "REVOKE ALL ON {table} FROM {auth};")?;
        }
        writeln!(f, "\n-- The API: documents, and what it verifies jobs with. No codes, no secret keys.")?;
        writeln!(f, "REVOKE ALL ON ALL TABLES IN SCHEMA public FROM {api};")?;
        for (table, what) in DOCUMENTS.iter().chain(&OF_API) {
            writeln!(f, "GRANT {what} ON {table} TO {api};")?;
        }
        writeln!(f, "\nCOMMIT;")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_of_a_user_is_more_than_a_name() {
        let name: RoleName = "a\"; DROP TABLE x; --'\\".parse().unwrap();
        assert_eq!(name.to_string(), "\"a\"\"; DROP TABLE x; --'\\\"");
        assert_eq!(name.text(), "E'a\"; DROP TABLE x; --''\\\\'");
        for bad in ["", "a\nb", "a$countersign$b", &"a".repeat(64)] {
            assert!(bad.parse::<RoleName>().is_err(), "{bad:?}");
        }
    }
}
