//! `POST /api/v1/auth/login`.

use actix_web::{HttpRequest, HttpResponse, post, web};
use millrace_domain::audit::action::Action;
use millrace_domain::audit::{Actor, SecurityEvent, Target};
use millrace_domain::email::Email;
use millrace_http::problem::{Problem, ProblemBody};
use millrace_storage::accounts::{self, Account};
use millrace_storage::mails::{Kind, Wish};
use secrecy::SecretString;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::attempts::Prover;
use crate::audit::{self, record};
use crate::errors::AuthError;
use crate::routes::denials::BadBody;
use crate::routes::form_or_json;
use crate::routes::session_kind::{Opened, SessionKind, SignedInOrGrant};
use crate::sessions::Client;
use crate::state::State;

/// Who wants in.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Login {
    /// The account's e-mail address, however it is written.
    #[schema(example = "ada@example.com")]
    email: String,
    /// The password.
    #[schema(value_type = String, format = Password)]
    password: SecretString,
}

/// The same as the password form of OAuth 2.0 ([RFC 6749](https://www.rfc-editor.org/rfc/rfc6749), 4.3.2). Its other
/// fields are ignored.
#[derive(Deserialize, ToSchema)]
struct LoginForm {
    /// The account's e-mail address.
    username: String,
    /// The password.
    #[schema(value_type = String, format = Password)]
    password: SecretString,
}

impl From<LoginForm> for Login {
    fn from(form: LoginForm) -> Self {
        Self { email: form.username, password: form.password }
    }
}

/// Sign in
///
/// A wrong password and an account that does not exist get the same answer, after the same time.
///
/// With `session=cookie` a browser is given the session in a cookie that no script can read, and the answer is a
/// `SignedIn` in place of a `Grant`. It must be sent as JSON, or say that it comes from a page of ours
/// (`Sec-Fetch-Site`, `Origin`), or another site could sign people in as somebody else.
#[utoipa::path(
    tag = "session",
    params(("session" = Option<String>, Query, description = "`cookie`: a browser session in place of tokens", pattern = "^cookie$")),
    request_body(content((Login = "application/json"), (LoginForm = "application/x-www-form-urlencoded"))),
    responses(
        (status = 200, description = "An access token for 15 minutes and a refresh token for 7 days; or a session in a cookie for 7 days", body = SignedInOrGrant),
        (status = 401, description = "The e-mail address or the password is wrong", body = ProblemBody, content_type = "application/problem+json"),
        (status = 403, description = "`email_not_verified`: the password is right, and the address has to be verified first, where the installation asks for it; another mail is on its way. `csrf`: with `session=cookie`, it may come from another site's page", body = ProblemBody, content_type = "application/problem+json"),
        (status = 429, description = "Five attempts have failed within a minute, for this account or from this address; try again after `Retry-After`. Every further lock lasts twice as long, up to 15 minutes", body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, description = "Too many people are signing in, or the database is away; try again after `Retry-After`", body = ProblemBody, content_type = "application/problem+json"),
        BadBody,
    ),
)]
#[post("/api/v1/auth/login")]
pub(super) async fn login(
    request: HttpRequest,
    payload: web::Payload,
    state: web::Data<State>,
) -> Result<HttpResponse, Problem> {
    answer(request, payload, state).await
}

pub(super) async fn answer(
    request: HttpRequest,
    payload: web::Payload,
    state: web::Data<State>,
) -> Result<HttpResponse, Problem> {
    let kind = SessionKind::asked(&state, &request)?;
    let asked: Login = form_or_json::read::<_, LoginForm>(&request, payload).await?;
    let client = Client::of(&request, &state.trusted_proxies);
    let prover = Prover::new(&state, &request, &asked.email);
    let email = asked.email.clone();
    let outcome = prover.guarded(&state, sign_in(&state, asked, kind, &client)).await;
    let result = match &outcome {
        Ok(_) => "success",
        Err(AuthError::WrongPassword) => "failure",
        Err(AuthError::Locked(_)) => "locked",
        Err(AuthError::NotVerified) => "unverified",
        Err(AuthError::Busy) => "busy",
        Err(_) => "error",
    };
    metrics::counter!("auth_logins_total", "result" => result).increment(1);
    tell(&state, &request, &email, &outcome).await;
    outcome?.answer(&state, &request, HttpResponse::Ok())
}

/// Who succeeded is known; of whom somebody else claimed to be, only the account that is called so, if there is one.
async fn tell(state: &State, request: &HttpRequest, email: &str, outcome: &Result<Opened, AuthError>) {
    let origin = audit::origin(state, request);
    let action = match outcome {
        Ok(opened) => {
            let event = audit::did(Actor::Account(opened.account_id()), &origin, Action::LoginSucceeded);
            return record(state, event.on(Target::Session(opened.session()))).await;
        }
        Err(AuthError::WrongPassword) => Action::LoginFailed,
        Err(AuthError::Locked(locked)) if locked.first => Action::LoginLocked,
        Err(_) => return,
    };
    let claimed = find(state, email).await.ok().flatten();
    let target = claimed.map(|account| Target::Account(account.id));
    record(state, SecurityEvent { target, ..audit::did(Actor::Anonymous, &origin, action) }).await;
}

async fn sign_in(
    state: &State,
    asked: Login,
    kind: SessionKind,
    client: &Client,
) -> Result<Opened, AuthError> {
    let account = find(state, &asked.email).await?;
    let hash = account.as_ref().and_then(|account| account.password_hash.clone());
    let matches = state.passwords.matches(asked.password.clone(), hash).await?;
    let account = account.filter(|_| matches).ok_or(AuthError::WrongPassword)?;
    if state.admission.verified_only() && account.email_verified_at.is_none() {
        return Err(Box::pin(unverified(state, &account)).await);
    }
    // Before the hash is renewed: a session is opened only if the password is still the one that was tried.
    let opened = kind.open(state, account.clone(), client).await?;
    // Boxed: it is rare, and every sign-in would carry its size.
    Box::pin(state.passwords.renew(state, &account, asked.password)).await;
    Ok(opened)
}

/// Whoever knows the password of the account, and has not proved its address, gets another mail to do so.
async fn unverified(state: &State, account: &Account) -> AuthError {
    let wish = Wish { kind: Kind::Verify, address: &account.email, account: Some(account.id) };
    state.outbox.ask(wish).await.map_or_else(Into::into, |()| AuthError::NotVerified)
}

/// No connection is held while the password is tried: that takes longer than everything else together.
async fn find(state: &State, email: &str) -> Result<Option<Account>, AuthError> {
    let Ok(email) = email.parse::<Email>() else { return Ok(None) };
    let mut conn = state.connection().await?;
    Ok(accounts::find_by_email(&mut conn, email.as_str()).await?)
}
