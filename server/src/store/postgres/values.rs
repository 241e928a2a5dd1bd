//! Parameters as the client library wants them: what a NULL is a NULL of, the statement says.

use countersign_server_core::store::StoreError;
use tokio_postgres::Statement;
use tokio_postgres::types::{ToSql, Type};

use super::super::sql::Value;

/// A parameter for a statement that outlives whoever sends it.
pub(super) enum Kept {
    /// A number, or none.
    Integer(Option<i64>),
    /// Text, or none.
    Text(Option<String>),
    /// Bytes, or none.
    Blob(Option<Vec<u8>>),
}

impl Kept {
    /// For the client library.
    pub(super) fn parameter(&self) -> &(dyn ToSql + Sync) {
        match self {
            Self::Integer(number) => number,
            Self::Text(text) => text,
            Self::Blob(bytes) => bytes,
        }
    }
}

/// As what a value is sent. The columns are of the same three types; a NULL takes the type of its place.
pub(super) const fn type_of(value: &Value<'_>) -> Type {
    match value {
        Value::Null => Type::UNKNOWN,
        Value::Integer(_) => Type::INT8,
        Value::Text(_) => Type::TEXT,
        Value::Blob(_) => Type::BYTEA,
    }
}

/// Whether the statement was prepared for values like these.
pub(super) fn is_for(params: &[Value<'_>], statement: &Statement) -> bool {
    let fits = |(value, of): (&Value<'_>, &Type)| matches!(value, Value::Null) || type_of(value) == *of;
    params.len() == statement.params().len() && params.iter().zip(statement.params()).all(fits)
}

/// These parameters of this statement.
pub(super) fn borrowed<'a>(
    params: &'a [Value<'a>],
    statement: &Statement,
) -> Result<Vec<&'a (dyn ToSql + Sync)>, StoreError> {
    fits(params, statement)?;
    let value = |(value, kind): (&'a Value<'a>, &Type)| -> &'a (dyn ToSql + Sync) {
        match value {
            Value::Integer(number) => number,
            Value::Text(text) => text,
            Value::Blob(bytes) => bytes,
            Value::Null if *kind == Type::INT8 => &None::<i64>,
            Value::Null if *kind == Type::BYTEA => &None::<&[u8]>,
            Value::Null => &None::<&str>,
        }
    };
    Ok(params.iter().zip(statement.params()).map(value).collect())
}

/// Copies of these parameters of this statement.
pub(super) fn kept(params: &[Value<'_>], statement: &Statement) -> Result<Vec<Kept>, StoreError> {
    fits(params, statement)?;
    let value = |(value, kind): (&Value<'_>, &Type)| match *value {
        Value::Integer(number) => Kept::Integer(Some(number)),
        Value::Text(text) => Kept::Text(Some(text.to_owned())),
        Value::Blob(bytes) => Kept::Blob(Some(bytes.to_vec())),
        Value::Null if *kind == Type::INT8 => Kept::Integer(None),
        Value::Null if *kind == Type::BYTEA => Kept::Blob(None),
        Value::Null => Kept::Text(None),
    };
    Ok(params.iter().zip(statement.params()).map(value).collect())
}

/// The client library panics on another number of them.
fn fits(params: &[Value<'_>], statement: &Statement) -> Result<(), StoreError> {
    let (given, wanted) = (params.len(), statement.params().len());
    if given == wanted {
        return Ok(());
    }
    Err(StoreError::Unavailable(format!("a statement has {given} parameters instead of {wanted}")))
}
