//! What a dashboard is made of, as it is sent.

use millrace_domain::ids::InsightId;
use millrace_domain::text::Title;
use millrace_domain::workspace::layout::{self, Place, Tile};
use millrace_domain::workspace::sharing::Visibility;
use millrace_http::problem::Problem;
use millrace_storage::database::Connection;
use millrace_storage::insights;
use serde::Deserialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::errors::AnalyticsError;
use crate::member::ProjectMember;

/// What a dashboard is made of; in a change, what is absent stays as it is.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct DashboardContent {
    /// 1 to 200 characters. A new dashboard needs one.
    #[schema(min_length = 1, max_length = 200, nullable = false, example = "Growth")]
    name: Option<String>,
    /// `project` if absent from a new one.
    #[schema(value_type = Option<String>, nullable = false, example = "project")]
    visibility: Option<Visibility>,
    /// At most 50 insights, each once.
    #[schema(max_items = 50, nullable = false)]
    layout: Option<Vec<TileContent>>,
}

/// An insight in its place on a grid of twelve columns.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct TileContent {
    /// The insight.
    insight_id: Uuid,
    /// The first column, from 0.
    #[schema(maximum = 11)]
    x: u8,
    /// The first row, from 0.
    #[schema(maximum = 999)]
    y: u16,
    /// How many columns it takes.
    #[schema(minimum = 1, maximum = 12)]
    width: u8,
    /// How many rows it takes.
    #[schema(minimum = 1)]
    height: u8,
}

impl From<TileContent> for Tile {
    fn from(TileContent { insight_id, x, y, width, height }: TileContent) -> Self {
        Self { insight: InsightId(insight_id), place: Place { x, y, width, height } }
    }
}

/// What was checked of it without looking anything up.
pub(super) struct Checked {
    pub(super) name: Option<Title>,
    pub(super) visibility: Option<Visibility>,
    layout: Option<Vec<Tile>>,
}

impl DashboardContent {
    pub(super) fn check(self) -> Result<Checked, Problem> {
        let name = self.name.map(|name| Title::parse(name.trim())).transpose();
        let name = name.map_err(|fault| Problem::field("name", "invalid", format!("name {fault}")))?;
        let layout = self.layout.map(|tiles| tiles.into_iter().map(Tile::from).collect());
        Ok(Checked { name, visibility: self.visibility, layout })
    }
}

impl Checked {
    /// The layout that it asks for, beside what is `hidden` from the caller.
    ///
    /// # Errors
    /// 422 when it breaks a law, or holds an insight that the caller does not see.
    pub(super) async fn layout(
        &self,
        conn: &mut Connection,
        caller: &ProjectMember,
        hidden: &[Tile],
    ) -> Result<Option<Vec<Tile>>, Problem> {
        let Some(asked) = &self.layout else { return Ok(None) };
        let ids: Vec<InsightId> = asked.iter().map(|tile| tile.insight).collect();
        let there = insights::among(conn, caller.project, &ids).await.map_err(AnalyticsError::from)?;
        let seen = |id: InsightId| {
            there.iter().any(|insight| insight.id == id && caller.member.may_see(insight.kept))
        };
        if let Some(unknown) = ids.into_iter().find(|id| !seen(*id)) {
            let message = format!("layout must hold insights of the project; {unknown} is not there");
            return Err(Problem::field("layout", "unknown_insight", message));
        }
        let whole: Vec<Tile> = asked.iter().chain(hidden).copied().collect();
        layout::check(&whole)
            .map_err(|fault| Problem::field("layout", "invalid", format!("layout {fault}")))?;
        Ok(Some(whole))
    }
}
