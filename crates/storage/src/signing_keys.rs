//! The keys that sign access tokens, private halves encrypted by the caller.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};

use crate::error::StorageError;
use crate::schema::signing_keys;

/// A stored signing key.
#[derive(Clone, Debug, Queryable)]
pub struct SigningKeyRow {
    /// The name tokens call it by.
    pub kid: String,
    /// The public half, PEM.
    pub public_pem: String,
    /// The private half, sealed.
    pub private_box: Vec<u8>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it stopped signing; tokens signed before may still be verified.
    pub retired_at: Option<DateTime<Utc>>,
}

/// Stores a key unless there is one that signs already, and returns the one that does: two services that start at
/// once agree on the first.
///
/// # Errors
/// When the database fails.
pub async fn ensure(
    conn: &mut AsyncPgConnection,
    kid: &str,
    public_pem: &str,
    private_box: &[u8],
) -> Result<SigningKeyRow, StorageError> {
    conn.transaction(async |conn| {
        // A statement of its own: the next one must see what whoever held the lock before has committed.
        diesel::sql_query("SELECT pg_advisory_xact_lock(7205759403792793601)").execute(conn).await?;
        if let Some(active) = active(conn).await? {
            return Ok(active);
        }
        let new = (
            signing_keys::kid.eq(kid),
            signing_keys::public_pem.eq(public_pem),
            signing_keys::private_box.eq(private_box),
        );
        Ok(diesel::insert_into(signing_keys::table).values(new).get_result(conn).await?)
    })
    .await
}

/// The key that signs, if there is one.
///
/// # Errors
/// When the database fails.
pub async fn active(conn: &mut AsyncPgConnection) -> Result<Option<SigningKeyRow>, StorageError> {
    Ok(signing_keys::table
        .filter(signing_keys::retired_at.is_null())
        .order(signing_keys::created_at.desc())
        .first(conn)
        .await
        .optional()?)
}
