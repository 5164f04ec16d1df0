//! What is shown of an alert.

use chrono::{DateTime, Utc};
use millrace_domain::ids::{AccountId, AlertId, ProjectId};
use millrace_domain::notification::{About, Notification, NotificationKind};
use millrace_domain::workspace::alert::Condition;
use millrace_domain::workspace::sharing::Visibility;
use millrace_storage::alerts::{self, Alert};
use millrace_storage::database::Connection;
use millrace_storage::error::StorageError;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::errors::AnalyticsError;
use crate::keepsake::{Card, Keepsake};
use crate::member::ProjectMember;

/// An alert, as those who may see it do.
#[derive(Serialize, ToSchema)]
pub(crate) struct AlertView {
    /// Its id.
    id: Uuid,
    /// Whose number it looks at.
    insight_id: Uuid,
    /// What it is called.
    #[schema(example = "Orders have stopped")]
    name: String,
    /// Whose it is; `null` when their account is gone.
    owner_id: Option<Uuid>,
    /// `private`: its owner sees it; `project`: every member.
    #[schema(value_type = String, example = "project")]
    visibility: Visibility,
    /// What it looks out for.
    #[schema(value_type = Object, example = json!({"kind": "threshold", "direction": "below", "value": 10, "clear": 20}))]
    condition: Condition,
    /// How many readings in a row decide.
    times: u16,
    /// How often it looks.
    every_seconds: u32,
    /// Whether it looks.
    enabled: bool,
    /// Whether its owner gets a mail.
    mail: bool,
    /// Where it is posted; shown to those who may change it.
    webhook: Option<String>,
    /// Whether what it looks out for is the case.
    firing: bool,
    /// The number that it read last: of the last interval that has ended.
    number: Option<f64>,
    /// That of the interval before.
    previous: Option<f64>,
    /// Why it could not read, the last time.
    error: Option<String>,
    /// When it looked last.
    evaluated_at: Option<DateTime<Utc>>,
    /// Changes with every change that somebody makes; the `ETag` says the same.
    version: i64,
    /// When it was made.
    created_at: DateTime<Utc>,
    /// When it was last changed.
    updated_at: DateTime<Utc>,
}

/// Alerts.
#[derive(Serialize, ToSchema)]
pub(super) struct AlertList {
    /// By name.
    pub(super) data: Vec<AlertView>,
    /// Where the next page begins; `null` after the last.
    pub(super) next_cursor: Option<String>,
}

/// What an alert's deliveries are signed with.
#[derive(Serialize, ToSchema)]
pub(super) struct SecretView {
    /// The key of the HMAC, as it is, prefix included.
    #[schema(example = "mrw_Zm9vYmFyYmF6cXV4cXV1eGNvcmdlZ3JhdWx0Z2FycGx5")]
    pub(super) webhook_secret: String,
}

impl AlertView {
    pub(super) fn new(alert: Alert, caller: &ProjectMember) -> Self {
        Self {
            id: alert.id.0,
            insight_id: alert.insight_id.0,
            name: alert.name,
            owner_id: alert.kept.owner.map(|AccountId(id)| id),
            visibility: alert.kept.visibility,
            condition: alert.condition,
            times: alert.times,
            every_seconds: alert.every_seconds,
            enabled: alert.enabled,
            mail: alert.by_mail,
            webhook: alert.webhook_url.filter(|_| caller.member.may_change(alert.kept)),
            firing: alert.standing.firing,
            number: alert.reading.number,
            previous: alert.reading.previous,
            error: alert.error,
            evaluated_at: alert.evaluated_at,
            version: alert.version,
            created_at: alert.created_at,
            updated_at: alert.updated_at,
        }
    }
}

impl Keepsake for Alert {
    const NOUN: &'static str = "alert";
    const PATH: &'static str = "/api/v1/alerts";
    const NEWS: [NotificationKind; 3] =
        [NotificationKind::AlertCreated, NotificationKind::AlertUpdated, NotificationKind::AlertDeleted];
    type Id = AlertId;
    type View = AlertView;

    fn card(&self) -> Card<'_, AlertId> {
        let about =
            About { alert_id: Some(self.id.0), insight_id: Some(self.insight_id.0), ..About::default() };
        Card { id: self.id, version: self.version, kept: self.kept, about, title: ("name", &self.name) }
    }

    async fn find(
        conn: &mut Connection,
        project: ProjectId,
        id: AlertId,
    ) -> Result<Option<Self>, StorageError> {
        alerts::find(conn, project, id).await
    }

    async fn delete(
        self,
        conn: &mut Connection,
        caller: &ProjectMember,
        _: DateTime<Utc>,
    ) -> Result<Option<Vec<Notification>>, StorageError> {
        let gone = alerts::delete(conn, caller.project, self.id, self.version).await?;
        Ok(gone.then(Vec::new))
    }

    async fn view(self, _: &mut Connection, caller: &ProjectMember) -> Result<AlertView, AnalyticsError> {
        Ok(AlertView::new(self, caller))
    }
}
