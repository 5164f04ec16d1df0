//! Browsers show a cookie and services know access tokens: here the one becomes the other.
//!
//! [`BrowserSessions::admit`] is the whole step and depends on nothing but a request's head, so whatever answers
//! requests here can take it, WebSockets included. [`middleware`] takes it for what is passed on to a service, which
//! therefore never sees a session's cookie, good or bad.

use std::sync::Arc;

use actix_web::body::BoxBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::http::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue, UPGRADE};
use actix_web::middleware::Next;
use actix_web::{Error, HttpRequest, HttpResponse, ResponseError};
use millrace_http::problem::{Code, Problem};
use millrace_http::public_side::{Provenance, PublicSide};
use millrace_http::session_cookie::SessionCookies;
use millrace_messaging::browser_sessions::{OpenSession, SessionOpener};
use millrace_messaging::error::MessagingError;
use millrace_security::browser_session::LIFETIME;
use millrace_security::csrf;

const CSRF_TOKEN: HeaderName = HeaderName::from_static("x-csrf-token");
const API_KEY: HeaderName = HeaderName::from_static("x-api-key");

/// Where people become somebody, and what is for everybody. A cookie is not looked at there: whoever holds one that
/// has ended must be able to sign in, and a page that signs people in has no CSRF token yet.
pub const FOR_ANYBODY: &[&str] = &[
    "/api/v1/auth/register",
    "/api/v1/auth/login",
    "/api/v1/auth/refresh",
    "/api/v1/auth/password/forgot",
    "/api/v1/auth/password/reset",
    "/api/v1/auth/email/verify",
    "/api/v1/auth/google",
    "/api/v1/auth/google/callback",
    "/api/v1/auth/oidc",
    "/api/v1/auth/oidc/callback",
    "/api/v1/auth/oidc/provider",
    "/auth/google",
    "/auth/google/callback",
    "/auth/signup",
    "/auth/login",
    "/.well-known/jwks.json",
];
/// Where the session of a cookie ends, and the cookie with it.
const SIGN_OUT: &str = "/api/v1/auth/logout";

/// Opens the sessions of requests.
#[derive(Debug)]
pub struct BrowserSessions {
    opener: SessionOpener,
    public_side: PublicSide,
}

/// A request that comes with a good cookie, and may do what it asks for as far as that goes.
pub struct Admitted {
    session: Arc<OpenSession>,
    cookie: String,
    cookies: SessionCookies,
}

/// A request that is not to go on.
#[derive(Debug)]
pub struct Refusal {
    problem: Problem,
    /// Set when the browser had better forget its cookie.
    clear: Option<SessionCookies>,
}

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        Self { problem, clear: None }
    }
}

impl BrowserSessions {
    /// Opens cookies with `opener`, as they are on this public side.
    #[must_use]
    pub fn new(opener: SessionOpener, public_side: PublicSide) -> Self {
        Self { opener, public_side }
    }

    /// Looks at a request's head for a session. `None` when it shows other credentials, or none at all.
    ///
    /// # Errors
    /// 401 for a cookie that is not good any more, 403 when another site's page may have sent the request, 503 when
    /// nobody can tell.
    pub async fn admit(&self, request: &HttpRequest) -> Result<Option<Admitted>, Refusal> {
        let headers = request.headers();
        if headers.contains_key(AUTHORIZATION) || headers.contains_key(API_KEY) {
            return Ok(None);
        }
        let cookies = SessionCookies { secure: self.public_side.is_secure(request) };
        let Some(cookie) = cookies.session(headers) else { return Ok(None) };
        let changes_something = ![Method::GET, Method::HEAD, Method::OPTIONS].contains(request.method());
        // A WebSocket is opened with a GET, and what comes through it can be read by the page that opened it.
        let guarded = changes_something || headers.contains_key(UPGRADE);
        if guarded && self.public_side.provenance(request) == Provenance::Elsewhere {
            return Err(unproven("another site's page cannot use a session here").into());
        }
        let session = self.opener.open(cookie).await.map_err(|error| Problem::unavailable("auth", &error))?;
        let Some(session) = session else {
            let problem = Problem::new(Code::Unauthenticated, "the session has ended: sign in again");
            return Err(Refusal { problem, clear: Some(cookies) });
        };
        if changes_something {
            let shown = headers.get(CSRF_TOKEN).ok_or_else(|| {
                unproven("send the CSRF token of the session (the cookie `millrace_csrf`) as `X-CSRF-Token`")
            })?;
            if !csrf::matches(&session.csrf_token, shown.as_bytes()) {
                return Err(unproven("`X-CSRF-Token` is not the CSRF token of this session").into());
            }
        }
        Ok(Some(Admitted { session, cookie: cookie.to_owned(), cookies }))
    }

    /// What the cookie of a session that goes on stands for at this moment; `None` when it has ended.
    ///
    /// # Errors
    /// When nobody can tell.
    pub async fn access_token(&self, cookie: &str) -> Result<Option<String>, MessagingError> {
        Ok(self.opener.open(cookie).await?.map(|session| session.access_token.clone()))
    }

    /// Has the browser know what has become of its session, given the answer to its request.
    async fn settle(&self, admitted: &Admitted, signs_out: bool, response: &mut HttpResponse) {
        if response.status() == actix_web::http::StatusCode::UNAUTHORIZED {
            // The service knows better than this memory. The next request finds out.
            self.opener.forget(&admitted.cookie).await;
        } else if signs_out && response.status().is_success() {
            clear(admitted.cookies, response.headers_mut());
        } else {
            admitted.renew(response.headers_mut());
        }
    }
}

impl Admitted {
    /// The header that the services know the caller by.
    ///
    /// # Errors
    /// 500 when the access token does not fit into a header.
    pub fn authorization(&self) -> Result<HeaderValue, Problem> {
        let mut value = HeaderValue::from_str(&format!("Bearer {}", self.session.access_token))
            .map_err(|error| Problem::internal(&error))?;
        value.set_sensitive(true);
        Ok(value)
    }

    /// The cookie that was shown.
    #[must_use]
    pub fn cookie(&self) -> &str {
        &self.cookie
    }

    /// Hands the browser its next cookie, if there is one. Every answer does until the browser shows it: one that is
    /// lost costs nothing.
    pub fn renew(&self, answer: &mut HeaderMap) {
        let OpenSession { renewed: Some(renewed), csrf_token, .. } = &*self.session else { return };
        if let Err(error) = self.cookies.set(answer, (renewed, csrf_token), LIFETIME) {
            tracing::error!(%error, "a session cookie is not renewed");
        }
    }
}

impl Refusal {
    /// The answer.
    #[must_use]
    pub fn into_response(self) -> HttpResponse {
        let reason = self.problem.code().as_str();
        metrics::counter!("browser_requests_refused_total", "reason" => reason).increment(1);
        let mut response = self.problem.error_response();
        if let Some(cookies) = self.clear {
            clear(cookies, response.headers_mut());
        }
        response
    }
}

/// Passes a request on with the access token of its session in place of the cookie.
///
/// # Errors
/// Those of the service inside.
pub async fn middleware(
    sessions: Arc<BrowserSessions>,
    mut request: ServiceRequest,
    next: Next<BoxBody>,
) -> Result<ServiceResponse, Error> {
    let admitted = if !FOR_ANYBODY.contains(&request.path()) {
        sessions.admit(request.request()).await
    } else {
        Ok(None)
    };
    let bearer = admitted.and_then(|admitted| {
        let bearer = admitted.as_ref().map(Admitted::authorization).transpose()?;
        Ok(admitted.zip(bearer))
    });
    match bearer {
        Err(refusal) => Ok(request.into_response(refusal.into_response())),
        Ok(None) => next.call(request).await,
        Ok(Some((admitted, bearer))) => {
            request.headers_mut().insert(AUTHORIZATION, bearer);
            let signs_out = request.path() == SIGN_OUT;
            let mut response = next.call(request).await?;
            sessions.settle(&admitted, signs_out, response.response_mut()).await;
            Ok(response)
        }
    }
}

fn unproven(detail: &str) -> Problem {
    Problem::new(Code::Csrf, detail)
}

fn clear(cookies: SessionCookies, answer: &mut HeaderMap) {
    if let Err(error) = cookies.clear(answer) {
        tracing::error!(%error, "a session cookie is not cleared");
    }
}
