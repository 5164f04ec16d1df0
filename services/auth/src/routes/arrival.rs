//! The answer to somebody who has come back from a provider.

use actix_web::http::header::{CACHE_CONTROL, HeaderValue, LOCATION, SET_COOKIE};
use actix_web::{HttpRequest, HttpResponse};
use millrace_domain::audit::action::Action;
use millrace_domain::audit::{Actor, Target};
use millrace_storage::accounts::Account;
use serde::Serialize;
use utoipa::ToSchema;

use crate::audit::{self, record};
use crate::errors::AuthError;
use crate::openid::binding::Binding;
use crate::openid::error::OpenIdError;
use crate::openid::pending::Wish;
use crate::openid::return_to::ReturnTo;
use crate::routes::grant::Grant;
use crate::routes::session_kind::{self, Opened, SessionKind};
use crate::sessions::Client;
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

/// Opens a session for somebody who has proved to be `account`, and answers as they wished: with tokens, or with the
/// session in a cookie and a redirect. `secure`: whether the cookie of the sign-in, which ends here, is for TLS alone.
pub(super) async fn answer(
    state: &State,
    request: &HttpRequest,
    account: Account,
    wish: Wish,
    secure: bool,
) -> Result<HttpResponse, OpenIdError> {
    let client = Client::of(request, &state.trusted_proxies);
    let kind = if wish.in_cookie { SessionKind::Cookie } else { SessionKind::Tokens };
    let opened = kind.open(state, account, &client).await?;
    let event = audit::did(
        Actor::Account(opened.account_id()),
        &audit::origin(state, request),
        Action::LoginSucceeded,
    );
    record(state, event.on(Target::Session(opened.session()))).await;
    let mut response = match opened {
        Opened::Tokens(granted) => {
            let return_to = wish.return_to.map(Into::into);
            HttpResponse::Ok().json(Arrival { grant: Grant::new(&granted), return_to })
        }
        Opened::Cookie(begun, _) => {
            let path = wish.return_to.as_ref().map_or("/", ReturnTo::as_str);
            let mut response = HttpResponse::SeeOther().insert_header((LOCATION, path)).finish();
            session_kind::set_cookies(state, request, &begun, &mut response)?;
            response
        }
    };
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    let removal = HeaderValue::try_from(Binding::removal(secure)).map_err(AuthError::Header)?;
    headers.append(SET_COOKIE, removal);
    Ok(response)
}
