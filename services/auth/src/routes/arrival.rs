//! The answer to somebody who has come back from a provider.

use actix_web::http::header::{CACHE_CONTROL, SET_COOKIE};
use actix_web::{HttpRequest, HttpResponse};
use millrace_storage::accounts::Account;
use serde::Serialize;
use utoipa::ToSchema;

use crate::errors::AuthError;
use crate::openid::binding::Binding;
use crate::openid::return_to::ReturnTo;
use crate::routes::grant::Grant;
use crate::sessions::{self, Client};
use crate::state::State;

/// Somebody who is signed in, and on their way.
#[derive(Serialize, ToSchema)]
pub(super) struct Arrival {
    /// What lets in.
    #[serde(flatten)]
    grant: Grant,
    /// Where they wanted to go when they began.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "/projects")]
    return_to: Option<String>,
}

/// Opens a session for somebody who has proved to be `account`. Whatever else a session may be held in, a cookie and a
/// redirect instead of this JSON, is decided here and nowhere before.
pub(super) async fn answer(
    state: &State,
    request: &HttpRequest,
    account: &Account,
    return_to: Option<ReturnTo>,
    secure: bool,
) -> Result<HttpResponse, AuthError> {
    let client = Client::of(request, &state.trusted_proxies);
    let granted = sessions::open(state, account, &client).await?;
    let arrival = Arrival { grant: Grant::new(&granted), return_to: return_to.map(Into::into) };
    Ok(HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, "no-store"))
        .insert_header((SET_COOKIE, Binding::removal(secure)))
        .json(arrival))
}
