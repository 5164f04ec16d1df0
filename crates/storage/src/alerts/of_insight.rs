//! What becomes of alerts with the insight whose number they look at.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use millrace_domain::ids::{InsightId, ProjectId};
use millrace_domain::workspace::sharing::{Kept, Visibility};

use super::row::{Row, State, alert};
use super::{Alert, Content, change};
use crate::error::StorageError;
use crate::schema::{alert_states, alerts, insights};

/// The alerts on an insight, which nobody changes until the caller's transaction has ended.
pub(crate) async fn hold(
    conn: &mut AsyncPgConnection,
    project: ProjectId,
    insight: InsightId,
) -> Result<Vec<Alert>, StorageError> {
    let rows: Vec<(Row, State)> = alerts::table
        .inner_join(alert_states::table.on(alert_states::alert_id.eq(alerts::id)))
        .filter(alerts::project_id.eq(project.0))
        .filter(alerts::insight_id.eq(insight.0))
        .order(alerts::id)
        .select((Row::as_select(), State::as_select()))
        .for_update()
        .load(conn)
        .await?;
    rows.into_iter().map(alert).collect()
}

/// Makes the alerts on a private insight private where they are its owner's, and switches off those of others. Returns
/// those that were not so before.
pub(crate) async fn hide(
    conn: &mut AsyncPgConnection,
    project: ProjectId,
    insight: InsightId,
    kept: Kept,
    now: DateTime<Utc>,
) -> Result<Vec<Alert>, StorageError> {
    let mut changed = Vec::new();
    for Alert { id, version, kept: of_the_alert, enabled, .. } in hold(conn, project, insight).await? {
        let is_the_owners = of_the_alert.owner.is_some() && of_the_alert.owner == kept.owner;
        let content = match of_the_alert.visibility {
            Visibility::Project if is_the_owners => {
                Content { visibility: Some(Visibility::Private.as_str()), ..Content::default() }
            }
            _ if !is_the_owners && enabled => Content { enabled: Some(false), ..Content::default() },
            _ => continue,
        };
        changed.extend(change(conn, project, id, version, content, None, now).await?);
    }
    Ok(changed)
}

/// Who sees the insight of an alert, for as long as the caller's transaction lasts; `None` if it is gone.
pub(super) async fn visibility(
    conn: &mut AsyncPgConnection,
    project: ProjectId,
    insight: InsightId,
) -> Result<Option<Visibility>, StorageError> {
    let found: Option<String> = insights::table
        .find(insight.0)
        .filter(insights::project_id.eq(project.0))
        .select(insights::visibility)
        .for_share()
        .first(conn)
        .await
        .optional()?;
    found.as_deref().map(crate::insights::read_visibility).transpose()
}
