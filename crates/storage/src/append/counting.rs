//! What rows that were stored add to the roll-ups.

use std::collections::HashMap;

use millrace_domain::analytics::time_zone::TimeZone;
use millrace_domain::ids::ProjectId;
use millrace_domain::rollup::{self, RollUps};
use tokio_postgres::Transaction;

use super::Appended;
use super::statements::Statements;
use super::writing::Numbered;
use crate::error::StorageError;

/// Counts rows that were just stored.
pub(super) async fn count(
    transaction: &Transaction<'_>,
    statements: &Statements,
    fresh: &[&Numbered<'_>],
    zones: &HashMap<ProjectId, TimeZone>,
    keeps_sets: bool,
) -> Result<Appended, StorageError> {
    let mut appended = Appended::default();
    let rows = fresh.iter().map(|row| {
        let event = row.new.event;
        *appended.by_message.entry(row.new.stream_seq).or_default() += 1;
        rollup::Row {
            project_id: row.new.project_id,
            event_type: &event.event_type,
            occurred_at: event.occurred_at,
            user_no: row.user_no,
        }
    });
    let roll_ups = RollUps::fold(rows, zones).map_err(|e| StorageError::UnknownProject(e.0))?;
    for ((_, _, event_type), count) in &roll_ups.counts {
        *appended.by_type.entry(event_type.clone()).or_default() += count.unsigned_abs();
    }
    if keeps_sets {
        add_activity(transaction, statements, &roll_ups).await?;
    }
    // Last, because this is where workers wait for each other: on the row of the present quarter of an hour.
    add_counts(transaction, statements, &roll_ups).await?;
    Ok(appended)
}

async fn add_activity(
    transaction: &Transaction<'_>,
    statements: &Statements,
    roll_ups: &RollUps,
) -> Result<(), StorageError> {
    let (mut projects, mut types, mut days, mut sets) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for ((project, day, event_type), users) in &roll_ups.activity {
        projects.push(project.0);
        types.push(crate::activity::column(event_type.as_ref()));
        days.push(*day);
        sets.push(crate::activity::to_bytes(users)?);
    }
    transaction.execute(&statements.add_activity, &[&projects, &types, &days, &sets]).await?;
    Ok(())
}

async fn add_counts(
    transaction: &Transaction<'_>,
    statements: &Statements,
    roll_ups: &RollUps,
) -> Result<(), StorageError> {
    let (mut projects, mut buckets, mut types, mut counts) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for ((project, bucket, event_type), count) in &roll_ups.counts {
        projects.push(project.0);
        buckets.push(*bucket);
        types.push(event_type.as_str());
        counts.push(*count);
    }
    transaction.execute(&statements.add_counts, &[&projects, &buckets, &types, &counts]).await?;
    Ok(())
}
