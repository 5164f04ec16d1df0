//! What stands on a dashboard.

use std::collections::BTreeMap;

use millrace_domain::ids::InsightId;
use millrace_domain::workspace::layout::Tile;
use millrace_domain::workspace::sharing::Kept;
use millrace_storage::dashboards::Dashboard;
use millrace_storage::database::Connection;
use millrace_storage::insights::Insight;
use millrace_storage::{insights, tiles};

use crate::errors::AnalyticsError;

/// The insights on a dashboard, parted by whether somebody sees them.
pub(super) struct Standing {
    /// From the top, then from the left.
    pub(super) shown: Vec<(Tile, Insight)>,
    pub(super) hidden: Vec<Tile>,
}

impl Standing {
    /// Reads what stands there.
    pub(super) async fn read(
        conn: &mut Connection,
        dashboard: &Dashboard,
        sees: impl Fn(Kept) -> bool,
    ) -> Result<Self, AnalyticsError> {
        let tiles = tiles::of_dashboard(conn, dashboard.id).await?;
        let ids: Vec<InsightId> = tiles.iter().map(|tile| tile.insight).collect();
        let mut seen: BTreeMap<InsightId, Insight> = insights::among(conn, dashboard.project_id, &ids)
            .await?
            .into_iter()
            .filter(|insight| sees(insight.kept))
            .map(|insight| (insight.id, insight))
            .collect();
        let mut standing = Self { shown: Vec::new(), hidden: Vec::new() };
        for tile in tiles {
            match seen.remove(&tile.insight) {
                Some(insight) => standing.shown.push((tile, insight)),
                None => standing.hidden.push(tile),
            }
        }
        Ok(standing)
    }
}
