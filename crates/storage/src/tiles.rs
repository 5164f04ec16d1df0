//! What stands where on a dashboard.

use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use millrace_domain::ids::{DashboardId, InsightId};
use millrace_domain::workspace::layout::{Place, Tile};
use uuid::Uuid;

use crate::error::StorageError;
use crate::schema::{insights, tiles};

/// A dashboard's tiles, from the top, then from the left.
///
/// # Errors
/// When the database fails.
pub async fn of_dashboard(
    conn: &mut AsyncPgConnection,
    dashboard: DashboardId,
) -> Result<Vec<Tile>, StorageError> {
    let rows: Vec<(Uuid, i16, i16, i16, i16)> = tiles::table
        .filter(tiles::dashboard_id.eq(dashboard.0))
        .order((tiles::y, tiles::x, tiles::insight_id))
        .select((tiles::insight_id, tiles::x, tiles::y, tiles::width, tiles::height))
        .load(conn)
        .await?;
    rows.into_iter().map(tile).collect()
}

fn tile((insight, x, y, width, height): (Uuid, i16, i16, i16, i16)) -> Result<Tile, StorageError> {
    let cells = |n: i16| u8::try_from(n).map_err(|_not_on_the_grid| off_the_grid(n));
    let y = u16::try_from(y).map_err(|_not_on_the_grid| off_the_grid(y))?;
    let place = Place { x: cells(x)?, y, width: cells(width)?, height: cells(height)? };
    Ok(Tile { insight: InsightId(insight), place })
}

fn off_the_grid(n: i16) -> StorageError {
    StorageError::Corrupt(format!("a tile's place {n} is not on the grid"))
}

/// Puts these tiles in the place of those that are there. The caller holds a transaction.
///
/// # Errors
/// [`StorageError::Missing`] when an insight does not exist.
pub(crate) async fn replace(
    conn: &mut AsyncPgConnection,
    dashboard: DashboardId,
    layout: &[Tile],
) -> Result<(), StorageError> {
    diesel::delete(tiles::table.filter(tiles::dashboard_id.eq(dashboard.0))).execute(conn).await?;
    put(conn, dashboard, layout).await
}

/// Puts more tiles beside those that are there.
///
/// # Errors
/// [`StorageError::Missing`] when dashboard or insight do not exist.
pub(crate) async fn put(
    conn: &mut AsyncPgConnection,
    dashboard: DashboardId,
    more: &[Tile],
) -> Result<(), StorageError> {
    let rows: Vec<_> = more
        .iter()
        .map(|Tile { insight, place }| {
            (
                tiles::dashboard_id.eq(dashboard.0),
                tiles::insight_id.eq(insight.0),
                tiles::x.eq(i16::from(place.x)),
                // A row of the grid: at most 1,000.
                tiles::y.eq(i16::try_from(place.y).unwrap_or(i16::MAX)),
                tiles::width.eq(i16::from(place.width)),
                tiles::height.eq(i16::from(place.height)),
            )
        })
        .collect();
    diesel::insert_into(tiles::table).values(rows).execute(conn).await?;
    Ok(())
}

/// Has whoever deletes these insights wait until the caller's transaction has ended.
pub(crate) async fn hold(
    conn: &mut AsyncPgConnection,
    insights: impl IntoIterator<Item = InsightId>,
) -> Result<(), StorageError> {
    let ids: Vec<Uuid> = insights.into_iter().map(|id| id.0).collect();
    let held = insights::table.filter(insights::id.eq_any(ids)).order(insights::id).select(insights::id);
    held.for_key_share().load::<Uuid>(conn).await?;
    Ok(())
}

/// The dashboards on which an insight stands.
pub(crate) async fn dashboards_with(
    conn: &mut AsyncPgConnection,
    insight: InsightId,
) -> Result<Vec<DashboardId>, StorageError> {
    let ids: Vec<Uuid> = tiles::table
        .filter(tiles::insight_id.eq(insight.0))
        .order(tiles::dashboard_id)
        .select(tiles::dashboard_id)
        .load(conn)
        .await?;
    Ok(ids.into_iter().map(DashboardId).collect())
}

/// Takes a tile away. Whether it was there.
///
/// # Errors
/// When the database fails.
pub(crate) async fn take(
    conn: &mut AsyncPgConnection,
    dashboard: DashboardId,
    insight: InsightId,
) -> Result<bool, StorageError> {
    Ok(diesel::delete(tiles::table.find((dashboard.0, insight.0))).execute(conn).await? == 1)
}
