//! Events that are older than their project keeps them go: whole chunks where every project lets go of them, the rest in
//! batches. Their counts and sets stay or go as the project wants.

use chrono::{DateTime, Days, NaiveDate, Utc};
use millrace_domain::jobs::{Progress, Report};
use millrace_storage::retention::{self, Mark, Retention};
use serde_json::{Value, json};

use crate::jobs::Work;
use crate::jobs::delete_user::renew_versions;
use crate::jobs::error::JobError;

/// Events that are deleted in one transaction.
const BATCH_EVENTS: i64 = 10_000;

/// From when on a project keeps its events: the beginning of one of its days.
fn kept_since(retention: &Retention, now: DateTime<Utc>) -> Option<(NaiveDate, DateTime<Utc>)> {
    let today = retention.timezone.local_day(now);
    let first = today.checked_sub_days(Days::new(u64::from(retention.days?)))?;
    Some((first, retention.timezone.day_start(first)))
}

/// Lets go of what is too old.
///
/// # Errors
/// See [`JobError`].
pub async fn run(work: &Work) -> Result<Report, JobError> {
    let now = Utc::now();
    let mut conn = work.tools.connection().await?;
    let projects = retention::all(&mut conn).await?;
    let due: Vec<(&Retention, NaiveDate, DateTime<Utc>)> = projects
        .iter()
        .filter_map(|project| kept_since(project, now).map(|(day, cutoff)| (project, day, cutoff)))
        .collect();
    for (project, _, cutoff) in &due {
        retention::announce(&mut conn, project.project_id, *cutoff).await?;
    }
    let everybody =
        if due.len() == projects.len() { due.iter().map(|(.., cutoff)| *cutoff).min() } else { None };
    let chunks = match everybody {
        Some(cutoff) => retention::drop_chunks(&mut conn, cutoff).await?,
        None => 0,
    };
    let mut events = 0;
    for (project, day, cutoff) in due {
        let before = events;
        let mut at = Mark::default();
        while let Some(next) =
            retention::delete_events(&mut conn, project.project_id, cutoff, &at, BATCH_EVENTS).await?
        {
            events += next.events();
            let progress = Progress { done: events, total: None };
            work.hold.note(&Value::Null, progress).write(&mut conn).await?;
            at = next;
        }
        if !project.keeps_roll_ups {
            retention::delete_roll_ups(&mut conn, project.project_id, cutoff, day).await?;
        }
        if events > before || chunks > 0 {
            renew_versions(work, project.project_id, DateTime::UNIX_EPOCH, cutoff).await;
        }
    }
    Ok(json!({"chunks_dropped": chunks, "events_deleted": events}))
}

#[cfg(test)]
mod tests {
    use millrace_domain::analytics::time_zone::TimeZone;
    use millrace_domain::ids::ProjectId;

    use super::*;

    #[test]
    fn a_project_keeps_whole_days_of_its_own() {
        let keeping = |days| Retention {
            project_id: ProjectId::new(),
            timezone: TimeZone::parse("Asia/Kolkata").unwrap(),
            days,
            keeps_roll_ups: true,
        };
        let now = "2026-11-20T20:00:00Z".parse().unwrap();
        let (day, cutoff) = kept_since(&keeping(Some(2)), now).unwrap();
        assert_eq!(
            (day.to_string(), cutoff.to_rfc3339()),
            ("2026-11-19".to_owned(), "2026-11-18T18:30:00+00:00".to_owned())
        );
        assert_eq!(kept_since(&keeping(None), now), None);
    }
}
