//! `POST /api/v1/auth/refresh`.

use actix_web::{HttpRequest, HttpResponse, post, web};
use millrace_http::problem::{Problem, ProblemBody};
use secrecy::SecretString;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::audit;
use crate::routes::denials::BadBody;
use crate::routes::form_or_json;
use crate::routes::grant::Grant;
use crate::sessions;
use crate::state::State;

/// Who wants to go on.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Refresh {
    /// The newest refresh token of the session.
    #[schema(value_type = String, format = Password)]
    refresh_token: SecretString,
}

/// The same as OAuth 2.0 ([RFC 6749](https://www.rfc-editor.org/rfc/rfc6749), 6). Its other fields are ignored.
#[derive(Deserialize, ToSchema)]
struct RefreshForm {
    /// The newest refresh token of the session.
    #[schema(value_type = String, format = Password)]
    refresh_token: SecretString,
}

impl From<RefreshForm> for Refresh {
    fn from(RefreshForm { refresh_token }: RefreshForm) -> Self {
        Self { refresh_token }
    }
}

/// Stay signed in
///
/// A refresh token is good for one use, which replaces it. One that was replaced before and is shown again was stolen
/// from somebody: it ends the session. A client whose answer was lost may show the same token again within ten
/// seconds.
#[utoipa::path(
    tag = "session",
    request_body(content((Refresh = "application/json"), (RefreshForm = "application/x-www-form-urlencoded"))),
    responses(
        (status = 200, description = "An access token for 15 minutes, and the refresh token that replaces this one", body = Grant),
        (status = 401, description = "The refresh token is not good: sign in again", body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, description = "The database is away; try again after `Retry-After`", body = ProblemBody, content_type = "application/problem+json"),
        BadBody,
    ),
)]
#[post("/api/v1/auth/refresh")]
pub(super) async fn refresh(
    request: HttpRequest,
    payload: web::Payload,
    state: web::Data<State>,
) -> Result<HttpResponse, Problem> {
    let asked: Refresh = form_or_json::read::<_, RefreshForm>(&request, payload).await?;
    let origin = audit::origin(&state, &request);
    Ok(Grant::answer(&sessions::refresh(&state, &asked.refresh_token, &origin).await?))
}
