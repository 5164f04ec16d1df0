//! What is shown of a dashboard.

use chrono::{DateTime, Utc};
use millrace_domain::ids::{AccountId, DashboardId, ProjectId};
use millrace_domain::notification::{About, Notification, NotificationKind};
use millrace_domain::workspace::layout::{Place, Tile};
use millrace_domain::workspace::sharing::Visibility;
use millrace_storage::dashboards::{self, Dashboard};
use millrace_storage::database::Connection;
use millrace_storage::error::StorageError;
use millrace_storage::insights::Insight;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::standing::Standing;
use crate::errors::AnalyticsError;
use crate::keepsake::{Card, Keepsake};
use crate::member::ProjectMember;

/// A dashboard, as lists show it.
#[derive(Serialize, ToSchema)]
pub(super) struct DashboardSummary {
    /// Its id.
    id: Uuid,
    /// What it is called.
    #[schema(example = "Growth")]
    name: String,
    /// Whose it is; `null` when their account is gone.
    owner_id: Option<Uuid>,
    /// `private`: its owner sees it; `project`: every member.
    #[schema(value_type = String, example = "project")]
    visibility: Visibility,
    /// Changes with every change; the `ETag` says the same.
    version: i64,
    /// When it was made.
    created_at: DateTime<Utc>,
    /// When it was last changed.
    updated_at: DateTime<Utc>,
}

impl From<Dashboard> for DashboardSummary {
    fn from(dashboard: Dashboard) -> Self {
        let Dashboard { id, name, kept, version, created_at, updated_at, .. } = dashboard;
        let owner_id = kept.owner.map(|AccountId(id)| id);
        Self { id: id.0, name, owner_id, visibility: kept.visibility, version, created_at, updated_at }
    }
}

/// Dashboards.
#[derive(Serialize, ToSchema)]
pub(super) struct DashboardList {
    /// By name.
    pub(super) data: Vec<DashboardSummary>,
    /// Where the next page begins; `null` after the last.
    pub(super) next_cursor: Option<String>,
}

/// A dashboard with what stands on it.
#[derive(Serialize, ToSchema)]
pub(crate) struct DashboardView {
    #[serde(flatten)]
    summary: DashboardSummary,
    /// The insights on it, from the top, then from the left.
    layout: Vec<TileView>,
    #[serde(skip)]
    hidden: Vec<Tile>,
}

/// An insight in its place on a grid of twelve columns.
#[derive(Serialize, ToSchema)]
pub(super) struct TileView {
    /// The insight.
    insight_id: Uuid,
    /// What it is called.
    #[schema(example = "Sign-ups by country")]
    title: String,
    /// The first column, from 0.
    #[schema(maximum = 11)]
    x: u8,
    /// The first row, from 0.
    y: u16,
    /// How many columns it takes.
    #[schema(minimum = 1, maximum = 12, example = 6)]
    width: u8,
    /// How many rows it takes.
    #[schema(minimum = 1, example = 4)]
    height: u8,
}

impl TileView {
    pub(super) fn new(place: Place, insight: &Insight) -> Self {
        let Place { x, y, width, height } = place;
        Self { insight_id: insight.id.0, title: insight.title.clone(), x, y, width, height }
    }
}

impl Keepsake for Dashboard {
    const NOUN: &'static str = "dashboard";
    const PATH: &'static str = "/api/v1/dashboards";
    const NEWS: [NotificationKind; 3] = [
        NotificationKind::DashboardCreated,
        NotificationKind::DashboardUpdated,
        NotificationKind::DashboardDeleted,
    ];
    type Id = DashboardId;
    type View = DashboardView;

    fn card(&self) -> Card<'_, DashboardId> {
        let about = About { dashboard_id: Some(self.id.0), ..About::default() };
        Card { id: self.id, version: self.version, kept: self.kept, about, title: ("name", &self.name) }
    }

    async fn find(
        conn: &mut Connection,
        project: ProjectId,
        id: DashboardId,
    ) -> Result<Option<Self>, StorageError> {
        dashboards::find(conn, project, id).await
    }

    async fn delete(
        self,
        conn: &mut Connection,
        caller: &ProjectMember,
        _: DateTime<Utc>,
    ) -> Result<Option<Vec<Notification>>, StorageError> {
        let gone = dashboards::delete(conn, caller.project, self.id, self.version).await?;
        Ok(gone.then(Vec::new))
    }

    async fn view(
        self,
        conn: &mut Connection,
        caller: &ProjectMember,
    ) -> Result<DashboardView, AnalyticsError> {
        let Standing { shown, hidden } =
            Standing::read(conn, &self, |kept| caller.member.may_see(kept)).await?;
        let layout = shown.iter().map(|(tile, insight)| TileView::new(tile.place, insight)).collect();
        Ok(DashboardView { summary: self.into(), layout, hidden })
    }
}

impl DashboardView {
    /// What stands on it and is not the caller's to see.
    pub(super) fn hidden(&self) -> &[Tile] {
        &self.hidden
    }
}
