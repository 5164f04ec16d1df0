//! `/api/v1/projects/{id}/keys`.

use actix_web::http::header::CACHE_CONTROL;
use actix_web::{HttpRequest, HttpResponse, delete, get, post, web};
use chrono::{DateTime, TimeDelta, Utc};
use millrace_domain::access::Scope;
use millrace_domain::audit::action::Action;
use millrace_domain::audit::{Details, Target};
use millrace_domain::ids::KeyId;
use millrace_domain::text::Name;
use millrace_http::json::Json;
use millrace_http::page::Paging;
use millrace_http::problem::{Code, Problem};
use millrace_http::query::Query;
use millrace_messaging::revocations::Revoked;
use millrace_security::api_key::ApiKey;
use millrace_storage::api_keys::{self, ApiKeyRecord, NewApiKey, Replacement};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::announcements::announce;
use crate::audit::record;
use crate::errors::AuthError;
use crate::project_access::{AtLeastAdmin, ProjectAccess};
use crate::routes::denials::{BadBody, BadPage, NoAccess};
use crate::state::State;

/// How long a replaced key goes on working, in seconds.
const DEFAULT_OVERLAP: u32 = 24 * 60 * 60;
const MAX_OVERLAP: u32 = 30 * 24 * 60 * 60;

/// An API key, without its secret.
#[derive(Serialize, ToSchema)]
struct KeyView {
    /// Its public id.
    id: Uuid,
    /// What it is called.
    name: String,
    /// The first characters of the secret, to tell keys apart.
    #[schema(example = "mr_Zm9vYm")]
    shown: String,
    /// What it may do: `ingest`, `read`.
    #[schema(value_type = Vec<String>)]
    scopes: Vec<Scope>,
    /// When it was created.
    created_at: DateTime<Utc>,
    /// When it stops working; never, if absent.
    expires_at: Option<DateTime<Utc>>,
    /// When it was revoked.
    revoked_at: Option<DateTime<Utc>>,
    /// When it was last used, to within a minute or two; never, if absent.
    last_used_at: Option<DateTime<Utc>>,
}

impl From<ApiKeyRecord> for KeyView {
    fn from(record: ApiKeyRecord) -> Self {
        let ApiKeyRecord {
            id, name, shown, scopes, created_at, expires_at, revoked_at, last_used_at, ..
        } = record;
        Self { id: id.0, name, shown, scopes, created_at, expires_at, revoked_at, last_used_at }
    }
}

/// API keys.
#[derive(Serialize, ToSchema)]
struct KeyList {
    /// Oldest first, revoked ones included.
    data: Vec<KeyView>,
    /// Where the next page begins; `null` after the last.
    next_cursor: Option<String>,
}

/// An API key that was just created.
#[derive(Serialize, ToSchema)]
struct NewKeyView {
    /// The key itself. It is stored hashed: this is the only time it is shown.
    #[schema(example = "mr_Zm9vYmFyYmF6cXV4cXV1eGNvcmdlZ3JhdWx0Z2FycGx5")]
    secret: String,
    /// What can be shown again.
    #[serde(flatten)]
    key: KeyView,
}

/// What a new API key is made of.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewKey {
    /// 1 to 100 characters.
    #[schema(min_length = 1, max_length = 100, example = "web shop")]
    name: String,
    /// What it may do: `ingest`, `read` or both.
    #[schema(value_type = Vec<String>, min_items = 1, example = json!(["ingest"]))]
    scopes: Vec<Scope>,
    /// When it stops working; never, if absent.
    expires_at: Option<DateTime<Utc>>,
}

/// A project's API keys
#[utoipa::path(
    operation_id = "list_keys",
    tag = "keys",
    params(("id" = Uuid, Path, description = "The project"), Paging),
    responses((status = 200, description = "A page of keys", body = KeyList), NoAccess, BadPage),
    security(("access_token" = [])),
)]
#[get("/api/v1/projects/{id}/keys")]
pub(super) async fn list(
    access: ProjectAccess<AtLeastAdmin>,
    Query(paging): Query<Paging>,
    state: web::Data<State>,
) -> Result<HttpResponse, Problem> {
    let page = paging.page()?;
    let mut conn = state.connection().await?;
    let found = api_keys::page(&mut conn, access.project.id, page.after, page.probe()).await;
    let mut found = found.map_err(AuthError::from)?;
    let next_cursor = page.cut(&mut found, ApiKeyRecord::place);
    Ok(HttpResponse::Ok().json(KeyList { data: found.into_iter().map(Into::into).collect(), next_cursor }))
}

/// Create an API key
#[utoipa::path(
    operation_id = "create_key",
    tag = "keys",
    params(("id" = Uuid, Path, description = "The project")),
    request_body = NewKey,
    responses((status = 201, description = "The key; its secret is shown once", body = NewKeyView), NoAccess, BadBody),
    security(("access_token" = [])),
)]
#[post("/api/v1/projects/{id}/keys")]
pub(super) async fn create(
    access: ProjectAccess<AtLeastAdmin>,
    Json(new): Json<NewKey>,
    state: web::Data<State>,
) -> Result<HttpResponse, Problem> {
    let name = Name::parse(new.name.trim())
        .map_err(|fault| Problem::field("name", "invalid", format!("name {fault}")))?;
    let mut scopes = new.scopes;
    scopes.sort_unstable();
    scopes.dedup();
    if scopes.is_empty() {
        return Err(Problem::field("scopes", "invalid", "scopes must hold `ingest`, `read` or both"));
    }
    require_future(new.expires_at, Utc::now())?;
    let secret = ApiKey::generate().map_err(|error| Problem::internal(&error))?;
    let (hash, shown, expires_at) = (secret.hash(), secret.shown(), new.expires_at);
    let new = NewApiKey { name: name.as_str(), hash: &hash.0, shown, scopes: &scopes, expires_at };
    let mut conn = state.connection().await?;
    let key = api_keys::create(&mut conn, access.project.id, new).await.map_err(AuthError::from)?;
    drop(conn);
    let details =
        Details { scopes: Some(key.scopes.clone()), expires_at: key.expires_at, ..Details::default() };
    record(&state, access.did(Action::ApiKeyCreated).on(Target::ApiKey(key.id)).with(details)).await;
    let view = NewKeyView { secret: secret.reveal().to_owned(), key: key.into() };
    Ok(HttpResponse::Created().insert_header((CACHE_CONTROL, "no-store")).json(view))
}

/// How a key is replaced.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Rotation {
    /// How long the old key goes on working, in seconds: a day if absent, 30 days at most.
    #[schema(minimum = 0, maximum = 2_592_000, example = 3_600)]
    overlap_seconds: Option<u32>,
    /// When the new key stops working (RFC 3339); never, if absent.
    expires_at: Option<DateTime<Utc>>,
}

/// Replace an API key
///
/// The new key has the name and the scopes of the old one, which goes on working for a while, so that programs can be
/// given the new one without a gap.
#[utoipa::path(
    operation_id = "rotate_key",
    tag = "keys",
    params(
        ("id" = Uuid, Path, description = "The project"),
        ("key_id" = Uuid, Path, description = "The old key"),
    ),
    request_body = Rotation,
    responses((status = 201, description = "The new key, with its secret", body = NewKeyView), NoAccess, BadBody),
    security(("access_token" = [])),
)]
#[post("/api/v1/projects/{id}/keys/{key_id}/rotate")]
pub(super) async fn rotate(
    access: ProjectAccess<AtLeastAdmin>,
    Json(asked): Json<Rotation>,
    request: HttpRequest,
    state: web::Data<State>,
) -> Result<HttpResponse, Problem> {
    let key_id = key_in(&request)?;
    let (now, overlap) = (Utc::now(), asked.overlap_seconds.unwrap_or(DEFAULT_OVERLAP));
    if overlap > MAX_OVERLAP {
        let message = format!("overlap_seconds must be at most {MAX_OVERLAP}");
        return Err(Problem::field("overlap_seconds", "invalid", message));
    }
    require_future(asked.expires_at, now)?;
    let secret = ApiKey::generate().map_err(|error| Problem::internal(&error))?;
    let new = Replacement {
        hash: &secret.hash().0,
        shown: secret.shown(),
        expires_at: asked.expires_at,
        old_expires_at: now + TimeDelta::seconds(overlap.into()),
    };
    let mut conn = state.connection().await?;
    let new = api_keys::rotate(&mut conn, access.project.id, key_id, new, now).await;
    let new = new.map_err(AuthError::from)?.ok_or_else(no_such_key)?;
    drop(conn);
    // What others remember of the old key does not say that it ends.
    announce(&state, Revoked::Key { key_id }).await;
    let details = Details {
        replaced_by: Some(new.id),
        scopes: Some(new.scopes.clone()),
        expires_at: new.expires_at,
        ..Details::default()
    };
    record(&state, access.did(Action::ApiKeyRotated).on(Target::ApiKey(key_id)).with(details)).await;
    let view = NewKeyView { secret: secret.reveal().to_owned(), key: new.into() };
    Ok(HttpResponse::Created().insert_header((CACHE_CONTROL, "no-store")).json(view))
}

/// Revoke an API key
///
/// It stops working everywhere within a second; where neither the broker nor Redis is at hand, when one of them is back.
#[utoipa::path(
    operation_id = "revoke_key",
    tag = "keys",
    params(
        ("id" = Uuid, Path, description = "The project"),
        ("key_id" = Uuid, Path, description = "The key"),
    ),
    responses((status = 204, description = "It is revoked"), NoAccess),
    security(("access_token" = [])),
)]
#[delete("/api/v1/projects/{id}/keys/{key_id}")]
pub(super) async fn revoke(
    access: ProjectAccess<AtLeastAdmin>,
    request: HttpRequest,
    state: web::Data<State>,
) -> Result<HttpResponse, Problem> {
    let key_id = key_in(&request)?;
    let mut conn = state.connection().await?;
    if !api_keys::revoke(&mut conn, access.project.id, key_id).await.map_err(AuthError::from)? {
        return Err(no_such_key());
    }
    drop(conn);
    announce(&state, Revoked::Key { key_id }).await;
    record(&state, access.did(Action::ApiKeyRevoked).on(Target::ApiKey(key_id))).await;
    Ok(HttpResponse::NoContent().finish())
}

fn key_in(request: &HttpRequest) -> Result<KeyId, Problem> {
    request.match_info().query("key_id").parse().map_err(|_not_an_id| no_such_key())
}

fn no_such_key() -> Problem {
    Problem::new(Code::NotFound, "the project has no such key that is not revoked already")
}

fn require_future(end: Option<DateTime<Utc>>, now: DateTime<Utc>) -> Result<(), Problem> {
    if end.is_some_and(|end| end <= now) {
        return Err(Problem::field("expires_at", "invalid", "expires_at must be in the future"));
    }
    Ok(())
}
