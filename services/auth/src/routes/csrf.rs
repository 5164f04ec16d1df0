//! `GET /api/v1/auth/csrf`.

use actix_web::http::header::CACHE_CONTROL;
use actix_web::{HttpResponse, get, web};
use serde::Serialize;
use utoipa::ToSchema;

use crate::caller::Caller;
use crate::routes::denials::NotSignedIn;
use crate::state::State;

/// The CSRF token of a session.
#[derive(Serialize, ToSchema)]
struct CsrfToken {
    /// To be sent as `X-CSRF-Token` with whatever changes something.
    #[schema(example = "Zm9vYmFyYmF6cXV4cXV1eGNvcmdlZ3JhdWx0Z2FycGw")]
    csrf_token: String,
}

/// The CSRF token of the caller's session
///
/// For a page that has lost it. It is the same for as long as the session lasts.
#[utoipa::path(
    tag = "session",
    responses((status = 200, description = "The token", body = CsrfToken), NotSignedIn),
    security(("access_token" = [])),
)]
#[get("/api/v1/auth/csrf")]
pub(super) async fn csrf(caller: Caller, state: web::Data<State>) -> HttpResponse {
    let csrf_token = state.tokens.csrf_token(caller.session);
    HttpResponse::Ok().insert_header((CACHE_CONTROL, "no-store")).json(CsrfToken { csrf_token })
}
