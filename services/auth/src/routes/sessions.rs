//! `/api/v1/auth/sessions` and `/api/v1/auth/logout`.

use actix_web::{HttpRequest, HttpResponse, delete, get, post, web};
use chrono::{DateTime, Utc};
use millrace_domain::audit::Target;
use millrace_domain::audit::action::Action;
use millrace_domain::ids::SessionId;
use millrace_http::problem::{Code, Problem};
use millrace_messaging::revocations::Revoked;
use millrace_storage::sessions::{self, Session};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::announcements::announce;
use crate::audit::record;
use crate::caller::Caller;
use crate::errors::AuthError;
use crate::routes::denials::{NoAccess, NotSignedIn};
use crate::state::State;

/// A sign-in that has not ended.
#[derive(Serialize, ToSchema)]
struct SessionView {
    /// Its id, `sid` in access tokens.
    id: Uuid,
    /// Whether it is the one that asks.
    current: bool,
    /// What the client called itself when it signed in.
    #[schema(example = "Mozilla/5.0 (X11; Linux x86_64) Firefox/145.0")]
    user_agent: Option<String>,
    /// Where it was then.
    #[schema(example = "192.0.2.7")]
    address: Option<String>,
    /// When it was signed in.
    created_at: DateTime<Utc>,
    /// When it was signed in or last refreshed.
    last_used_at: DateTime<Utc>,
    /// When it ends unless it is refreshed.
    expires_at: DateTime<Utc>,
}

/// Sign-ins.
#[derive(Serialize, ToSchema)]
struct SessionList {
    /// Last used first.
    data: Vec<SessionView>,
}

/// Where the caller is signed in
#[utoipa::path(
    operation_id = "list_sessions",
    tag = "session",
    responses((status = 200, description = "The sessions", body = SessionList), NotSignedIn),
    security(("access_token" = [])),
)]
#[get("/api/v1/auth/sessions")]
pub(super) async fn list(caller: Caller, state: web::Data<State>) -> Result<HttpResponse, Problem> {
    let mut conn = state.connection().await?;
    let open =
        sessions::of_account(&mut conn, caller.account.id, Utc::now()).await.map_err(AuthError::from)?;
    let view = |session: Session| {
        let Session { id, user_agent, address, created_at, last_used_at, expires_at } = session;
        SessionView {
            id: id.0,
            current: id == caller.session,
            user_agent,
            address,
            created_at,
            last_used_at,
            expires_at,
        }
    };
    Ok(HttpResponse::Ok().json(SessionList { data: open.into_iter().map(view).collect() }))
}

/// Sign out elsewhere
///
/// The session's tokens are refused by auth at once and everywhere within a second; where neither the broker nor Redis
/// is at hand, when one of them is back, or the access token has expired.
#[utoipa::path(
    operation_id = "end_session",
    tag = "session",
    params(("id" = Uuid, Path, description = "The session")),
    responses((status = 204, description = "It has ended"), NoAccess),
    security(("access_token" = [])),
)]
#[delete("/api/v1/auth/sessions/{id}")]
pub(super) async fn end(
    caller: Caller,
    request: HttpRequest,
    state: web::Data<State>,
) -> Result<HttpResponse, Problem> {
    let not_found = || Problem::new(Code::NotFound, "you have no such session");
    let id: SessionId = request.match_info().query("id").parse().map_err(|_not_an_id| not_found())?;
    if end_session(&state, &caller, id, Action::SessionEnded).await? {
        Ok(HttpResponse::NoContent().finish())
    } else {
        Err(not_found())
    }
}

/// Sign out
///
/// Ends the session of the access token that is shown. Its tokens are refused by auth at once and everywhere within a
/// second; where neither the broker nor Redis is at hand, when one of them is back, or the access token has expired.
#[utoipa::path(
    tag = "session",
    responses((status = 204, description = "The session has ended"), NotSignedIn),
    security(("access_token" = [])),
)]
#[post("/api/v1/auth/logout")]
pub(super) async fn logout(caller: Caller, state: web::Data<State>) -> Result<HttpResponse, Problem> {
    // Two sign-outs at once both get what they wanted.
    end_session(&state, &caller, caller.session, Action::SessionSignedOut).await?;
    Ok(HttpResponse::NoContent().finish())
}

async fn end_session(
    state: &State,
    caller: &Caller,
    session: SessionId,
    action: Action,
) -> Result<bool, AuthError> {
    let account_id = caller.account.id;
    let mut conn = state.connection().await?;
    let ended = sessions::end(&mut conn, account_id, session).await?;
    drop(conn);
    if ended {
        announce(state, Revoked::Sessions { account_id }).await;
        record(state, caller.did(action).on(Target::Session(session))).await;
    }
    Ok(ended)
}
