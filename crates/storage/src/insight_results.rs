//! What the questions of insights were answered last.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Array, Jsonb, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use millrace_domain::ids::{InsightId, ProjectId};
use serde_json::Value;
use uuid::Uuid;

use crate::error::StorageError;
use crate::schema::{insight_results, insights};

/// The last answer to what an insight asks at present.
#[derive(Clone, Debug)]
pub struct LastResult {
    /// The insight.
    pub insight: InsightId,
    /// The answer, as JSON.
    pub answer: String,
    /// When it was worked out.
    pub answered_at: DateTime<Utc>,
}

/// An answer that was just given.
#[derive(Clone, Copy, Debug)]
pub struct Given<'a> {
    /// The insight that asked.
    pub insight: InsightId,
    /// What it asked.
    pub query: &'a Value,
    /// The answer, as JSON.
    pub answer: &'a str,
}

/// Keeps answers in the place of older ones. What an insight does not ask any more is not kept.
///
/// # Errors
/// When the database fails.
pub async fn keep(
    conn: &mut AsyncPgConnection,
    results: &[Given<'_>],
    now: DateTime<Utc>,
) -> Result<(), StorageError> {
    // In one order, or two who keep the same answers wait for each other for ever.
    diesel::sql_query(
        "INSERT INTO insight_results (insight_id, query, answer, answered_at)
         SELECT id, given.query, given.answer, $4
           FROM unnest($1, $2, $3) AS given (insight_id, query, answer)
           JOIN insights ON insights.id = given.insight_id AND insights.query = given.query
          ORDER BY id
         ON CONFLICT (insight_id) DO UPDATE
            SET query = excluded.query, answer = excluded.answer, answered_at = excluded.answered_at
          WHERE insight_results.answered_at < excluded.answered_at",
    )
    .bind::<Array<SqlUuid>, _>(results.iter().map(|result| result.insight.0).collect::<Vec<Uuid>>())
    .bind::<Array<Jsonb>, _>(results.iter().map(|result| result.query).collect::<Vec<&Value>>())
    .bind::<Array<Text>, _>(results.iter().map(|result| result.answer).collect::<Vec<&str>>())
    .bind::<Timestamptz, _>(now)
    .execute(conn)
    .await?;
    Ok(())
}

/// The last answers to what these insights ask at present, of those that have one, in any order.
///
/// # Errors
/// When the database fails.
pub async fn of(conn: &mut AsyncPgConnection, ids: &[InsightId]) -> Result<Vec<LastResult>, StorageError> {
    let ids: Vec<Uuid> = ids.iter().map(|id| id.0).collect();
    let rows: Vec<(Uuid, String, DateTime<Utc>)> = insight_results::table
        .inner_join(insights::table.on(insights::id.eq(insight_results::insight_id)))
        .filter(insights::query.eq(insight_results::query.nullable()))
        .filter(insight_results::insight_id.eq_any(ids))
        .select((insight_results::insight_id, insight_results::answer, insight_results::answered_at))
        .load(conn)
        .await?;
    let last =
        |(insight, answer, answered_at)| LastResult { insight: InsightId(insight), answer, answered_at };
    Ok(rows.into_iter().map(last).collect())
}

/// Forgets the last answers of a project's insights: a user who is deleted may be in any of them by name.
///
/// # Errors
/// When the database fails.
pub async fn forget(conn: &mut AsyncPgConnection, project: ProjectId) -> Result<(), StorageError> {
    let of_project = insights::table.filter(insights::project_id.eq(project.0)).select(insights::id);
    diesel::delete(insight_results::table.filter(insight_results::insight_id.eq_any(of_project)))
        .execute(conn)
        .await?;
    Ok(())
}
