//! Who am I, and is this token good.

use actix_web::http::header::CACHE_CONTROL;
use actix_web::{HttpResponse, get, web};
use chrono::{DateTime, Utc};
use millrace_http::credentials::Credentials;
use millrace_http::problem::Problem;
use millrace_messaging::tokens::TokenClaims;
use millrace_storage::accounts::Account;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::caller::{self, Caller};
use crate::routes::denials::NotSignedIn;
use crate::state::State;

/// An account.
#[derive(Serialize, ToSchema)]
pub(super) struct Me {
    /// Its id.
    id: Uuid,
    /// Its e-mail address.
    #[schema(example = "ada@example.com")]
    email: String,
    /// Whether it is proved that the person reads mail there.
    email_verified: bool,
    /// What to call the person.
    full_name: Option<String>,
    /// Whether it sees every project.
    admin: bool,
    /// When it was created.
    created_at: DateTime<Utc>,
}

impl From<Account> for Me {
    fn from(account: Account) -> Self {
        let email_verified = account.email_verified_at.is_some();
        let Account { id, email, full_name, is_admin: admin, created_at, .. } = account;
        Self { id: id.0, email, email_verified, full_name, admin, created_at }
    }
}

/// What a token is good for.
#[derive(Serialize, ToSchema)]
struct Verified {
    /// Whose it is.
    account_id: Uuid,
    /// Whether they see every project.
    admin: bool,
    /// Their role in each of their projects, at this moment: `owner`, `admin`, `editor` or `viewer`.
    #[schema(value_type = std::collections::BTreeMap<Uuid, String>)]
    roles: std::collections::BTreeMap<Uuid, &'static str>,
    /// When it stops being good.
    expires_at: DateTime<Utc>,
}

/// The caller's account
#[utoipa::path(
    tag = "account",
    responses((status = 200, description = "The account", body = Me), NotSignedIn),
    security(("access_token" = [])),
)]
#[get("/api/v1/auth/me")]
pub(super) async fn me(caller: Caller) -> HttpResponse {
    show_account(caller).await
}

pub(super) async fn show_account(caller: Caller) -> HttpResponse {
    HttpResponse::Ok().json(Me::from(caller.account))
}

/// Whether an access token is good, and for what
#[utoipa::path(
    tag = "session",
    responses((status = 200, description = "It is", body = Verified), NotSignedIn),
    security(("access_token" = [])),
)]
#[get("/api/v1/auth/verify")]
pub(super) async fn verify(
    credentials: Credentials,
    state: web::Data<State>,
) -> Result<HttpResponse, Problem> {
    show_claims(credentials, state).await
}

/// From memory where that will do: it is asked before every request of somebody else's program.
pub(super) async fn show_claims(
    credentials: Credentials,
    state: web::Data<State>,
) -> Result<HttpResponse, Problem> {
    let token = caller::token(credentials)?;
    let claims = state.known_tokens.claims(&state, &token).await?;
    let roles = claims.roles.iter().map(|(project, role)| (project.0, role.as_str())).collect();
    let TokenClaims { account_id, admin, expires_at, .. } = *claims;
    Ok(HttpResponse::Ok().json(Verified { account_id: account_id.0, admin, roles, expires_at }))
}

/// The keys that access tokens are signed with
///
/// A JWK set (RFC 7517): anybody can verify a token with it. Tokens name their key in `kid`.
#[utoipa::path(
    tag = "session",
    responses((status = 200, description = "The public keys", body = serde_json::Value)),
)]
#[get("/.well-known/jwks.json")]
pub(super) async fn jwks(state: web::Data<State>) -> HttpResponse {
    HttpResponse::Ok().insert_header((CACHE_CONTROL, "public, max-age=300")).json(state.tokens.jwks())
}
