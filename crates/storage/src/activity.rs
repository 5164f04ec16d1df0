//! Activity sets as they are stored: the portable [Roaring format](https://github.com/RoaringBitmap/RoaringFormatSpec),
//! so that any language can read them.

use diesel::deserialize::{self, FromSql, FromSqlRow};
use diesel::pg::{Pg, PgValue};
use diesel::sql_types;
use millrace_domain::text::EventType;
use roaring::RoaringBitmap;

use crate::error::StorageError;

/// The column's spelling of "any event": an event type is never empty.
const ANY: &str = "";

/// How the column spells a type, or any.
#[must_use]
pub fn column(event_type: Option<&EventType>) -> &str {
    event_type.map_or(ANY, EventType::as_str)
}

pub(crate) fn to_bytes(users: &RoaringBitmap) -> Result<Vec<u8>, StorageError> {
    let mut bytes = Vec::with_capacity(users.serialized_size());
    users.serialize_into(&mut bytes).map_err(|e| StorageError::Failed(e.to_string()))?;
    Ok(bytes)
}

pub(crate) fn from_bytes(bytes: &[u8]) -> Result<RoaringBitmap, StorageError> {
    RoaringBitmap::deserialize_from(bytes).map_err(|e| StorageError::Corrupt(format!("an activity set: {e}")))
}

/// A set as it comes out of a row, without a copy of its bytes in between: a hundred KiB for each day of each question.
#[derive(Debug, FromSqlRow)]
pub(crate) struct Users(pub(crate) RoaringBitmap);

impl FromSql<sql_types::Binary, Pg> for Users {
    fn from_sql(value: PgValue<'_>) -> deserialize::Result<Self> {
        Ok(Self(from_bytes(value.as_bytes())?))
    }
}
