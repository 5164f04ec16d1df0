//! Finding the days whose stored postings are missing or old.

use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Date, Nullable, Text, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use millrace_domain::ids::ProjectId;
use millrace_domain::text::EventType;
use uuid::Uuid;

use super::EDITION;
use super::building::MOST_EVENTS;
use crate::counts::parse_type;
use crate::error::StorageError;

/// How far a walk through the days of all projects has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    project: Uuid,
    day: NaiveDate,
}

/// A day of an event type.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DueDay {
    /// Whose.
    pub project: ProjectId,
    /// Of what.
    pub event_type: EventType,
    /// Its midnight in UTC.
    pub start: DateTime<Utc>,
}

/// Days whose stored postings are missing or old.
#[derive(Clone, Debug, Default)]
pub struct Due {
    /// Each with something that is another when its events are others.
    pub days: Vec<(DueDay, (i64, i64))>,
    /// How far the walk has come; nothing when it is at its end.
    pub place: Option<Place>,
}

/// Looks at the `limit` days with events that come after `after`.
///
/// # Errors
/// When the database fails.
pub async fn look(
    conn: &mut AsyncPgConnection,
    after: Option<Place>,
    limit: i64,
) -> Result<Due, StorageError> {
    #[derive(QueryableByName)]
    struct Day {
        #[diesel(sql_type = SqlUuid)]
        project_id: Uuid,
        #[diesel(sql_type = Date)]
        day: NaiveDate,
    }
    // From each day with events to the next by a step down the index, however many counts a day has.
    let days: Vec<Day> = diesel::sql_query(
        "WITH RECURSIVE days AS (
             (SELECT project_id, (bucket AT TIME ZONE 'UTC')::date AS day FROM event_counts
              WHERE (project_id, bucket) >= ($1, coalesce(($2::date + 1)::timestamp AT TIME ZONE 'UTC', '-infinity'))
              ORDER BY project_id, bucket LIMIT 1)
             UNION ALL
             SELECT later.* FROM days CROSS JOIN LATERAL
                 (SELECT project_id, (bucket AT TIME ZONE 'UTC')::date AS day FROM event_counts
                  WHERE (project_id, bucket) >= (days.project_id, (days.day + 1)::timestamp AT TIME ZONE 'UTC')
                  ORDER BY project_id, bucket LIMIT 1) AS later)
         SELECT project_id, day FROM days LIMIT $3",
    )
    .bind::<SqlUuid, _>(after.map_or(Uuid::nil(), |place| place.project))
    .bind::<Nullable<Date>, _>(after.map(|place| place.day))
    .bind::<BigInt, _>(limit)
    .load(conn)
    .await?;
    let mut due = Due::default();
    for Day { project_id, day } in &days {
        due.days.extend(of_day(conn, *project_id, *day).await?);
    }
    due.place = days.last().map(|Day { project_id, day }| Place { project: *project_id, day: *day });
    Ok(due)
}

async fn of_day(
    conn: &mut AsyncPgConnection,
    project: Uuid,
    day: NaiveDate,
) -> Result<Vec<(DueDay, (i64, i64))>, StorageError> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = Text)]
        event_type: String,
        #[diesel(sql_type = BigInt)]
        events: i64,
        #[diesel(sql_type = BigInt)]
        rows: i64,
    }
    let rows: Vec<Row> = diesel::sql_query(format!(
        "SELECT event_type, events, rows FROM
             (SELECT event_type, {EDITION} FROM event_counts
              WHERE project_id = $1 AND bucket >= $2::timestamp AT TIME ZONE 'UTC'
                AND bucket < ($2::date + 1)::timestamp AT TIME ZONE 'UTC' GROUP BY event_type) AS present
         WHERE events BETWEEN 1 AND $3
           AND EXISTS (SELECT FROM projects WHERE id = $1
               AND coalesce(events_since <= $2::timestamp AT TIME ZONE 'UTC', true))
           AND NOT EXISTS (SELECT FROM postings AS stored
               WHERE stored.project_id = $1 AND stored.event_type = present.event_type AND stored.day = $2
                 AND stored.events = present.events AND stored.rows = present.rows)",
    ))
    .bind::<SqlUuid, _>(project)
    .bind::<Date, _>(day)
    .bind::<BigInt, _>(i64::try_from(MOST_EVENTS).unwrap_or(i64::MAX))
    .load(conn)
    .await?;
    rows.into_iter()
        .map(|row| {
            let event_type = parse_type(&row.event_type)?;
            let start = day.and_time(NaiveTime::MIN).and_utc();
            Ok((DueDay { project: ProjectId(project), event_type, start }, (row.events, row.rows)))
        })
        .collect()
}
