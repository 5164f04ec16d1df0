//! Insights that come onto dashboards and leave them.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};
use millrace_domain::ids::{DashboardId, InsightId};
use millrace_domain::workspace::layout::{self, Tile};
use uuid::Uuid;

use super::{Dashboard, Row};
use crate::error::StorageError;
use crate::schema::dashboards;
use crate::tiles;

/// What became of an insight that was to stand on a dashboard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Added {
    /// It stands there.
    Yes,
    /// It stood there before, and where it was.
    Already,
    /// There is no room.
    Full,
}

/// Puts an insight below everything that is on a dashboard.
///
/// # Errors
/// [`StorageError::Missing`] when one of the two is gone.
pub async fn add(
    conn: &mut AsyncPgConnection,
    id: DashboardId,
    insight: InsightId,
    now: DateTime<Utc>,
) -> Result<Added, StorageError> {
    conn.transaction(async |conn| {
        tiles::hold(conn, [insight]).await?;
        hold(conn, id).await?;
        let tiles = tiles::of_dashboard(conn, id).await?;
        if tiles.iter().any(|tile| tile.insight == insight) {
            return Ok(Added::Already);
        }
        if tiles.len() >= layout::MAX_TILES {
            return Ok(Added::Full);
        }
        let place = layout::Place::below(&tiles);
        tiles::put(conn, id, &[Tile { insight, place }]).await?;
        touch(conn, id, now).await?;
        Ok(Added::Yes)
    })
    .await
}

/// Takes an insight off a dashboard. Whether it stood there.
///
/// # Errors
/// When the database fails.
pub async fn remove(
    conn: &mut AsyncPgConnection,
    id: DashboardId,
    insight: InsightId,
    now: DateTime<Utc>,
) -> Result<bool, StorageError> {
    conn.transaction(async |conn| {
        hold(conn, id).await?;
        let stood_there = tiles::take(conn, id, insight).await?;
        if stood_there {
            touch(conn, id, now).await?;
        }
        Ok(stood_there)
    })
    .await
}

/// Takes an insight off all dashboards, and returns those on which it stood. The caller holds the insight.
pub(crate) async fn without(
    conn: &mut AsyncPgConnection,
    insight: InsightId,
    now: DateTime<Utc>,
) -> Result<Vec<Dashboard>, StorageError> {
    let mut changed = Vec::new();
    for id in tiles::dashboards_with(conn, insight).await? {
        hold(conn, id).await?;
        if tiles::take(conn, id, insight).await? {
            changed.push(touch(conn, id, now).await?);
        }
    }
    Ok(changed)
}

/// Has whoever changes what stands on it wait until the caller's transaction has ended, and then see what is there.
/// Insights are held before dashboards, and dashboards before what stands on them, or two wait for each other for ever.
pub(crate) async fn hold(conn: &mut AsyncPgConnection, id: DashboardId) -> Result<(), StorageError> {
    let row = dashboards::table.find(id.0).select(dashboards::id).for_update();
    row.first::<Uuid>(conn).await.optional()?;
    Ok(())
}

/// Makes another version of it.
async fn touch(
    conn: &mut AsyncPgConnection,
    id: DashboardId,
    now: DateTime<Utc>,
) -> Result<Dashboard, StorageError> {
    let row: Row = diesel::update(dashboards::table.find(id.0))
        .set((dashboards::version.eq(dashboards::version + 1), dashboards::updated_at.eq(now)))
        .returning(Row::as_returning())
        .get_result(conn)
        .await?;
    row.try_into()
}
