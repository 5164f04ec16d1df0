//! Dashboards: insights on one page.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};
use millrace_domain::ids::{AccountId, DashboardId, InsightId, ProjectId};
use millrace_domain::workspace::layout::{self, Tile};
use millrace_domain::workspace::sharing::{Kept, Member, Visibility};
use uuid::Uuid;

use crate::error::StorageError;
use crate::insights::read_visibility;
use crate::schema::dashboards;
use crate::tiles;

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
    let unchanged = dashboards::table
        .find(id.0)
        .filter(dashboards::project_id.eq(project.0))
        .filter(dashboards::version.eq(version));
    conn.transaction(async |conn| {
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
        // Whoever adds another waits for this row, and then sees what is there.
        let row = dashboards::table.find(id.0).select(dashboards::id).for_update();
        row.first::<Uuid>(conn).await.optional()?;
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
        let stood_there = tiles::take(conn, id, insight).await?;
        if stood_there {
            touch(conn, id, now).await?;
        }
        Ok(stood_there)
    })
    .await
}

/// Makes another version of it.
async fn touch(
    conn: &mut AsyncPgConnection,
    id: DashboardId,
    now: DateTime<Utc>,
) -> Result<(), StorageError> {
    diesel::update(dashboards::table.find(id.0))
        .set((dashboards::version.eq(dashboards::version + 1), dashboards::updated_at.eq(now)))
        .execute(conn)
        .await?;
    Ok(())
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
    let unchanged = dashboards::table
        .find(id.0)
        .filter(dashboards::project_id.eq(project.0))
        .filter(dashboards::version.eq(version));
    Ok(diesel::delete(unchanged).execute(conn).await? == 1)
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
    let mut query = dashboards::table
        .filter(dashboards::project_id.eq(project.0))
        .order((dashboards::name, dashboards::id))
        .limit(limit.into())
        .select(Row::as_select())
        .into_boxed();
    if !member.system {
        let own = dashboards::owner_id.eq(member.account.0).assume_not_null();
        query = query.filter(dashboards::visibility.eq(Visibility::Project.as_str()).or(own));
    }
    if let Some((name, DashboardId(id))) = after {
        let same_name = dashboards::name.eq(name.clone()).and(dashboards::id.gt(id));
        query = query.filter(dashboards::name.gt(name).or(same_name));
    }
    let rows: Vec<Row> = query.load(conn).await?;
    rows.into_iter().map(Dashboard::try_from).collect()
}
