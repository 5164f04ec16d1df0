//! How whoever signs in will hold the session: as tokens, or a browser in a cookie.

use actix_web::http::header::CACHE_CONTROL;
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder};
use millrace_domain::ids::{AccountId, SessionId};
use millrace_http::json::media_type;
use millrace_http::problem::{Code, Problem};
use millrace_http::public_side::Provenance;
use millrace_http::query;
use millrace_http::session_cookie::SessionCookies;
use millrace_security::browser_session::LIFETIME;
use millrace_storage::accounts::Account;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::browser_sessions::{self, Begun};
use crate::errors::AuthError;
use crate::routes::grant::Grant;
use crate::routes::session::Me;
use crate::sessions::{self, Client, Granted};
use crate::state::State;

/// What `session` in the query asks for.
#[derive(Clone, Copy, Debug)]
pub(super) enum SessionKind {
    /// A client that keeps tokens.
    Tokens,
    /// A browser.
    Cookie,
}

/// A session that was opened, as its holder will hold it.
pub(super) enum Opened {
    /// As tokens.
    Tokens(Granted),
    /// In a cookie.
    Cookie(Begun, Box<Account>),
}

/// A browser that is signed in. The session itself is in a cookie.
#[derive(Serialize, ToSchema)]
pub(super) struct SignedIn {
    /// To be sent as `X-CSRF-Token` with whatever changes something. It is in the cookie `millrace_csrf`, too.
    #[schema(example = "Zm9vYmFyYmF6cXV4cXV1eGNvcmdlZ3JhdWx0Z2FycGw")]
    csrf_token: String,
    /// After how many seconds the session ends if it is not used.
    #[schema(example = 604_800)]
    expires_in: u64,
    /// The account.
    account: Me,
}

/// What a sign-in is answered with.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "describes the two answers; each is sent by itself")]
pub(super) enum SignedInOrGrant {
    /// Without `session`.
    Grant(Grant),
    /// With `session=cookie`.
    SignedIn(SignedIn),
}

impl Opened {
    /// Whose session it is.
    pub(super) fn account_id(&self) -> AccountId {
        match self {
            Self::Tokens(granted) => granted.account_id,
            Self::Cookie(_, account) => account.id,
        }
    }

    /// The session.
    pub(super) fn session(&self) -> SessionId {
        match self {
            Self::Tokens(granted) => granted.session,
            Self::Cookie(begun, _) => begun.session,
        }
    }
}

impl SessionKind {
    /// What a request asks for.
    ///
    /// # Errors
    /// 422 for another kind of session; 403 for one in a cookie that another site's page may have asked for: it could
    /// sign people in to an account of its own and see what they do there.
    pub(super) fn asked(state: &State, request: &HttpRequest) -> Result<Self, Problem> {
        #[derive(Deserialize)]
        struct Asked {
            session: Option<String>,
        }
        match query::parse::<Asked>(request.query_string())?.session.as_deref() {
            None => return Ok(Self::Tokens),
            Some("cookie") => {}
            Some(_) => return Err(unknown()),
        }
        match state.public_side.provenance(request) {
            Provenance::Ours => Ok(Self::Cookie),
            // A form of another site can be sent without being asked for; JSON cannot.
            Provenance::Unknown if media_type(request.headers()) == "application/json" => Ok(Self::Cookie),
            Provenance::Unknown => Err(Problem::new(
                Code::Csrf,
                "send the body as `application/json`, or an `Origin` that is this site",
            )),
            Provenance::Elsewhere => {
                Err(Problem::new(Code::Csrf, "another site's page cannot sign people in here"))
            }
        }
    }

    /// Opens a session of this kind for somebody who has proved who they are.
    ///
    /// # Errors
    /// When the database is away.
    pub(super) async fn open(
        self,
        state: &State,
        account: Account,
        client: &Client,
    ) -> Result<Opened, AuthError> {
        match self {
            Self::Tokens => sessions::open(state, &account, client).await.map(Opened::Tokens),
            Self::Cookie => {
                let begun = browser_sessions::begin(state, &account, client).await?;
                Ok(Opened::Cookie(begun, Box::new(account)))
            }
        }
    }
}

/// Another kind of session than there is.
pub(super) fn unknown() -> Problem {
    Problem::field("session", "invalid", "session must be `cookie`, or be left out for tokens")
}

impl Opened {
    /// The answer, which nobody on the way may keep.
    ///
    /// # Errors
    /// 500 when a cookie does not fit into a header.
    pub(super) fn answer(
        self,
        state: &State,
        request: &HttpRequest,
        mut answer: HttpResponseBuilder,
    ) -> Result<HttpResponse, Problem> {
        answer.insert_header((CACHE_CONTROL, "no-store"));
        let (begun, account) = match self {
            Self::Tokens(granted) => return Ok(answer.json(Grant::new(&granted))),
            Self::Cookie(begun, account) => (begun, account),
        };
        let csrf_token = begun.csrf_token.clone();
        let body = SignedIn { csrf_token, expires_in: LIFETIME.as_secs(), account: (*account).into() };
        let mut response = answer.json(&body);
        set_cookies(state, request, &begun, &mut response)?;
        Ok(response)
    }
}

/// Gives a browser the cookies of its session.
///
/// # Errors
/// When one does not fit into a header.
pub(super) fn set_cookies(
    state: &State,
    request: &HttpRequest,
    begun: &Begun,
    response: &mut HttpResponse,
) -> Result<(), AuthError> {
    let cookies = SessionCookies { secure: state.public_side.is_secure(request) };
    let Begun { cookie, csrf_token, .. } = begun;
    Ok(cookies.set(response.headers_mut(), (cookie, csrf_token), LIFETIME)?)
}
