//! What deliveries are signed with, as it is kept. It is read for signing alone, and does not travel with alerts.

use std::fmt;

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Binary, Nullable, Text, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use millrace_domain::ids::AlertId;
use uuid::Uuid;

use crate::error::StorageError;

/// The secret of a webhook. Does not print itself.
#[derive(Clone, PartialEq, Eq)]
pub enum KeptSecret {
    /// As it was made.
    Clear(String),
    /// Sealed, for the alert alone.
    Sealed(Vec<u8>),
}

impl fmt::Debug for KeptSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeptSecret(…)")
    }
}

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = SqlUuid)]
    id: Uuid,
    #[diesel(sql_type = Nullable<Text>)]
    webhook_secret: Option<String>,
    #[diesel(sql_type = Nullable<Binary>)]
    webhook_secret_box: Option<Vec<u8>>,
}

/// The secret of an alert's webhook, if it has one.
///
/// # Errors
/// When the database fails.
pub async fn of(conn: &mut AsyncPgConnection, alert: AlertId) -> Result<Option<KeptSecret>, StorageError> {
    let row: Option<Row> =
        diesel::sql_query("SELECT id, webhook_secret, webhook_secret_box FROM alerts WHERE id = $1")
            .bind::<SqlUuid, _>(alert.0)
            .get_result(conn)
            .await
            .optional()?;
    Ok(row.and_then(|row| {
        row.webhook_secret_box.map(KeptSecret::Sealed).or_else(|| row.webhook_secret.map(KeptSecret::Clear))
    }))
}

/// Keeps another secret for an alert; `None`: none.
pub(super) async fn keep(
    conn: &mut AsyncPgConnection,
    alert: AlertId,
    secret: Option<&KeptSecret>,
) -> Result<(), StorageError> {
    let (clear, sealed) = match secret {
        Some(KeptSecret::Clear(clear)) => (Some(clear.as_str()), None),
        Some(KeptSecret::Sealed(sealed)) => (None, Some(sealed.as_slice())),
        None => (None, None),
    };
    diesel::sql_query("UPDATE alerts SET webhook_secret = $2, webhook_secret_box = $3 WHERE id = $1")
        .bind::<SqlUuid, _>(alert.0)
        .bind::<Nullable<Text>, _>(clear)
        .bind::<Nullable<Binary>, _>(sealed)
        .execute(conn)
        .await?;
    Ok(())
}

/// At most `limit` of the secrets that lie in the clear.
///
/// # Errors
/// When the database fails.
pub async fn in_the_clear(
    conn: &mut AsyncPgConnection,
    limit: u16,
) -> Result<Vec<(AlertId, String)>, StorageError> {
    let rows: Vec<Row> = diesel::sql_query(
        "SELECT id, webhook_secret, webhook_secret_box FROM alerts WHERE webhook_secret IS NOT NULL LIMIT $1",
    )
    .bind::<BigInt, _>(i64::from(limit))
    .load(conn)
    .await?;
    Ok(rows.into_iter().filter_map(|row| Some((AlertId(row.id), row.webhook_secret?))).collect())
}

/// Keeps a secret sealed that lay in the clear, unless the alert has another by now. That is no change of the alert.
///
/// # Errors
/// When the database fails.
pub async fn seal(
    conn: &mut AsyncPgConnection,
    alert: AlertId,
    clear: &str,
    sealed: &[u8],
) -> Result<(), StorageError> {
    diesel::sql_query(
        "UPDATE alerts SET webhook_secret = NULL, webhook_secret_box = $3 WHERE id = $1 AND webhook_secret = $2",
    )
    .bind::<SqlUuid, _>(alert.0)
    .bind::<Text, _>(clear)
    .bind::<Binary, _>(sealed)
    .execute(conn)
    .await?;
    Ok(())
}
