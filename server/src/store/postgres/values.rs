//! Parameters as the client library wants them: what a NULL is a NULL of, the statement says.

use countersign_server_core::store::StoreError;
use tokio_postgres::Statement;
use tokio_postgres::types::{ToSql, Type};

use super::super::sql::{Kind, Value};

/// A parameter for a statement that outlives whoever sends it.
pub(super) enum Kept {
    /// A number, or none.
    Integer(Option<i64>),
    /// Text, or none.
    Text(Option<String>),
    /// Bytes, or none.
    Blob(Option<Vec<u8>>),
}

/// One column of many rows.
pub(super) enum Column {
    /// Numbers, or none.
    Integer(Vec<Option<i64>>),
    /// Texts, or none.
    Text(Vec<Option<String>>),
    /// Bytes, or none.
    Blob(Vec<Option<Vec<u8>>>),
}

impl Column {
    /// Without a row.
    pub(super) const fn new(kind: Kind) -> Self {
        match kind {
            Kind::Integer => Self::Integer(Vec::new()),
            Kind::Text => Self::Text(Vec::new()),
            Kind::Blob => Self::Blob(Vec::new()),
        }
    }

    /// One row more; whether that is a value for it.
    pub(super) fn push(&mut self, value: &Value<'_>) -> bool {
        match (self, value) {
            (Self::Integer(rows), Value::Null) => rows.push(None),
            (Self::Integer(rows), Value::Integer(number)) => rows.push(Some(*number)),
            (Self::Text(rows), Value::Null) => rows.push(None),
            (Self::Text(rows), Value::Text(text)) => rows.push(Some((*text).to_owned())),
            (Self::Blob(rows), Value::Null) => rows.push(None),
            (Self::Blob(rows), Value::Blob(bytes)) => rows.push(Some(bytes.to_vec())),
            _ => return false,
        }
        true
    }

    /// Another one behind it; whether it is of the same kind.
    #[must_use]
    pub(super) fn append(&mut self, more: Self) -> bool {
        match (self, more) {
            (Self::Integer(rows), Self::Integer(more)) => rows.extend(more),
            (Self::Text(rows), Self::Text(more)) => rows.extend(more),
            (Self::Blob(rows), Self::Blob(more)) => rows.extend(more),
            _ => return false,
        }
        true
    }

    /// Whether a row holds this.
    pub(super) fn has(&self, value: &Value<'_>) -> bool {
        match (self, value) {
            (Self::Integer(rows), Value::Integer(number)) => rows.contains(&Some(*number)),
            (Self::Text(rows), Value::Text(text)) => rows.iter().any(|row| row.as_deref() == Some(*text)),
            (Self::Blob(rows), Value::Blob(bytes)) => rows.iter().any(|row| row.as_deref() == Some(*bytes)),
            _ => false,
        }
    }

    /// As what it is sent.
    pub(super) const fn type_of(&self) -> Type {
        match self {
            Self::Integer(_) => Type::INT8_ARRAY,
            Self::Text(_) => Type::TEXT_ARRAY,
            Self::Blob(_) => Type::BYTEA_ARRAY,
        }
    }

    /// For the client library.
    pub(super) fn parameter(&self) -> &(dyn ToSql + Sync) {
        match self {
            Self::Integer(rows) => rows,
            Self::Text(rows) => rows,
            Self::Blob(rows) => rows,
        }
    }
}

impl From<&Value<'_>> for Kept {
    fn from(value: &Value<'_>) -> Self {
        match *value {
            // What it is a NULL of, the statement says.
            Value::Null => Self::Text(None),
            Value::Integer(number) => Self::Integer(Some(number)),
            Value::Text(text) => Self::Text(Some(text.to_owned())),
            Value::Blob(bytes) => Self::Blob(Some(bytes.to_vec())),
        }
    }
}

impl Kept {
    /// Borrowed.
    pub(super) fn value(&self) -> Value<'_> {
        match self {
            Self::Integer(number) => number.map_or(Value::Null, Value::Integer),
            Self::Text(text) => text.as_deref().map_or(Value::Null, Value::Text),
            Self::Blob(bytes) => bytes.as_deref().map_or(Value::Null, Value::Blob),
        }
    }

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
    let value = |(value, kind): (&Value<'_>, &Type)| match value {
        Value::Null if *kind == Type::INT8 => Kept::Integer(None),
        Value::Null if *kind == Type::BYTEA => Kept::Blob(None),
        _ => Kept::from(value),
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
