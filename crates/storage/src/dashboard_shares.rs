//! Links through which anybody reads a dashboard.

use chrono::{DateTime, Utc};
use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::Bool;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use millrace_domain::ids::{AccountId, DashboardId, ProjectId, ShareId};
use uuid::Uuid;

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

/// Makes a link, of which only the hash of its token is kept.
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
) -> Result<Share, StorageError> {
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
    Ok(row.into())
}

/// A dashboard's links, oldest first, those that have expired included.
///
/// # Errors
/// When the database fails.
pub async fn of_dashboard(
    conn: &mut AsyncPgConnection,
    dashboard: DashboardId,
) -> Result<Vec<Share>, StorageError> {
    let rows: Vec<Row> = dashboard_shares::table
        .filter(dashboard_shares::dashboard_id.eq(dashboard.0))
        .order((dashboard_shares::created_at, dashboard_shares::id))
        .select(Row::as_select())
        .load(conn)
        .await?;
    Ok(rows.into_iter().map(Into::into).collect())
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
