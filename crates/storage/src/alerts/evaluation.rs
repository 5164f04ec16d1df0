//! Looking at alerts, each once however many look.
//!
//! Whoever takes an alert holds it for a while, and what they write counts only if nobody else has taken it since and
//! nobody has changed it. Times are the database's, whatever the services' clocks say.

use std::time::Duration;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Double, Uuid as SqlUuid};
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};
use millrace_domain::ids::{AlertId, ProjectId};
use millrace_domain::workspace::alert::{Reading, Standing};
use uuid::Uuid;

use super::Alert;
use super::history::{self, EventKind};
use crate::error::StorageError;
use crate::kept::is_seen;
use crate::schema::{alert_states, alerts};

/// An alert in hand.
#[derive(Clone, Debug)]
pub struct Taken {
    /// The alert.
    pub alert: Alert,
    holder: Uuid,
}

#[derive(QueryableByName)]
struct Due {
    #[diesel(sql_type = SqlUuid)]
    id: Uuid,
    #[diesel(sql_type = SqlUuid)]
    project_id: Uuid,
}

/// Takes the alert in hand that is due longest, for as long as `lease`. Those that nobody sees any more wait until
/// somebody does.
///
/// # Errors
/// When the database fails.
pub async fn take(conn: &mut AsyncPgConnection, lease: Duration) -> Result<Option<Taken>, StorageError> {
    let holder = Uuid::now_v7();
    let is_seen = is_seen("alerts");
    let due: Option<Due> = diesel::sql_query(format!(
        "UPDATE alert_states SET holder = $1, due_at = now() + make_interval(secs => $2)
           FROM (SELECT alerts.id, alerts.project_id FROM alert_states JOIN alerts ON alerts.id = alert_states.alert_id
                  WHERE alerts.enabled AND alert_states.due_at <= now() AND {is_seen}
                  ORDER BY alert_states.due_at LIMIT 1 FOR UPDATE OF alert_states SKIP LOCKED) AS due
          WHERE alert_states.alert_id = due.id
         RETURNING due.id, due.project_id"
    ))
    .bind::<SqlUuid, _>(holder)
    .bind::<Double, _>(lease.as_secs_f64())
    .get_result(conn)
    .await
    .optional()?;
    let Some(Due { id, project_id }) = due else { return Ok(None) };
    let alert = super::find(conn, ProjectId(project_id), AlertId(id)).await?;
    Ok(alert.map(|alert| Taken { alert, holder }))
}

/// Holds it for another `lease`, unless somebody else has taken it.
///
/// # Errors
/// When the database fails.
pub async fn renew(conn: &mut AsyncPgConnection, taken: &Taken, lease: Duration) -> Result<(), StorageError> {
    diesel::sql_query(
        "UPDATE alert_states SET due_at = now() + make_interval(secs => $3) WHERE alert_id = $1 AND holder = $2",
    )
    .bind::<SqlUuid, _>(taken.alert.id.0)
    .bind::<SqlUuid, _>(taken.holder)
    .bind::<Double, _>(lease.as_secs_f64())
    .execute(conn)
    .await?;
    Ok(())
}

/// What came of looking.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Where the alert stands.
    pub standing: Standing,
    /// What was read, or why nothing could be.
    pub reading: Result<Reading, String>,
}

/// Writes what came of it, with who is to hear of it if the alert has fired or is over, and puts it back until it looks
/// again. `false`, and nothing is written, if it is not held any more.
///
/// # Errors
/// When the database fails.
pub async fn finish(
    conn: &mut AsyncPgConnection,
    taken: &Taken,
    outcome: &Outcome,
    now: DateTime<Utc>,
) -> Result<bool, StorageError> {
    let (alert, Outcome { standing, reading }) = (&taken.alert, outcome);
    let (read, error) = match reading {
        Ok(reading) => (*reading, None),
        Err(error) => (alert.reading, Some(error.as_str())),
    };
    conn.transaction(async |conn| {
        // In the order in which whoever deletes it takes hold of both.
        let there = alerts::table.find(alert.id.0).select(alerts::id).for_key_share();
        if there.first::<Uuid>(conn).await.optional()?.is_none() {
            return Ok(false);
        }
        let held = alert_states::table.find(alert.id.0).filter(alert_states::holder.eq(taken.holder));
        let written = diesel::update(held)
            .set((
                alert_states::firing.eq(standing.firing),
                alert_states::against.eq(i16::try_from(standing.against).unwrap_or(i16::MAX)),
                alert_states::number.eq(read.number),
                alert_states::previous.eq(read.previous),
                alert_states::error.eq(error),
                alert_states::evaluated_at.eq(now),
                alert_states::holder.eq(None::<Uuid>),
            ))
            .execute(conn)
            .await?;
        if written == 0 {
            return Ok(false);
        }
        diesel::sql_query(
            "UPDATE alert_states SET due_at = now() + make_interval(secs => $2) WHERE alert_id = $1",
        )
        .bind::<SqlUuid, _>(alert.id.0)
        .bind::<Double, _>(f64::from(alert.every_seconds))
        .execute(conn)
        .await?;
        if standing.firing != alert.standing.firing {
            let kind = if standing.firing { EventKind::Fired } else { EventKind::Resolved };
            history::note(conn, alert, kind, read, now).await?;
        }
        Ok(true)
    })
    .await
}
