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
    /// When it stops signing, which its successor then begins; tokens signed before may still be verified.
    pub retired_at: Option<DateTime<Utc>>,
}

/// A key to be stored.
#[derive(Clone, Copy, Debug)]
pub struct NewSigningKey<'a> {
    /// The name tokens call it by.
    pub kid: &'a str,
    /// The public half, PEM.
    pub public_pem: &'a str,
    /// The private half, sealed.
    pub private_box: &'a [u8],
}

/// Stores a key unless there is one that signs already: services that start at once agree on the first.
///
/// # Errors
/// When the database fails.
pub async fn ensure(conn: &mut AsyncPgConnection, new: NewSigningKey<'_>) -> Result<(), StorageError> {
    conn.transaction(async |conn| {
        lock(conn).await?;
        if newest(conn).await?.is_none() {
            insert(conn, new).await?;
        }
        Ok(())
    })
    .await
}

/// Stores a key that takes over from all others at `from`, and deletes those that signed nothing since `forgotten`.
///
/// # Errors
/// When the database fails.
pub async fn succeed(
    conn: &mut AsyncPgConnection,
    new: NewSigningKey<'_>,
    from: DateTime<Utc>,
    forgotten: DateTime<Utc>,
) -> Result<(), StorageError> {
    conn.transaction(async |conn| {
        lock(conn).await?;
        diesel::delete(signing_keys::table.filter(signing_keys::retired_at.lt(forgotten)))
            .execute(conn)
            .await?;
        diesel::update(signing_keys::table.filter(signing_keys::retired_at.is_null()))
            .set(signing_keys::retired_at.eq(from))
            .execute(conn)
            .await?;
        insert(conn, new).await
    })
    .await
}

/// Stores a key in place of all others: what they have signed is not to be believed any more.
///
/// # Errors
/// When the database fails.
pub async fn replace_all(conn: &mut AsyncPgConnection, new: NewSigningKey<'_>) -> Result<(), StorageError> {
    conn.transaction(async |conn| {
        lock(conn).await?;
        diesel::delete(signing_keys::table).execute(conn).await?;
        insert(conn, new).await
    })
    .await
}

/// The keys that sign, will sign, or have signed since `since`, oldest first.
///
/// # Errors
/// When the database fails.
pub async fn since(
    conn: &mut AsyncPgConnection,
    since: DateTime<Utc>,
) -> Result<Vec<SigningKeyRow>, StorageError> {
    Ok(signing_keys::table
        .filter(signing_keys::retired_at.is_null().or(signing_keys::retired_at.ge(since)))
        .order((signing_keys::created_at, signing_keys::kid))
        .load(conn)
        .await?)
}

/// The key that no other succeeds, if there is any.
///
/// # Errors
/// When the database fails.
pub async fn newest(conn: &mut AsyncPgConnection) -> Result<Option<SigningKeyRow>, StorageError> {
    Ok(signing_keys::table.filter(signing_keys::retired_at.is_null()).first(conn).await.optional()?)
}

/// One writer at a time. A statement of its own: the next one must see what whoever held the lock before has
/// committed.
async fn lock(conn: &mut AsyncPgConnection) -> Result<(), StorageError> {
    diesel::sql_query("SELECT pg_advisory_xact_lock(7205759403792793601)").execute(conn).await?;
    Ok(())
}

async fn insert(conn: &mut AsyncPgConnection, new: NewSigningKey<'_>) -> Result<(), StorageError> {
    let row = (
        signing_keys::kid.eq(new.kid),
        signing_keys::public_pem.eq(new.public_pem),
        signing_keys::private_box.eq(new.private_box),
        // Not `now()`, which is the time the transaction began: maybe before that of whoever held the lock.
        signing_keys::created_at.eq(Utc::now()),
    );
    diesel::insert_into(signing_keys::table).values(row).execute(conn).await?;
    Ok(())
}
