//! Alerts as the database holds them: what somebody made, and beside it what was read.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use millrace_domain::ids::{AccountId, AlertId, InsightId, ProjectId};
use millrace_domain::workspace::alert::{Reading, Standing};
use millrace_domain::workspace::sharing::Kept;
use serde_json::Value;
use uuid::Uuid;

use super::Alert;
use crate::error::StorageError;
use crate::insights::read_visibility;
use crate::schema::{alert_states, alerts};

#[derive(Queryable, Selectable)]
#[diesel(table_name = alerts)]
pub(super) struct Row {
    pub(super) id: Uuid,
    project_id: Uuid,
    insight_id: Uuid,
    name: String,
    owner_id: Option<Uuid>,
    visibility: String,
    condition: Value,
    times: i16,
    every_seconds: i32,
    enabled: bool,
    by_mail: bool,
    webhook_url: Option<String>,
    version: i64,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = alert_states)]
pub(super) struct State {
    firing: bool,
    against: i16,
    number: Option<f64>,
    previous: Option<f64>,
    error: Option<String>,
    evaluated_at: Option<DateTime<Utc>>,
}

pub(super) fn alert((row, state): (Row, State)) -> Result<Alert, StorageError> {
    let condition = serde_json::from_value(row.condition);
    Ok(Alert {
        id: AlertId(row.id),
        project_id: ProjectId(row.project_id),
        insight_id: InsightId(row.insight_id),
        name: row.name,
        kept: Kept { owner: row.owner_id.map(AccountId), visibility: read_visibility(&row.visibility)? },
        condition: condition.map_err(|error| StorageError::Corrupt(error.to_string()))?,
        times: row.times.unsigned_abs(),
        every_seconds: row.every_seconds.unsigned_abs(),
        enabled: row.enabled,
        by_mail: row.by_mail,
        webhook_url: row.webhook_url,
        version: row.version,
        created_at: row.created_at,
        updated_at: row.updated_at,
        standing: Standing { firing: state.firing, against: state.against.unsigned_abs() },
        reading: Reading { number: state.number, previous: state.previous },
        error: state.error,
        evaluated_at: state.evaluated_at,
    })
}
