//! `/api/v1/auth/google`: signing in with an OpenID provider, Google or another.

use actix_web::http::header::{CACHE_CONTROL, LOCATION, SET_COOKIE};
use actix_web::{HttpRequest, HttpResponse, get, web};
use millrace_domain::audit::Actor;
use millrace_domain::audit::action::Action;
use millrace_http::problem::{Problem, ProblemBody};
use millrace_http::query::{self, Query};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::audit::{self, record, to_own_account};
use crate::openid::OpenId;
use crate::openid::admission::admit;
use crate::openid::binding::Binding;
use crate::openid::callback::Callback;
use crate::openid::error::OpenIdError;
use crate::openid::pending::Wish;
use crate::openid::return_to::{NotAPath, ReturnTo};
use crate::routes::arrival::{self, Arrival};
use crate::routes::session_kind;
use crate::state::State;

/// How a sign-in begins.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Start {
    /// Where to go once signed in: a path here.
    #[param(example = "/projects")]
    return_to: Option<String>,
    /// `cookie`: a browser session, and on to `return_to`, in place of tokens.
    #[param(pattern = "^cookie$")]
    session: Option<String>,
}

/// The provider that people may sign in with.
#[derive(Serialize, ToSchema)]
struct Provider<'a> {
    /// What people know it as.
    #[schema(example = "Google")]
    name: &'a str,
    /// What it calls itself.
    #[schema(example = "https://accounts.google.com")]
    issuer: &'a str,
}

/// Sign in with a provider
///
/// For browsers: sends them to the provider that is configured, Google or another, and from there to the callback. The
/// same as `/api/v1/auth/oidc`.
#[utoipa::path(
    operation_id = "begin_provider_sign_in",
    tag = "session",
    params(Start),
    responses(
        (status = 302, description = "To the provider, with a cookie that the callback must come with, within ten minutes"),
        (status = 404, description = "No provider is configured", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "`return_to` leads elsewhere, or there is no such `session`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 502, description = "The provider does not answer as it should", body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, description = "The provider or Redis is away; try again after `Retry-After`", body = ProblemBody, content_type = "application/problem+json"),
    ),
)]
#[get("/api/v1/auth/google")]
pub(super) async fn begin(asked: Query<Start>, state: web::Data<State>) -> Result<HttpResponse, Problem> {
    start(asked, state).await
}

pub(super) async fn start(
    Query(asked): Query<Start>,
    state: web::Data<State>,
) -> Result<HttpResponse, Problem> {
    let openid = configured(&state)?;
    let return_to = asked.return_to.map(ReturnTo::try_from).transpose();
    let return_to = return_to
        .map_err(|NotAPath| Problem::field("return_to", "invalid", format!("return_to {NotAPath}")))?;
    let in_cookie = match asked.session.as_deref() {
        None => false,
        Some("cookie") => true,
        Some(_) => return Err(session_kind::unknown()),
    };
    let begun = openid.begin(Wish { return_to, in_cookie }).await.inspect_err(count_failure)?;
    Ok(HttpResponse::Found()
        .insert_header((LOCATION, begun.authorise.as_str()))
        .insert_header((SET_COOKIE, begun.binding.cookie(openid.settings().is_secure())))
        .insert_header((CACHE_CONTROL, "no-store"))
        .finish())
}

/// Come back from the provider
///
/// Whoever signs in for the first time gets an account, or is linked to the one of their address, if the provider has
/// verified it. The same as `/api/v1/auth/oidc/callback`.
#[utoipa::path(
    operation_id = "finish_provider_sign_in",
    tag = "session",
    params(
        ("state" = String, Query, description = "Which sign-in it is"),
        ("code" = Option<String>, Query, description = "What the provider gives out an ID token for"),
        ("error" = Option<String>, Query, description = "Why there is no code"),
        ("iss" = Option<String>, Query, description = "Which provider says so (RFC 9207)"),
    ),
    responses(
        (status = 200, description = "An access token for 15 minutes and a refresh token for 7 days", body = Arrival),
        (status = 303, description = "With `session=cookie`: a session in a cookie, and on to `return_to`, or `/`"),
        (status = 400, description = "The sign-in was not begun in this browser, is finished already or took more than ten minutes, or the answer is from another provider: begin again", body = ProblemBody, content_type = "application/problem+json"),
        (status = 401, description = "The provider's code or ID token is not to be believed: begin again", body = ProblemBody, content_type = "application/problem+json"),
        (status = 403, description = "The sign-in was cancelled, the provider has not verified the e-mail address, or no accounts are made for its domain", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "No provider is configured", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "A parameter is there twice", body = ProblemBody, content_type = "application/problem+json"),
        (status = 502, description = "The provider does not answer as it should", body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, description = "The provider, Redis or the database is away; begin again after `Retry-After`", body = ProblemBody, content_type = "application/problem+json"),
    ),
)]
#[get("/api/v1/auth/google/callback")]
pub(super) async fn callback(request: HttpRequest, state: web::Data<State>) -> Result<HttpResponse, Problem> {
    finish(request, state).await
}

pub(super) async fn finish(request: HttpRequest, state: web::Data<State>) -> Result<HttpResponse, Problem> {
    let openid = configured(&state)?;
    let brought = query::parse(request.query_string())?;
    let answer = sign_in(&state, openid, &request, brought).await.inspect_err(count_failure);
    if let Err(error) = &answer
        && matches!(error.outcome(), "refused" | "not_admitted")
    {
        record(&state, audit::did(Actor::Anonymous, &audit::origin(&state, &request), Action::LoginFailed))
            .await;
    }
    let answer = answer?;
    count("success", "success");
    Ok(answer)
}

async fn sign_in(
    state: &State,
    openid: &OpenId,
    request: &HttpRequest,
    brought: Callback,
) -> Result<HttpResponse, OpenIdError> {
    let settings = openid.settings();
    let binding = Binding::shown(request.headers(), settings.is_secure());
    let proven = openid.finish(brought, binding).await?;
    let (account, admission) = admit(state, settings, &proven.person).await?;
    if let Some(action) = admission.action() {
        record(state, to_own_account(state, request, account.id, action)).await;
    }
    arrival::answer(state, request, account, proven.wish, settings.is_secure()).await
}

/// Which provider people may sign in with
#[utoipa::path(
    operation_id = "show_provider",
    tag = "session",
    responses(
        (status = 200, description = "The provider", body = Provider),
        (status = 404, description = "No provider is configured", body = ProblemBody, content_type = "application/problem+json"),
    ),
)]
#[get("/api/v1/auth/oidc/provider")]
pub(super) async fn provider(state: web::Data<State>) -> Result<HttpResponse, Problem> {
    let settings = configured(&state)?.settings();
    Ok(HttpResponse::Ok().json(Provider { name: &settings.name, issuer: settings.issuer.as_str() }))
}

fn configured(state: &State) -> Result<&OpenId, OpenIdError> {
    state.openid.as_deref().ok_or(OpenIdError::NotConfigured)
}

fn count_failure(error: &OpenIdError) {
    let outcome = error.outcome();
    count(if outcome == "error" || outcome == "provider" { "error" } else { "failure" }, outcome);
}

/// Once among all sign-ins, and once in more detail.
fn count(result: &'static str, outcome: &'static str) {
    metrics::counter!("auth_logins_total", "result" => result).increment(1);
    metrics::counter!("auth_provider_logins_total", "result" => outcome).increment(1);
}
