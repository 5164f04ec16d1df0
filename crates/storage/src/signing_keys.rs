//! The keys that sign access tokens, private halves encrypted by the caller.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};

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
    diesel::sql_query(
        "WITH guard AS (SELECT pg_advisory_xact_lock(7205759403792793601))
         INSERT INTO signing_keys (kid, public_pem, private_box)
         SELECT $1, $2, $3 FROM guard WHERE NOT EXISTS (SELECT 1 FROM signing_keys WHERE retired_at IS NULL)",
    )
    .bind::<diesel::sql_types::Text, _>(kid)
    .bind::<diesel::sql_types::Text, _>(public_pem)
    .bind::<diesel::sql_types::Binary, _>(private_box)
    .execute(conn)
    .await?;
    Ok(signing_keys::table
        .filter(signing_keys::retired_at.is_null())
        .order(signing_keys::created_at.desc())
        .first(conn)
        .await?)
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
