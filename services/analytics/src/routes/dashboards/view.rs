//! What is shown of a dashboard.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use millrace_domain::ids::{AccountId, InsightId};
use millrace_domain::workspace::layout::Tile;
use millrace_domain::workspace::sharing::Visibility;
use millrace_storage::dashboards::Dashboard;
use millrace_storage::database::Connection;
use millrace_storage::{insights, tiles};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::errors::AnalyticsError;
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
pub(super) struct DashboardView {
    #[serde(flatten)]
    summary: DashboardSummary,
    /// The insights on it, from the top, then from the left.
    layout: Vec<TileView>,
    #[serde(skip)]
    hidden: Vec<Tile>,
}

/// An insight in its place on a grid of twelve columns.
#[derive(Serialize, ToSchema)]
struct TileView {
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

impl DashboardView {
    /// Reads what stands on it.
    pub(super) async fn read(
        conn: &mut Connection,
        caller: &ProjectMember,
        dashboard: Dashboard,
    ) -> Result<Self, AnalyticsError> {
        let tiles = tiles::of_dashboard(conn, dashboard.id).await?;
        let ids: Vec<InsightId> = tiles.iter().map(|tile| tile.insight).collect();
        let seen: BTreeMap<InsightId, String> = insights::among(conn, caller.project, &ids)
            .await?
            .into_iter()
            .filter(|insight| caller.member.may_see(insight.kept))
            .map(|insight| (insight.id, insight.title))
            .collect();
        let (shown, hidden): (Vec<Tile>, Vec<Tile>) =
            tiles.into_iter().partition(|tile| seen.contains_key(&tile.insight));
        let view = |Tile { insight, place }: Tile| TileView {
            insight_id: insight.0,
            title: seen.get(&insight).cloned().unwrap_or_default(),
            x: place.x,
            y: place.y,
            width: place.width,
            height: place.height,
        };
        Ok(Self { summary: dashboard.into(), layout: shown.into_iter().map(view).collect(), hidden })
    }

    /// What stands on it and is not the caller's to see.
    pub(super) fn hidden(&self) -> &[Tile] {
        &self.hidden
    }
}
