//! API keys, found by the hash of their secret.

use chrono::{DateTime, TimeDelta, Utc};
use diesel::prelude::*;
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};
use millrace_domain::access::{KeyGrant, Scope, UnknownScope};
use millrace_domain::ids::{KeyId, ProjectId};
use uuid::Uuid;

use crate::error::StorageError;
use crate::schema::api_keys;

/// A key as lists show it.
#[derive(Clone, Debug)]
pub struct ApiKeyRecord {
    /// Its public id.
    pub id: KeyId,
    /// The project it opens.
    pub project_id: ProjectId,
    /// What it is called.
    pub name: String,
    /// The first characters of the secret.
    pub shown: String,
    /// What it may do.
    pub scopes: Vec<Scope>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it stops working.
    pub expires_at: Option<DateTime<Utc>>,
    /// When it was taken away.
    pub revoked_at: Option<DateTime<Utc>>,
    /// When it was last used, to within a minute or two.
    pub last_used_at: Option<DateTime<Utc>>,
}

/// What a new key is made of.
#[derive(Clone, Copy, Debug)]
pub struct NewApiKey<'a> {
    /// What to call it.
    pub name: &'a str,
    /// SHA-256 of the secret.
    pub hash: &'a [u8; 32],
    /// The first characters of the secret.
    pub shown: &'a str,
    /// What it may do.
    pub scopes: &'a [Scope],
    /// When it stops working.
    pub expires_at: Option<DateTime<Utc>>,
}

type Time = Option<DateTime<Utc>>;
type Row = (Uuid, Uuid, String, String, Vec<String>, DateTime<Utc>, Time, Time, Time);
type Columns = (
    api_keys::id,
    api_keys::project_id,
    api_keys::name,
    api_keys::shown,
    api_keys::scopes,
    api_keys::created_at,
    api_keys::expires_at,
    api_keys::revoked_at,
    api_keys::last_used_at,
);
const COLUMNS: Columns = (
    api_keys::id,
    api_keys::project_id,
    api_keys::name,
    api_keys::shown,
    api_keys::scopes,
    api_keys::created_at,
    api_keys::expires_at,
    api_keys::revoked_at,
    api_keys::last_used_at,
);

fn parse(row: Row) -> Result<ApiKeyRecord, StorageError> {
    let (id, project_id, name, shown, scopes, created_at, expires_at, revoked_at, last_used_at) = row;
    let scopes = scopes
        .iter()
        .map(|name| name.parse())
        .collect::<Result<_, UnknownScope>>()
        .map_err(|e| StorageError::Corrupt(e.to_string()))?;
    let (id, project_id) = (KeyId(id), ProjectId(project_id));
    Ok(ApiKeyRecord { id, project_id, name, shown, scopes, created_at, expires_at, revoked_at, last_used_at })
}

/// Stores a key.
///
/// # Errors
/// [`StorageError::Missing`] when the project does not exist.
pub async fn create(
    conn: &mut AsyncPgConnection,
    project: ProjectId,
    new: NewApiKey<'_>,
) -> Result<ApiKeyRecord, StorageError> {
    let scopes: Vec<&str> = new.scopes.iter().map(|scope| scope.as_str()).collect();
    let row: Row = diesel::insert_into(api_keys::table)
        .values((
            api_keys::id.eq(KeyId::new().0),
            api_keys::project_id.eq(project.0),
            api_keys::name.eq(new.name),
            api_keys::hash.eq(new.hash.as_slice()),
            api_keys::shown.eq(new.shown),
            api_keys::scopes.eq(scopes),
            api_keys::expires_at.eq(new.expires_at),
        ))
        .returning(COLUMNS)
        .get_result(conn)
        .await?;
    parse(row)
}

/// What the key with this hash grants, unless it was revoked.
///
/// # Errors
/// When the database fails.
pub async fn grant(conn: &mut AsyncPgConnection, hash: &[u8; 32]) -> Result<Option<KeyGrant>, StorageError> {
    let row: Option<Row> = api_keys::table
        .filter(api_keys::hash.eq(hash.as_slice()))
        .filter(api_keys::revoked_at.is_null())
        .select(COLUMNS)
        .first(conn)
        .await
        .optional()?;
    let record = row.map(parse).transpose()?;
    Ok(record.map(|r| KeyGrant {
        key_id: r.id,
        project_id: r.project_id,
        scopes: r.scopes,
        expires_at: r.expires_at,
    }))
}

/// What keys of a project are ordered by.
pub type Place = (DateTime<Utc>, KeyId);

impl ApiKeyRecord {
    /// Where it stands in the list.
    #[must_use]
    pub fn place(&self) -> Place {
        (self.created_at, self.id)
    }
}

/// At most `limit` of a project's keys, oldest first, revoked ones included, of those `after` a place.
///
/// # Errors
/// When the database fails.
pub async fn page(
    conn: &mut AsyncPgConnection,
    project: ProjectId,
    after: Option<Place>,
    limit: u16,
) -> Result<Vec<ApiKeyRecord>, StorageError> {
    let mut query = api_keys::table
        .filter(api_keys::project_id.eq(project.0))
        .order((api_keys::created_at, api_keys::id))
        .limit(limit.into())
        .select(COLUMNS)
        .into_boxed();
    if let Some((time, KeyId(id))) = after {
        let same_time = api_keys::created_at.eq(time).and(api_keys::id.gt(id));
        query = query.filter(api_keys::created_at.gt(time).or(same_time));
    }
    let rows: Vec<Row> = query.load(conn).await?;
    rows.into_iter().map(parse).collect()
}

/// A project's keys, oldest first, revoked ones included.
///
/// # Errors
/// When the database fails.
pub async fn of_project(
    conn: &mut AsyncPgConnection,
    project: ProjectId,
) -> Result<Vec<ApiKeyRecord>, StorageError> {
    let rows: Vec<Row> = api_keys::table
        .filter(api_keys::project_id.eq(project.0))
        .order(api_keys::created_at)
        .select(COLUMNS)
        .load(conn)
        .await?;
    rows.into_iter().map(parse).collect()
}

/// Takes a key away. `false` when the project has no such live key.
///
/// # Errors
/// When the database fails.
pub async fn revoke(
    conn: &mut AsyncPgConnection,
    project: ProjectId,
    key: KeyId,
) -> Result<bool, StorageError> {
    let revoked = diesel::update(api_keys::table)
        .filter(api_keys::id.eq(key.0))
        .filter(api_keys::project_id.eq(project.0))
        .filter(api_keys::revoked_at.is_null())
        .set(api_keys::revoked_at.eq(diesel::dsl::now))
        .execute(conn)
        .await?;
    Ok(revoked > 0)
}

/// A key in place of another.
#[derive(Clone, Copy, Debug)]
pub struct Replacement<'a> {
    /// SHA-256 of the new secret.
    pub hash: &'a [u8; 32],
    /// The first characters of the new secret.
    pub shown: &'a str,
    /// When the new key stops working.
    pub expires_at: Option<DateTime<Utc>>,
    /// When the old key stops working, if it does not before.
    pub old_expires_at: DateTime<Utc>,
}

/// Stores a key with the name and the scopes of a live one, which stops working a while later. `None` when the project
/// has no such live key.
///
/// # Errors
/// When the database fails.
pub async fn rotate(
    conn: &mut AsyncPgConnection,
    project: ProjectId,
    key: KeyId,
    new: Replacement<'_>,
    now: DateTime<Utc>,
) -> Result<Option<ApiKeyRecord>, StorageError> {
    conn.transaction(async |conn| {
        let old: Option<Row> = api_keys::table
            .filter(api_keys::id.eq(key.0))
            .filter(api_keys::project_id.eq(project.0))
            .filter(api_keys::revoked_at.is_null())
            .filter(api_keys::expires_at.is_null().or(api_keys::expires_at.gt(now)))
            .select(COLUMNS)
            .for_update()
            .first(conn)
            .await
            .optional()?;
        let Some(old) = old.map(parse).transpose()? else { return Ok(None) };
        let end = old.expires_at.map_or(new.old_expires_at, |end| end.min(new.old_expires_at));
        diesel::update(api_keys::table.find(key.0)).set(api_keys::expires_at.eq(end)).execute(conn).await?;
        let Replacement { hash, shown, expires_at, .. } = new;
        let new = NewApiKey { name: &old.name, hash, shown, scopes: &old.scopes, expires_at };
        create(conn, project, new).await.map(Some)
    })
    .await
}

/// Notes that a key is in use, once a minute at most.
///
/// # Errors
/// When the database fails.
pub async fn note_use(
    conn: &mut AsyncPgConnection,
    project: ProjectId,
    key: KeyId,
    now: DateTime<Utc>,
) -> Result<(), StorageError> {
    let a_minute_ago = now - TimeDelta::minutes(1);
    diesel::update(api_keys::table)
        .filter(api_keys::id.eq(key.0))
        .filter(api_keys::project_id.eq(project.0))
        .filter(api_keys::last_used_at.is_null().or(api_keys::last_used_at.le(a_minute_ago)))
        .set(api_keys::last_used_at.eq(now))
        .execute(conn)
        .await?;
    Ok(())
}
