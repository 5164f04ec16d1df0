//! Telling those who are to hear that an alert fired or was over.

use std::time::Duration;

use chrono::{DateTime, Utc};
use millrace_domain::notification::{About, Notification, NotificationKind};
use millrace_domain::workspace::sharing::{Kept, Visibility};
use millrace_messaging::notifications::notify;
use millrace_storage::alerts::deliveries::{self, Channel, Settled, Waiting};
use millrace_storage::alerts::history::EventKind;
use millrace_storage::alerts::secrets;
use millrace_storage::database::Connection;
use millrace_storage::error::StorageError;
use millrace_storage::insights;
use millrace_storage::mails::{self, AlertMail};
use serde::Serialize;
use uuid::Uuid;

use super::webhook::Undelivered;
use crate::errors::AnalyticsError;
use crate::state::State;

/// How long nobody else takes up what somebody has in hand: longer than a receiver may take.
const LEASE: Duration = Duration::from_secs(60);
/// How long a receiver may be given, so that looking up its name and asking it end within that.
pub const LONGEST_PATIENCE: Duration = Duration::from_secs(25);
/// The pause after the first failure; each that follows is four times as long.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(4 * 3600);
/// After so many tries, about half a day, it is given up.
const TRIES: u32 = 10;

/// What a receiver is posted.
#[derive(Serialize)]
struct Posted<'a> {
    id: Uuid,
    r#type: &'static str,
    occurred_at: DateTime<Utc>,
    project_id: Uuid,
    alert_id: Uuid,
    insight_id: Uuid,
    name: &'a str,
    number: Option<f64>,
    previous: Option<f64>,
    condition: millrace_domain::workspace::alert::Condition,
}

/// Tells what is due longest. `false` when nothing is.
///
/// # Errors
/// When the database is away.
pub async fn next(state: &State) -> Result<bool, AnalyticsError> {
    let mut conn = state.connection().await?;
    let Some(waiting) = deliveries::take(&mut conn, LEASE).await? else { return Ok(false) };
    drop(conn);
    let told = match waiting.channel {
        _ if !waiting.is_seen => {
            Err(Undelivered::Never("the alert is private, and its owner no member any more"))
        }
        Channel::Notification => announce(state, &waiting).await,
        Channel::Webhook => post(state, &waiting).await,
        Channel::Mail => mail(&mut state.connection().await?, &waiting, (state.clock)()).await,
    };
    let (result, settled) = match &told {
        Ok(()) => ("delivered", Settled::Delivered),
        Err(Undelivered::Never(reason)) => ("dead", Settled::Dead(reason)),
        Err(Undelivered::Later(reason)) if waiting.attempts >= TRIES => ("dead", Settled::Dead(reason)),
        Err(Undelivered::Later(reason)) => ("postponed", Settled::Later(pause(waiting.attempts), reason)),
    };
    let (channel, alert, attempts) = (waiting.channel.as_str(), waiting.alert.id, waiting.attempts);
    if let Err(reason) = &told {
        tracing::warn!(%alert, channel, attempts, %reason, result, "nobody has heard of an alert");
    }
    metrics::counter!("alert_deliveries_total", "channel" => channel, "result" => result).increment(1);
    deliveries::settle(&mut *state.connection().await?, &waiting, settled).await?;
    Ok(true)
}

fn pause(attempts: u32) -> Duration {
    FIRST_PAUSE.saturating_mul(4u32.saturating_pow(attempts.saturating_sub(1))).min(LONGEST_PAUSE)
}

fn later(error: &impl std::fmt::Display) -> Undelivered {
    Undelivered::Later(error.to_string())
}

/// On the sockets of those who may see both the alert and its insight.
async fn announce(state: &State, waiting: &Waiting) -> Result<(), Undelivered> {
    let Waiting { event, kind, reading, occurred_at, alert, .. } = waiting;
    let mut conn = state.connection().await.map_err(|error| later(&error))?;
    let insight = insights::find(&mut conn, alert.project_id, alert.insight_id).await;
    drop(conn);
    let insight = insight.map_err(|error| later(&error))?.ok_or(Undelivered::Never("its insight is gone"))?;
    let about =
        About { alert_id: Some(alert.id.0), insight_id: Some(alert.insight_id.0), ..About::default() };
    let kind = match kind {
        EventKind::Fired => NotificationKind::AlertFired,
        EventKind::Resolved => NotificationKind::AlertResolved,
    };
    let told = Notification { id: event.0, ..Notification::new(kind, about, *occurred_at) }
        .with("name", alert.name.as_str())
        .with("number", reading.number)
        .with("previous", reading.previous);
    let told = match alert.kept.and(insight.kept) {
        Kept { visibility: Visibility::Project, .. } => told,
        Kept { owner: Some(owner), .. } => told.for_account(owner),
        Kept { owner: None, .. } => return Err(Undelivered::Never("nobody may hear of it")),
    };
    notify(&state.broker, alert.project_id, &told).await.map_err(|error| later(&error))
}

/// As a request to where the alert says.
async fn post(state: &State, waiting: &Waiting) -> Result<(), Undelivered> {
    let Waiting { kind, reading, occurred_at, alert, .. } = waiting;
    let url = alert.webhook_url.as_ref().ok_or(Undelivered::Never("the alert has no webhook any more"))?;
    let mut conn = state.connection().await.map_err(|error| later(&error))?;
    let kept = secrets::of(&mut conn, alert.id).await.map_err(|error| later(&error))?;
    drop(conn);
    let secret = state.webhook_key.open(alert.id, kept)?;
    let body = serde_json::to_string(&Posted {
        id: waiting.event.0,
        r#type: match kind {
            EventKind::Fired => NotificationKind::AlertFired.as_str(),
            EventKind::Resolved => NotificationKind::AlertResolved.as_str(),
        },
        occurred_at: *occurred_at,
        project_id: alert.project_id.0,
        alert_id: alert.id.0,
        insight_id: alert.insight_id.0,
        name: &alert.name,
        number: reading.number,
        previous: reading.previous,
        condition: alert.condition,
    });
    let body = body.map_err(|error| later(&error))?;
    state.webhooks.post(url, &secret, (waiting.id, Utc::now().timestamp()), body).await
}

/// As a mail to its owner, which auth sends: it has the mail server.
async fn mail(conn: &mut Connection, waiting: &Waiting, now: DateTime<Utc>) -> Result<(), Undelivered> {
    let Some(owner) = waiting.alert.kept.owner else {
        return Err(Undelivered::Never("the alert has no owner any more"));
    };
    let wish = AlertMail { owner, project: waiting.alert.project_id, event: waiting.event };
    let noted: Result<bool, StorageError> = mails::ask_for_alert(conn, wish, now).await;
    match noted {
        Ok(true) => Ok(()),
        Ok(false) => {
            Err(Undelivered::Never("the owner is no member any more, or has not proved their address"))
        }
        Err(error) => Err(later(&error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_tried_for_half_a_day() {
        let pauses: Vec<u64> = (1..TRIES).map(|attempts| pause(attempts).as_secs()).collect();
        assert_eq!(pauses, [1, 4, 16, 64, 256, 1024, 4096, 14_400, 14_400]);
        assert_eq!(pause(u32::MAX), LONGEST_PAUSE);
    }
}
