//! `/api/v1/projects/{id}/keys`.

use actix_web::http::header::CACHE_CONTROL;
use actix_web::{HttpRequest, HttpResponse, delete, get, post, web};
use chrono::{DateTime, Utc};
use millrace_domain::access::Scope;
use millrace_domain::ids::KeyId;
use millrace_domain::text::Name;
use millrace_http::json::Json;
use millrace_http::problem::{Code, Problem};
use millrace_messaging::revocations::Revoked;
use millrace_security::api_key::ApiKey;
use millrace_storage::api_keys::{self, ApiKeyRecord, NewApiKey};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::announcements::announce;
use crate::errors::AuthError;
use crate::project_access::{AtLeastAdmin, ProjectAccess};
use crate::routes::denials::{BadBody, NoAccess};
use crate::state::State;

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
}

impl From<ApiKeyRecord> for KeyView {
    fn from(record: ApiKeyRecord) -> Self {
        let ApiKeyRecord { id, name, shown, scopes, created_at, expires_at, revoked_at, .. } = record;
        Self { id: id.0, name, shown, scopes, created_at, expires_at, revoked_at }
    }
}

/// API keys.
#[derive(Serialize, ToSchema)]
struct KeyList {
    /// Oldest first, revoked ones included.
    data: Vec<KeyView>,
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
    params(("id" = Uuid, Path, description = "The project")),
    responses((status = 200, description = "The keys", body = KeyList), NoAccess),
    security(("access_token" = [])),
)]
#[get("/api/v1/projects/{id}/keys")]
pub(super) async fn list(
    access: ProjectAccess<AtLeastAdmin>,
    state: web::Data<State>,
) -> Result<HttpResponse, Problem> {
    let mut conn = state.connection().await?;
    let keys = api_keys::of_project(&mut conn, access.project.id).await.map_err(AuthError::from)?;
    Ok(HttpResponse::Ok().json(KeyList { data: keys.into_iter().map(Into::into).collect() }))
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
    if new.expires_at.is_some_and(|end| end <= Utc::now()) {
        return Err(Problem::field("expires_at", "invalid", "expires_at must be in the future"));
    }
    let secret = ApiKey::generate().map_err(|error| Problem::internal(&error))?;
    let (hash, shown, expires_at) = (secret.hash(), secret.shown(), new.expires_at);
    let new = NewApiKey { name: name.as_str(), hash: &hash.0, shown, scopes: &scopes, expires_at };
    let mut conn = state.connection().await?;
    let record = api_keys::create(&mut conn, access.project.id, new).await.map_err(AuthError::from)?;
    let view = NewKeyView { secret: secret.reveal().to_owned(), key: record.into() };
    Ok(HttpResponse::Created().insert_header((CACHE_CONTROL, "no-store")).json(view))
}

/// Revoke an API key
///
/// It stops working everywhere within a second; within half a minute if the broker is away.
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
    let not_found =
        || Problem::new(Code::NotFound, "the project has no such key that is not revoked already");
    let key_id: KeyId = request.match_info().query("key_id").parse().map_err(|_not_an_id| not_found())?;
    let mut conn = state.connection().await?;
    if !api_keys::revoke(&mut conn, access.project.id, key_id).await.map_err(AuthError::from)? {
        return Err(not_found());
    }
    drop(conn);
    announce(&state, Revoked::Key { key_id }).await;
    Ok(HttpResponse::NoContent().finish())
}
