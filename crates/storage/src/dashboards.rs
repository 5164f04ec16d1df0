//! Dashboards: insights on one page.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};
use millrace_domain::ids::{AccountId, DashboardId, ProjectId};
use millrace_domain::workspace::layout::Tile;
use millrace_domain::workspace::sharing::{Kept, Member, Visibility};
use uuid::Uuid;

use crate::error::StorageError;
use crate::insights::read_visibility;
use crate::kept::{by_name, seen_by, unchanged};
use crate::schema::dashboards;
use crate::tiles;

mod standing;

pub use self::standing::{Added, add, remove};
pub(crate) use self::standing::{hold, without};

/// A dashboard without what stands on it.
#[derive(Clone, Debug)]
pub struct Dashboard {
    /// Its id.
    pub id: DashboardId,
    /// The project it belongs to.
    pub project_id: ProjectId,
    /// What it is called.
    pub name: String,
    /// Whose it is and who sees it.
    pub kept: Kept,
    /// Changes with every change, also of its layout.
    pub version: i64,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    pub updated_at: DateTime<Utc>,
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = dashboards)]
struct Row {
    id: Uuid,
    project_id: Uuid,
    name: String,
    owner_id: Option<Uuid>,
    visibility: String,
    version: i64,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

impl TryFrom<Row> for Dashboard {
    type Error = StorageError;

    fn try_from(row: Row) -> Result<Self, StorageError> {
        let Row { id, project_id, name, owner_id, visibility, version, created_at, updated_at } = row;
        let kept = Kept { owner: owner_id.map(AccountId), visibility: read_visibility(&visibility)? };
        let (id, project_id) = (DashboardId(id), ProjectId(project_id));
        Ok(Self { id, project_id, name, kept, version, created_at, updated_at })
    }
}

/// What a new dashboard is made of.
#[derive(Clone, Copy, Debug)]
pub struct NewDashboard<'a> {
    /// What it is called.
    pub name: &'a str,
    /// Who sees it.
    pub visibility: Visibility,
    /// What stands on it.
    pub layout: &'a [Tile],
}

/// Makes a dashboard.
///
/// # Errors
/// [`StorageError::Missing`] when project or owner do not exist.
pub async fn create(
    conn: &mut AsyncPgConnection,
    project: ProjectId,
    owner: AccountId,
    new: NewDashboard<'_>,
    now: DateTime<Utc>,
) -> Result<Dashboard, StorageError> {
    conn.transaction(async |conn| {
        let row: Row = diesel::insert_into(dashboards::table)
            .values((
                dashboards::id.eq(DashboardId::new().0),
                dashboards::project_id.eq(project.0),
                dashboards::name.eq(new.name),
                dashboards::owner_id.eq(owner.0),
                dashboards::visibility.eq(new.visibility.as_str()),
                dashboards::created_at.eq(now),
                dashboards::updated_at.eq(now),
            ))
            .returning(Row::as_returning())
            .get_result(conn)
            .await?;
        let dashboard = Dashboard::try_from(row)?;
        tiles::put(conn, dashboard.id, new.layout).await?;
        Ok(dashboard)
    })
    .await
}

/// A dashboard, whoever may see it.
///
/// # Errors
/// When the database fails.
pub async fn find(
    conn: &mut AsyncPgConnection,
    project: ProjectId,
    id: DashboardId,
) -> Result<Option<Dashboard>, StorageError> {
    let row: Option<Row> = dashboards::table
        .find(id.0)
        .filter(dashboards::project_id.eq(project.0))
        .select(Row::as_select())
        .first(conn)
        .await
        .optional()?;
    row.map(Dashboard::try_from).transpose()
}

/// What changes about a dashboard; `None` leaves it as it is.
#[derive(Clone, Copy, Debug, Default, AsChangeset)]
#[diesel(table_name = dashboards)]
pub struct Change<'a> {
    /// What it is called.
    pub name: Option<&'a str>,
    /// Who sees it.
    pub visibility: Option<&'static str>,
}

/// Changes a dashboard that is still in `version`, and its layout if there is one; `None` if it is not, or is gone.
///
/// # Errors
/// [`StorageError::Missing`] when an insight of the layout does not exist.
pub async fn change(
    conn: &mut AsyncPgConnection,
    project: ProjectId,
    id: DashboardId,
    version: i64,
    change: Change<'_>,
    layout: Option<&[Tile]>,
    now: DateTime<Utc>,
) -> Result<Option<Dashboard>, StorageError> {
    let unchanged = unchanged!(dashboards, project, id, version);
    conn.transaction(async |conn| {
        tiles::hold(conn, layout.unwrap_or_default().iter().map(|tile| tile.insight)).await?;
        let row: Option<Row> = diesel::update(unchanged)
            .set((change, dashboards::version.eq(version + 1), dashboards::updated_at.eq(now)))
            .returning(Row::as_returning())
            .get_result(conn)
            .await
            .optional()?;
        if let (Some(_changed), Some(layout)) = (&row, layout) {
            tiles::replace(conn, id, layout).await?;
        }
        row.map(Dashboard::try_from).transpose()
    })
    .await
}

/// Deletes a dashboard that is still in `version`; what stands on it stays. Whether it did.
///
/// # Errors
/// When the database fails.
pub async fn delete(
    conn: &mut AsyncPgConnection,
    project: ProjectId,
    id: DashboardId,
    version: i64,
) -> Result<bool, StorageError> {
    Ok(diesel::delete(unchanged!(dashboards, project, id, version)).execute(conn).await? == 1)
}

/// What dashboards are ordered by.
pub type Place = (String, DashboardId);

impl Dashboard {
    /// Where it stands in the list.
    #[must_use]
    pub fn place(&self) -> Place {
        (self.name.clone(), self.id)
    }
}

/// At most `limit` of the dashboards that a member sees, by name, of those `after` a place.
///
/// # Errors
/// When the database fails.
pub async fn page(
    conn: &mut AsyncPgConnection,
    project: ProjectId,
    member: Member,
    after: Option<Place>,
    limit: u16,
) -> Result<Vec<Dashboard>, StorageError> {
    let all = dashboards::table
        .filter(dashboards::project_id.eq(project.0))
        .limit(limit.into())
        .select(Row::as_select())
        .into_boxed();
    let query = by_name!(after, dashboards, seen_by!(member, dashboards, all));
    let rows: Vec<Row> = query.load(conn).await?;
    rows.into_iter().map(Dashboard::try_from).collect()
}
