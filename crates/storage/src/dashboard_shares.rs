//! Links through which anybody reads a dashboard.

use std::time::Duration;

use chrono::{DateTime, Utc};
use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool, Double};
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};
use millrace_domain::ids::{AccountId, DashboardId, ProjectId, ShareId};
use uuid::Uuid;

use crate::dashboards::hold;
use crate::error::StorageError;
use crate::kept::is_seen;
use crate::schema::{dashboard_shares, dashboards};

/// A link as lists show it.
#[derive(Clone, Debug)]
pub struct Share {
    /// Its public id.
    pub id: ShareId,
    /// Who made it; `None`: their account is gone.
    pub created_by: Option<AccountId>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it stops working; `None`: when it is revoked.
    pub expires_at: Option<DateTime<Utc>>,
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = dashboard_shares)]
struct Row {
    id: Uuid,
    created_by: Option<Uuid>,
    created_at: DateTime<Utc>,
    expires_at: Option<DateTime<Utc>>,
}

impl From<Row> for Share {
    fn from(Row { id, created_by, created_at, expires_at }: Row) -> Self {
        Self { id: ShareId(id), created_by: created_by.map(AccountId), created_at, expires_at }
    }
}

/// How many links of a dashboard may work at a time.
pub const MOST: i64 = 100;

/// How many links of a dashboard work at `now`.
///
/// # Errors
/// When the database fails.
pub async fn working(
    conn: &mut AsyncPgConnection,
    dashboard: DashboardId,
    now: DateTime<Utc>,
) -> Result<i64, StorageError> {
    let still_good = dashboard_shares::expires_at.is_null().or(dashboard_shares::expires_at.gt(now));
    let links = dashboard_shares::table.filter(dashboard_shares::dashboard_id.eq(dashboard.0));
    Ok(links.filter(still_good.assume_not_null()).count().get_result(conn).await?)
}

/// Makes a link, of which only the hash of its token is kept. `None` when [`MOST`] work already.
///
/// # Errors
/// [`StorageError::Missing`] when the dashboard is gone.
pub async fn create(
    conn: &mut AsyncPgConnection,
    id: ShareId,
    dashboard: DashboardId,
    by: AccountId,
    hash: &[u8; 32],
    now: DateTime<Utc>,
    expires_at: Option<DateTime<Utc>>,
) -> Result<Option<Share>, StorageError> {
    conn.transaction(async |conn| {
        hold(conn, dashboard).await?;
        if working(conn, dashboard, now).await? >= MOST {
            return Ok(None);
        }
        let row: Row = diesel::insert_into(dashboard_shares::table)
            .values((
                dashboard_shares::id.eq(id.0),
                dashboard_shares::dashboard_id.eq(dashboard.0),
                dashboard_shares::hash.eq(hash.as_slice()),
                dashboard_shares::created_by.eq(by.0),
                dashboard_shares::created_at.eq(now),
                dashboard_shares::expires_at.eq(expires_at),
            ))
            .returning(Row::as_returning())
            .get_result(conn)
            .await?;
        Ok(Some(row.into()))
    })
    .await
}

/// What a dashboard's links are ordered by.
pub type Place = (DateTime<Utc>, ShareId);

impl Share {
    /// Where it stands in the list.
    #[must_use]
    pub fn place(&self) -> Place {
        (self.created_at, self.id)
    }
}

/// At most `limit` of a dashboard's links, oldest first, of those `after` a place. Those that have expired are among them
/// until they are forgotten.
///
/// # Errors
/// When the database fails.
pub async fn page(
    conn: &mut AsyncPgConnection,
    dashboard: DashboardId,
    after: Option<Place>,
    limit: u16,
) -> Result<Vec<Share>, StorageError> {
    let mut query = dashboard_shares::table
        .filter(dashboard_shares::dashboard_id.eq(dashboard.0))
        .order((dashboard_shares::created_at, dashboard_shares::id))
        .limit(limit.into())
        .select(Row::as_select())
        .into_boxed();
    if let Some((time, ShareId(id))) = after {
        let same_time = dashboard_shares::created_at.eq(time).and(dashboard_shares::id.gt(id));
        query = query.filter(dashboard_shares::created_at.gt(time).or(same_time));
    }
    let rows: Vec<Row> = query.load(conn).await?;
    Ok(rows.into_iter().map(Into::into).collect())
}

/// Forgets at most `most` links that expired longer than `age` ago. How many they were.
///
/// # Errors
/// When the database fails.
pub async fn forget(conn: &mut AsyncPgConnection, age: Duration, most: u32) -> Result<u64, StorageError> {
    let gone = diesel::sql_query(
        "DELETE FROM dashboard_shares WHERE id IN (
             SELECT id FROM dashboard_shares WHERE expires_at < now() - make_interval(secs => $1) LIMIT $2)",
    )
    .bind::<Double, _>(age.as_secs_f64())
    .bind::<BigInt, _>(i64::from(most))
    .execute(conn)
    .await?;
    Ok(u64::try_from(gone).unwrap_or(u64::MAX))
}

/// Takes a link away. Whether it was there.
///
/// # Errors
/// When the database fails.
pub async fn revoke(
    conn: &mut AsyncPgConnection,
    dashboard: DashboardId,
    id: ShareId,
) -> Result<bool, StorageError> {
    let link = dashboard_shares::table.find(id.0).filter(dashboard_shares::dashboard_id.eq(dashboard.0));
    Ok(diesel::delete(link).execute(conn).await? == 1)
}

/// What the link with this hash shows at `now`: nothing of a private dashboard whose owner is no member any more.
///
/// # Errors
/// When the database fails.
pub async fn opens(
    conn: &mut AsyncPgConnection,
    hash: &[u8; 32],
    now: DateTime<Utc>,
) -> Result<Option<(ProjectId, DashboardId)>, StorageError> {
    let still_good = dashboard_shares::expires_at.is_null().or(dashboard_shares::expires_at.gt(now));
    let found: Option<(Uuid, Uuid)> = dashboard_shares::table
        .inner_join(dashboards::table.on(dashboards::id.eq(dashboard_shares::dashboard_id)))
        .filter(dashboard_shares::hash.eq(hash.as_slice()))
        .filter(still_good.assume_not_null())
        .filter(sql::<Bool>(&is_seen("dashboards")))
        .select((dashboards::project_id, dashboards::id))
        .first(conn)
        .await
        .optional()?;
    Ok(found.map(|(project, dashboard)| (ProjectId(project), DashboardId(dashboard))))
}
