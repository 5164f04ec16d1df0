//! Telling those who are to hear of an alert, each at least once.

use std::time::Duration;

use chrono::{DateTime, Utc};
use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::{Bool, Double, Integer, Text, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use millrace_domain::ids::{AlertEventId, AlertId, ProjectId};
use millrace_domain::workspace::alert::Reading;
use uuid::Uuid;

use super::Alert;
use super::history::{Delivery, EventKind};
use crate::error::StorageError;
use crate::kept::is_seen;
use crate::schema::{alert_deliveries, alert_events, alerts};

/// How somebody hears of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Channel {
    /// On the sockets of those who may see the alert.
    Notification,
    /// As a request to where the alert says.
    Webhook,
    /// As a mail to its owner.
    Mail,
}

impl Channel {
    /// The name used in JSON, in metrics and in the database.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Notification => "notification",
            Self::Webhook => "webhook",
            Self::Mail => "mail",
        }
    }

    /// The channel of this name.
    #[must_use]
    pub fn named(text: &str) -> Option<Self> {
        let all = [Self::Notification, Self::Webhook, Self::Mail];
        all.into_iter().find(|channel| channel.as_str() == text)
    }
}

/// Something to be told, in hand.
#[derive(Clone, Debug)]
pub struct Waiting {
    /// Its own id: told twice, it is the same.
    pub id: Uuid,
    /// How.
    pub channel: Channel,
    /// How often it was taken in hand, this time included.
    pub attempts: u32,
    /// What happened.
    pub event: AlertEventId,
    /// Which of the two.
    pub kind: EventKind,
    /// What was read.
    pub reading: Reading,
    /// When it happened.
    pub occurred_at: DateTime<Utc>,
    /// To which alert, as it is now.
    pub alert: Alert,
    /// Whether somebody still sees that alert. Of what nobody does, nobody is told.
    pub is_seen: bool,
}

#[derive(QueryableByName)]
struct Due {
    #[diesel(sql_type = SqlUuid)]
    id: Uuid,
    #[diesel(sql_type = SqlUuid)]
    event_id: Uuid,
    #[diesel(sql_type = Text)]
    channel: String,
    #[diesel(sql_type = Integer)]
    attempts: i32,
}

/// Takes what is due longest in hand, for as long as `lease`.
///
/// # Errors
/// When the database fails.
pub async fn take(conn: &mut AsyncPgConnection, lease: Duration) -> Result<Option<Waiting>, StorageError> {
    type Row = (String, Option<f64>, Option<f64>, DateTime<Utc>, Uuid, Uuid, bool);
    let due: Option<Due> = diesel::sql_query(
        "UPDATE alert_deliveries SET attempts = attempts + 1, due_at = now() + make_interval(secs => $1)
          WHERE id = (SELECT id FROM alert_deliveries WHERE status = 'pending' AND due_at <= now()
                      ORDER BY due_at LIMIT 1 FOR UPDATE SKIP LOCKED)
         RETURNING id, event_id, channel, attempts",
    )
    .bind::<Double, _>(lease.as_secs_f64())
    .get_result(conn)
    .await
    .optional()?;
    let Some(due) = due else { return Ok(None) };
    let event: Option<Row> = alert_events::table
        .inner_join(alerts::table.on(alerts::id.eq(alert_events::alert_id)))
        .filter(alert_events::id.eq(due.event_id))
        .select((
            alert_events::kind,
            alert_events::number,
            alert_events::previous,
            alert_events::occurred_at,
            alerts::project_id,
            alerts::id,
            sql::<Bool>(&is_seen("alerts")),
        ))
        .first(conn)
        .await
        .optional()?;
    // Deleted meanwhile, and the delivery with it.
    let Some((kind, number, previous, occurred_at, project, alert, is_seen)) = event else { return Ok(None) };
    let Some(alert) = super::find(conn, ProjectId(project), AlertId(alert)).await? else { return Ok(None) };
    let no_channel = || StorageError::Corrupt(format!("`{}` is no channel of an alert", due.channel));
    let channel = Channel::named(&due.channel).ok_or_else(no_channel)?;
    Ok(Some(Waiting {
        id: due.id,
        channel,
        attempts: due.attempts.unsigned_abs(),
        event: AlertEventId(due.event_id),
        kind: EventKind::parse(&kind)?,
        reading: Reading { number, previous },
        occurred_at,
        alert,
        is_seen,
    }))
}

/// What became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settled<'a> {
    /// It is told.
    Delivered,
    /// It is to be tried again after a while.
    Later(Duration, &'a str),
    /// It is given up.
    Dead(&'a str),
}

/// Writes down what became of it, unless somebody else has it in hand by now.
///
/// # Errors
/// When the database fails.
pub async fn settle(
    conn: &mut AsyncPgConnection,
    waiting: &Waiting,
    settled: Settled<'_>,
) -> Result<(), StorageError> {
    let (status, wait, error) = match settled {
        Settled::Delivered => ("delivered", 0.0, None),
        Settled::Later(wait, error) => ("pending", wait.as_secs_f64(), Some(error)),
        Settled::Dead(error) => ("dead", 0.0, Some(error)),
    };
    diesel::sql_query(
        "UPDATE alert_deliveries
            SET status = $3, due_at = now() + make_interval(secs => $4), error = $5,
                settled_at = CASE WHEN $3 <> 'pending' THEN now() END
          WHERE id = $1 AND attempts = $2 AND status = 'pending'",
    )
    .bind::<SqlUuid, _>(waiting.id)
    .bind::<Integer, _>(i32::try_from(waiting.attempts).unwrap_or(i32::MAX))
    .bind::<Text, _>(status)
    .bind::<Double, _>(wait)
    .bind::<diesel::sql_types::Nullable<Text>, _>(error)
    .execute(conn)
    .await?;
    Ok(())
}

/// What became of the wish to have something told after all.
#[derive(Debug)]
pub enum Retried {
    /// It is to be told.
    Pending(Delivery),
    /// It has not been given up.
    NotDead(Delivery),
    /// There is no such thing to be told.
    Missing,
}

/// Has what was given up told after all.
///
/// # Errors
/// When the database fails.
pub async fn retry(
    conn: &mut AsyncPgConnection,
    alert: AlertId,
    event: AlertEventId,
    channel: Channel,
) -> Result<Retried, StorageError> {
    let of_the_alert = alert_events::table
        .filter(alert_events::alert_id.eq(alert.0))
        .filter(alert_events::id.eq(event.0))
        .select(alert_events::id);
    let wanted = alert_deliveries::table
        .filter(alert_deliveries::event_id.eq_any(of_the_alert))
        .filter(alert_deliveries::channel.eq(channel.as_str()));
    let pending: Option<Delivery> = diesel::update(wanted.filter(alert_deliveries::status.eq("dead")))
        .set((
            alert_deliveries::status.eq("pending"),
            alert_deliveries::due_at.eq(diesel::dsl::now),
            alert_deliveries::settled_at.eq(None::<DateTime<Utc>>),
        ))
        .returning(Delivery::as_returning())
        .get_result(conn)
        .await
        .optional()?;
    if let Some(pending) = pending {
        return Ok(Retried::Pending(pending));
    }
    let there: Option<Delivery> = wanted.select(Delivery::as_select()).first(conn).await.optional()?;
    Ok(there.map_or(Retried::Missing, Retried::NotDead))
}
