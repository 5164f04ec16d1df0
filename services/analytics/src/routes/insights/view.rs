//! What is shown of an insight.

use chrono::{DateTime, Utc};
use millrace_domain::ids::{AccountId, InsightId, ProjectId};
use millrace_domain::notification::{About, Notification, NotificationKind};
use millrace_domain::workspace::sharing::Visibility;
use millrace_storage::database::Connection;
use millrace_storage::error::StorageError;
use millrace_storage::insights::{self, Gone, Insight};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::errors::AnalyticsError;
use crate::keepsake::{Card, Keepsake};
use crate::markdown;
use crate::member::ProjectMember;
use crate::routes::last_result::LastResult;

/// An insight, as lists show it to those who may see it.
#[derive(Serialize, ToSchema)]
pub(super) struct InsightSummary {
    /// Its id.
    id: Uuid,
    /// What it is called.
    #[schema(example = "Sign-ups by country")]
    title: String,
    /// What it says, in Markdown.
    #[schema(example = "Since the *new* landing page")]
    body: String,
    /// The same as HTML that a page may show as it is.
    #[schema(example = "<p>Since the <em>new</em> landing page</p>\n")]
    body_html: String,
    /// What it asks, a body of `POST /api/v1/query`; `null` for a note.
    #[schema(value_type = Option<Object>)]
    query: Option<Value>,
    /// Whose it is; `null` when their account is gone.
    owner_id: Option<Uuid>,
    /// `private`: its owner sees it; `project`: every member.
    #[schema(value_type = String, example = "project")]
    visibility: Visibility,
    /// Words to find it by.
    #[schema(example = json!(["growth"]))]
    tags: Vec<String>,
    /// Changes with every change; the `ETag` says the same.
    version: i64,
    /// When it was made.
    created_at: DateTime<Utc>,
    /// When it was last changed.
    updated_at: DateTime<Utc>,
}

/// An insight with its last answer.
#[derive(Serialize, ToSchema)]
pub(crate) struct InsightView {
    #[serde(flatten)]
    summary: InsightSummary,
    /// What its question was answered last on a dashboard; `null` if it has not been since it was asked so.
    last_result: Option<LastResult>,
}

impl From<Insight> for InsightSummary {
    fn from(insight: Insight) -> Self {
        let Insight { id, title, body, query, kept, tags, version, created_at, updated_at } = insight;
        Self {
            id: id.0,
            title,
            body_html: markdown::to_html(&body),
            body,
            query,
            owner_id: kept.owner.map(|AccountId(id)| id),
            visibility: kept.visibility,
            tags,
            version,
            created_at,
            updated_at,
        }
    }
}

impl Keepsake for Insight {
    const NOUN: &'static str = "insight";
    const PATH: &'static str = "/api/v1/insights";
    const NEWS: [NotificationKind; 3] = [
        NotificationKind::InsightCreated,
        NotificationKind::InsightUpdated,
        NotificationKind::InsightDeleted,
    ];
    type Id = InsightId;
    type View = InsightView;

    fn card(&self) -> Card<'_, InsightId> {
        let about = About { insight_id: Some(self.id.0), ..About::default() };
        Card { id: self.id, version: self.version, kept: self.kept, about, title: ("title", &self.title) }
    }

    async fn find(
        conn: &mut Connection,
        project: ProjectId,
        id: InsightId,
    ) -> Result<Option<Self>, StorageError> {
        insights::find(conn, project, id).await
    }

    async fn delete(
        self,
        conn: &mut Connection,
        caller: &ProjectMember,
        now: DateTime<Utc>,
    ) -> Result<Option<Vec<Notification>>, StorageError> {
        let gone = insights::delete(conn, caller.project, self.id, self.version, now).await?;
        Ok(gone.map(|Gone { alerts, dashboards }| {
            let alerts = alerts.iter().map(|alert| caller.news_of(alert, NotificationKind::AlertDeleted));
            let dashboards = dashboards.iter().map(|dashboard| {
                caller.news_of_tile(NotificationKind::InsightRemovedFromDashboard, dashboard, &self)
            });
            alerts.chain(dashboards).collect()
        }))
    }

    async fn view(self, conn: &mut Connection, _: &ProjectMember) -> Result<InsightView, AnalyticsError> {
        let last_result = LastResult::of(conn, &[self.id]).await?.remove(&self.id);
        Ok(InsightView { summary: self.into(), last_result })
    }
}
