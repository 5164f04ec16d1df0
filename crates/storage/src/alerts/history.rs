//! When alerts fired and were over, and who heard of it.

use std::time::Duration;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Double};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use millrace_domain::ids::{AlertEventId, AlertId};
use millrace_domain::workspace::alert::Reading;
use uuid::Uuid;

use super::Alert;
use crate::error::StorageError;
use crate::schema::{alert_deliveries, alert_events, alerts};

/// What happened to an alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventKind {
    /// What it looks out for is the case.
    Fired,
    /// It is not any more.
    Resolved,
}

impl EventKind {
    /// The name used in JSON and in the database.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Fired => "fired",
            Self::Resolved => "resolved",
        }
    }

    pub(super) fn parse(text: &str) -> Result<Self, StorageError> {
        let found = [Self::Fired, Self::Resolved].into_iter().find(|kind| kind.as_str() == text);
        found.ok_or_else(|| StorageError::Corrupt(format!("`{text}` is no event of an alert")))
    }
}

/// That it fired, or was over.
#[derive(Clone, Debug)]
pub struct Event {
    /// Its id.
    pub id: AlertEventId,
    /// Which of the two.
    pub kind: EventKind,
    /// What was read.
    pub reading: Reading,
    /// When.
    pub occurred_at: DateTime<Utc>,
    /// Who was to hear of it.
    pub deliveries: Vec<Delivery>,
}

/// What became of telling somebody.
#[derive(Clone, Debug, Queryable, Selectable)]
#[diesel(table_name = alert_deliveries)]
pub struct Delivery {
    event_id: Uuid,
    /// `notification`, `webhook` or `mail`.
    pub channel: String,
    /// `pending`, `delivered` or `dead`.
    pub status: String,
    /// How often it was tried.
    pub attempts: i32,
    /// Why it failed, the last time.
    pub error: Option<String>,
    /// When it was delivered or given up.
    pub settled_at: Option<DateTime<Utc>>,
}

/// Writes down that it has fired or is over, and who is to hear of it.
pub(super) async fn note(
    conn: &mut AsyncPgConnection,
    alert: &Alert,
    kind: EventKind,
    read: Reading,
    now: DateTime<Utc>,
) -> Result<(), StorageError> {
    let event = AlertEventId::new();
    diesel::insert_into(alert_events::table)
        .values((
            alert_events::id.eq(event.0),
            alert_events::alert_id.eq(alert.id.0),
            alert_events::kind.eq(kind.as_str()),
            alert_events::number.eq(read.number),
            alert_events::previous.eq(read.previous),
            alert_events::occurred_at.eq(now),
        ))
        .execute(conn)
        .await?;
    let channels =
        [("notification", true), ("webhook", alert.webhook_url.is_some()), ("mail", alert.by_mail)];
    let wanted = channels.into_iter().filter(|(_, wanted)| *wanted);
    let rows: Vec<_> = wanted
        .map(|(channel, _)| {
            (
                alert_deliveries::id.eq(Uuid::now_v7()),
                alert_deliveries::event_id.eq(event.0),
                alert_deliveries::channel.eq(channel),
                alert_deliveries::due_at.eq(diesel::dsl::now),
            )
        })
        .collect();
    diesel::insert_into(alert_deliveries::table).values(rows).execute(conn).await?;
    Ok(())
}

/// Where an event stands in the history: newest first.
pub type Place = (DateTime<Utc>, AlertEventId);

impl Event {
    /// Where it stands.
    #[must_use]
    pub fn place(&self) -> Place {
        (self.occurred_at, self.id)
    }
}

/// At most `limit` of an alert's events, of those before a place.
///
/// # Errors
/// When the database fails.
pub async fn page(
    conn: &mut AsyncPgConnection,
    alert: AlertId,
    before: Option<Place>,
    limit: u16,
) -> Result<Vec<Event>, StorageError> {
    type Row = (Uuid, String, Option<f64>, Option<f64>, DateTime<Utc>);
    let mut query = alert_events::table
        .filter(alert_events::alert_id.eq(alert.0))
        .order((alert_events::occurred_at.desc(), alert_events::id.desc()))
        .limit(limit.into())
        .select((
            alert_events::id,
            alert_events::kind,
            alert_events::number,
            alert_events::previous,
            alert_events::occurred_at,
        ))
        .into_boxed();
    if let Some((time, AlertEventId(id))) = before {
        let same_time = alert_events::occurred_at.eq(time).and(alert_events::id.lt(id));
        query = query.filter(alert_events::occurred_at.lt(time).or(same_time));
    }
    let rows: Vec<Row> = query.load(conn).await?;
    let ids: Vec<Uuid> = rows.iter().map(|(id, ..)| *id).collect();
    let deliveries: Vec<Delivery> = alert_deliveries::table
        .filter(alert_deliveries::event_id.eq_any(ids))
        .order(alert_deliveries::channel)
        .select(Delivery::as_select())
        .load(conn)
        .await?;
    let event = |(id, kind, number, previous, occurred_at): Row| {
        let deliveries = deliveries.iter().filter(|delivery| delivery.event_id == id).cloned().collect();
        let (kind, reading) = (EventKind::parse(&kind)?, Reading { number, previous });
        Ok(Event { id: AlertEventId(id), kind, reading, occurred_at, deliveries })
    };
    rows.into_iter().map(event).collect()
}

/// Forgets at most `most` events that are older than `age`. The newest of each alert stays, whatever its age, and so does
/// what somebody is still to hear of. How many were forgotten.
///
/// # Errors
/// When the database fails.
pub async fn forget(conn: &mut AsyncPgConnection, age: Duration, most: u32) -> Result<u64, StorageError> {
    let gone = diesel::sql_query(
        "DELETE FROM alert_events WHERE id IN (
             SELECT old.id FROM alert_events AS old
              WHERE old.occurred_at < now() - make_interval(secs => $1)
                AND EXISTS (SELECT FROM alert_events AS newer
                             WHERE newer.alert_id = old.alert_id
                               AND (newer.occurred_at, newer.id) > (old.occurred_at, old.id))
                AND NOT EXISTS (SELECT FROM alert_deliveries
                                 WHERE event_id = old.id AND status = 'pending')
              LIMIT $2)",
    )
    .bind::<Double, _>(age.as_secs_f64())
    .bind::<BigInt, _>(i64::from(most))
    .execute(conn)
    .await?;
    Ok(u64::try_from(gone).unwrap_or(u64::MAX))
}

/// What a mail says of an event.
#[derive(Clone, Debug)]
pub struct News {
    /// What the alert is called.
    pub alert_name: String,
    /// Whether it fired or was over.
    pub kind: EventKind,
    /// What was read.
    pub reading: Reading,
    /// When.
    pub occurred_at: DateTime<Utc>,
}

/// What there is to say of an event; `None` if it is deleted.
///
/// # Errors
/// When the database fails.
pub async fn news(conn: &mut AsyncPgConnection, event: AlertEventId) -> Result<Option<News>, StorageError> {
    type Row = (String, String, Option<f64>, Option<f64>, DateTime<Utc>);
    let row: Option<Row> = alert_events::table
        .inner_join(alerts::table.on(alerts::id.eq(alert_events::alert_id)))
        .filter(alert_events::id.eq(event.0))
        .select((
            alerts::name,
            alert_events::kind,
            alert_events::number,
            alert_events::previous,
            alert_events::occurred_at,
        ))
        .first(conn)
        .await
        .optional()?;
    let news = |(alert_name, kind, number, previous, occurred_at): Row| {
        let reading = Reading { number, previous };
        Ok(News { alert_name, kind: EventKind::parse(&kind)?, reading, occurred_at })
    };
    row.map(news).transpose()
}
