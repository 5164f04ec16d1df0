//! Distinct users and what they did.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types;
use diesel_async::AsyncPgConnection;
use millrace_domain::analytics::sessions::GAP;
use millrace_domain::ids::{EventId, ProjectId, UserNo};
use millrace_domain::text::UserId;
use roaring::RoaringBitmap;
use serde_json::Value;
use uuid::Uuid;

use crate::counts::parse_count;
use crate::error::StorageError;
use crate::raw::{self, user_no};
use crate::selected::Statement;

/// A distinct user.
#[derive(Clone, Debug, PartialEq)]
pub struct User {
    /// The application's name for them.
    pub user_id: String,
    /// Their number.
    pub user_no: UserNo,
    /// What is known of them.
    pub traits: Value,
    /// The time of their earliest event.
    pub first_seen: DateTime<Utc>,
    /// The time of their latest event.
    pub last_seen: DateTime<Utc>,
}

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = sql_types::Text)]
    user_id: String,
    #[diesel(sql_type = sql_types::Integer)]
    user_no: i32,
    #[diesel(sql_type = sql_types::Jsonb)]
    traits: Value,
    #[diesel(sql_type = sql_types::Timestamptz)]
    first_seen: DateTime<Utc>,
    #[diesel(sql_type = sql_types::Timestamptz)]
    last_seen: DateTime<Utc>,
}

impl Row {
    fn parse(self) -> Result<User, StorageError> {
        let Self { user_id, user_no: number, traits, first_seen, last_seen } = self;
        Ok(User { user_id, user_no: user_no(number)?, traits, first_seen, last_seen })
    }
}

/// The users with events, whose first and last are read off the index of events by user.
const SELECT: &str = "SELECT users.user_id, users.user_no, users.traits, seen.first_seen, seen.last_seen
    FROM users, LATERAL (
        SELECT min(occurred_at) AS first_seen, max(occurred_at) AS last_seen FROM events
        WHERE events.project_id = users.project_id AND events.user_no = users.user_no
    ) seen WHERE seen.first_seen IS NOT NULL AND users.project_id = ";

/// The first `limit` users with events by their ids, of those after `after`.
///
/// # Errors
/// When the database fails.
pub async fn page(
    conn: &mut AsyncPgConnection,
    project: ProjectId,
    after: &str,
    limit: u16,
) -> Result<Vec<User>, StorageError> {
    let rows: Vec<Row> = Statement::new(SELECT)
        .bind::<sql_types::Uuid, _>(project.0)
        .sql(" AND users.user_id > ")
        .text(after)
        .sql(" ORDER BY users.user_id LIMIT ")
        .bind::<sql_types::BigInt, _>(i64::from(limit))
        .load(conn)
        .await?;
    rows.into_iter().map(Row::parse).collect()
}

/// A user with events.
///
/// # Errors
/// When the database fails.
pub async fn find(
    conn: &mut AsyncPgConnection,
    project: ProjectId,
    user: &UserId,
) -> Result<Option<User>, StorageError> {
    let rows: Vec<Row> = Statement::new(SELECT)
        .bind::<sql_types::Uuid, _>(project.0)
        .sql(" AND users.user_id = ")
        .text(user.as_str())
        .load(conn)
        .await?;
    rows.into_iter().next().map(Row::parse).transpose()
}

/// The numbers of those of these users that there are.
///
/// # Errors
/// When the database fails.
pub async fn numbers(
    conn: &mut AsyncPgConnection,
    project: ProjectId,
    users: &[UserId],
) -> Result<RoaringBitmap, StorageError> {
    let names: Vec<String> = users.iter().map(ToString::to_string).collect();
    let statement = Statement::new("SELECT user_no FROM users WHERE project_id = ")
        .bind::<sql_types::Uuid, _>(project.0)
        .sql(" AND user_id = ANY(")
        .bind::<sql_types::Array<sql_types::Text>, _>(names)
        .sql(")");
    raw::numbers(statement, conn).await
}

/// The names of the first `limit` of these users by their ids, of those after `after`.
///
/// # Errors
/// When the database fails.
pub async fn names(
    conn: &mut AsyncPgConnection,
    project: ProjectId,
    users: &RoaringBitmap,
    after: &str,
    limit: u16,
) -> Result<Vec<String>, StorageError> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = sql_types::Text)]
        user_id: String,
    }
    let rows: Vec<Row> = Statement::new("SELECT user_id FROM users WHERE project_id = ")
        .bind::<sql_types::Uuid, _>(project.0)
        .sql(" AND user_id > ")
        .text(after)
        .sql(" AND ")
        .among(users)
        .sql(" ORDER BY user_id LIMIT ")
        .bind::<sql_types::BigInt, _>(i64::from(limit))
        .load(conn)
        .await?;
    Ok(rows.into_iter().map(|row| row.user_id).collect())
}

/// How often a user did what: by number, then by name.
///
/// # Errors
/// When the database fails.
pub async fn event_types(
    conn: &mut AsyncPgConnection,
    project: ProjectId,
    user: UserNo,
) -> Result<Vec<(String, u64)>, StorageError> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = sql_types::Text)]
        event_type: String,
        #[diesel(sql_type = sql_types::BigInt)]
        count: i64,
    }
    let rows: Vec<Row> = of_user(Statement::new("SELECT event_type, count(*) AS count"), project, user)?
        .sql(" GROUP BY 1 ORDER BY 2 DESC, event_type COLLATE \"C\"")
        .load(conn)
        .await?;
    rows.into_iter().map(|row| Ok((row.event_type, parse_count(row.count)?))).collect()
}

/// An event as it is stored.
#[derive(Clone, Debug, PartialEq, QueryableByName)]
pub struct StoredEvent {
    /// Its id.
    #[diesel(sql_type = sql_types::Uuid)]
    pub event_id: Uuid,
    /// What happened.
    #[diesel(sql_type = sql_types::Text)]
    pub event_type: String,
    /// When.
    #[diesel(sql_type = sql_types::Timestamptz)]
    pub occurred_at: DateTime<Utc>,
    /// When its request was received.
    #[diesel(sql_type = sql_types::Timestamptz)]
    pub received_at: DateTime<Utc>,
    /// In which session.
    #[diesel(sql_type = sql_types::Nullable<sql_types::Text>)]
    pub session_id: Option<String>,
    /// Whatever else the sender said.
    #[diesel(sql_type = sql_types::Jsonb)]
    pub properties: Value,
    /// About the sending.
    #[diesel(sql_type = sql_types::Nullable<sql_types::Jsonb>)]
    pub context: Option<Value>,
}

/// What a user's events are ordered by.
pub type Place = (DateTime<Utc>, EventId);

/// At most `limit` events of a user, the latest first, of those that come after a place in that order.
///
/// # Errors
/// When the database fails.
pub async fn events(
    conn: &mut AsyncPgConnection,
    project: ProjectId,
    user: UserNo,
    after: Option<Place>,
    limit: u16,
) -> Result<Vec<StoredEvent>, StorageError> {
    let columns = "SELECT event_id, event_type, occurred_at, received_at, session_id, properties, context";
    let mut statement = of_user(Statement::new(columns), project, user)?;
    if let Some((time, EventId(id))) = after {
        // The first condition lets the index be used, the second decides.
        statement = statement
            .sql(" AND occurred_at <= ")
            .instant(time)
            .sql(" AND (occurred_at, event_id) < (")
            .instant(time)
            .sql(", ")
            .bind::<sql_types::Uuid, _>(id)
            .sql(")");
    }
    statement
        .sql(" ORDER BY occurred_at DESC, event_id DESC LIMIT ")
        .bind::<sql_types::BigInt, _>(i64::from(limit))
        .load(conn)
        .await
}

/// When the session began that a user's event at this time without a session id is in. Walks back along the index until
/// there is a gap.
///
/// # Errors
/// When the database fails.
pub async fn session_start(
    conn: &mut AsyncPgConnection,
    project: ProjectId,
    user: UserNo,
    at: DateTime<Utc>,
) -> Result<DateTime<Utc>, StorageError> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = sql_types::Timestamptz)]
        occurred_at: DateTime<Utc>,
    }
    let before = "SELECT occurred_at FROM
                     (SELECT occurred_at, lead(occurred_at) OVER (ORDER BY occurred_at DESC) AS before";
    let rows: Vec<Row> = of_user(Statement::new(before), project, user)?
        .sql(" AND session_id IS NULL AND occurred_at <= ")
        .instant(at)
        .sql(" ORDER BY occurred_at DESC) AS events WHERE before IS NULL OR occurred_at - before > ")
        .bind::<sql_types::Interval, _>(GAP)
        .sql(" LIMIT 1")
        .load(conn)
        .await?;
    Ok(rows.as_slice().first().map_or(at, |row| row.occurred_at))
}

fn of_user(
    statement: Statement<'static>,
    project: ProjectId,
    user: UserNo,
) -> Result<Statement<'static>, StorageError> {
    let number = i32::try_from(user).map_err(|e| StorageError::Corrupt(format!("a user number: {e}")))?;
    Ok(statement
        .sql(" FROM events WHERE project_id = ")
        .bind::<sql_types::Uuid, _>(project.0)
        .sql(" AND user_no = ")
        .bind::<sql_types::Integer, _>(number))
}
