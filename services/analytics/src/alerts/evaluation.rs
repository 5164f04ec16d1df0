//! Looking at the number of an alert's insight.

use std::pin::pin;
use std::time::Duration;

use millrace_domain::analytics::time_zone::TimeZone;
use millrace_domain::workspace::alert::{Reading, number};
use millrace_domain::workspace::sharing::Visibility;
use millrace_http::problem::Problem;
use millrace_storage::alerts::Alert;
use millrace_storage::alerts::evaluation::{self, Outcome, Taken};
use millrace_storage::insights;
use serde_json::Value;
use tokio::time::timeout;

use crate::errors::AnalyticsError;
use crate::insight_answers::{answer, project};
use crate::state::State;

/// How long nobody else looks at an alert after whoever has taken it was last heard of.
const LEASE: Duration = Duration::from_secs(15);

/// Looks at the alert that is due longest. `false` when none is.
///
/// # Errors
/// When the database is away.
pub async fn next(state: &State) -> Result<bool, AnalyticsError> {
    let Some(taken) = evaluation::take(&mut *state.connection().await?, LEASE).await? else {
        return Ok(false);
    };
    let alert = &taken.alert;
    let reading = holding(state, &taken, read(state, alert)).await?;
    let standing = match reading {
        Ok(reading) => alert.standing.after(&alert.condition, alert.times, reading),
        // Who cannot look does not know better.
        Err(_) => alert.standing,
    };
    if let Err(reason) = &reading {
        tracing::info!(alert = %alert.id, reason, "an alert cannot be looked at");
    }
    let result = match &reading {
        Err(_) => "failed",
        Ok(_) if standing.firing == alert.standing.firing => "unchanged",
        Ok(_) if standing.firing => "fired",
        Ok(_) => "resolved",
    };
    let outcome = Outcome { standing, reading };
    let mut conn = state.connection().await?;
    let counted = evaluation::finish(&mut conn, &taken, &outcome, (state.clock)()).await?;
    let result = if counted { result } else { "overtaken" };
    metrics::counter!("alert_evaluations_total", "result" => result).increment(1);
    Ok(true)
}

/// Holds the alert for as long as it takes to look.
async fn holding<T>(
    state: &State,
    taken: &Taken,
    looking: impl Future<Output = Result<T, AnalyticsError>>,
) -> Result<T, AnalyticsError> {
    let mut looking = pin!(looking);
    loop {
        match timeout(LEASE / 3, looking.as_mut()).await {
            Ok(looked) => return looked,
            Err(_still_looking) => {
                evaluation::renew(&mut *state.connection().await?, taken, LEASE).await?;
            }
        }
    }
}

/// The number, or the reason for people why there is none.
async fn read(state: &State, alert: &Alert) -> Result<Result<Reading, String>, AnalyticsError> {
    let mut conn = state.connection().await?;
    let found = insights::find(&mut conn, alert.project_id, alert.insight_id).await?;
    drop(conn);
    let seen = found.filter(|insight| {
        insight.kept.visibility == Visibility::Project
            || (insight.kept.owner.is_some() && insight.kept.owner == alert.kept.owner)
    });
    let Some(insight) = seen else {
        return Ok(Err("the insight is gone, or not the owner's to see".to_owned()));
    };
    let Some(query) = insight.query else { return Ok(Err("the insight asks nothing".to_owned())) };
    let project = project(state, alert.project_id).await?;
    let answered = answer(state, &project, &query, false).await;
    let zone = query.get("timezone").and_then(Value::as_str).and_then(|name| TimeZone::parse(name).ok());
    Ok(answered.map_err(|problem: Problem| problem.detail().to_owned()).and_then(|(answer, _)| {
        number::read(answer.body(), zone.unwrap_or(project.timezone), (state.clock)())
            .map_err(|_another_kind| "the insight's answer has no single number".to_owned())
    }))
}
