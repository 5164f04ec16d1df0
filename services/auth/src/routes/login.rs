//! `POST /api/v1/auth/login`.

use actix_web::http::header::CACHE_CONTROL;
use actix_web::{HttpRequest, HttpResponse, post, web};
use millrace_domain::email::Email;
use millrace_http::body;
use millrace_http::json::{self, media_type};
use millrace_http::problem::{Code, Problem, ProblemBody};
use millrace_http::query;
use millrace_security::token::LIFETIME;
use millrace_storage::accounts::{self, Account};
use millrace_storage::members;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::errors::AuthError;
use crate::routes::denials::BadBody;
use crate::state::State;

const MAX_BYTES: usize = 16 * 1024;

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

/// What lets in.
#[derive(Serialize, ToSchema)]
struct LoggedIn {
    /// To be sent as `Authorization: Bearer …`.
    access_token: String,
    /// How to send it.
    #[schema(example = "bearer")]
    token_type: &'static str,
    /// How long it is good, in seconds.
    #[schema(example = 900)]
    expires_in: u64,
}

/// Sign in
///
/// A wrong password and an account that does not exist get the same answer, after the same time.
#[utoipa::path(
    tag = "session",
    request_body(content((Login = "application/json"), (LoginForm = "application/x-www-form-urlencoded"))),
    responses(
        (status = 200, description = "An access token, good for 15 minutes", body = LoggedIn),
        (status = 401, description = "The e-mail address or the password is wrong", body = ProblemBody, content_type = "application/problem+json"),
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
    let body = body::read(request.headers(), payload, MAX_BYTES).await?;
    let asked = read(&media_type(request.headers()), &body)?;
    let outcome = sign_in(&state, asked).await;
    let result = match &outcome {
        Ok(_) => "success",
        Err(AuthError::WrongPassword) => "failure",
        Err(AuthError::Busy) => "busy",
        Err(_) => "error",
    };
    metrics::counter!("auth_logins_total", "result" => result).increment(1);
    let answer = LoggedIn { access_token: outcome?, token_type: "bearer", expires_in: LIFETIME.as_secs() };
    Ok(HttpResponse::Ok().insert_header((CACHE_CONTROL, "no-store")).json(answer))
}

fn read(media_type: &str, body: &[u8]) -> Result<Login, Problem> {
    match media_type {
        "application/json" => json::parse(body),
        "application/x-www-form-urlencoded" => {
            let text = std::str::from_utf8(body)
                .map_err(|_not_utf8| Problem::new(Code::Malformed, "the form is not UTF-8"))?;
            query::parse::<LoginForm>(text).map(Into::into)
        }
        _ => {
            let detail = "send the body as `application/json` or `application/x-www-form-urlencoded`";
            Err(Problem::new(Code::UnsupportedMedia, detail))
        }
    }
}

async fn sign_in(state: &State, asked: Login) -> Result<String, AuthError> {
    let account = find(state, &asked.email).await?;
    let hash = account.as_ref().map(|account| account.password_hash.clone());
    let matches = state.passwords.matches(asked.password, hash).await?;
    let account = account.filter(|_| matches).ok_or(AuthError::WrongPassword)?;
    let mut conn = state.connection().await?;
    let roles = members::roles(&mut conn, account.id).await?;
    Ok(state.tokens.issue(&account, roles)?)
}

/// No connection is held while the password is tried: that takes longer than everything else together.
async fn find(state: &State, email: &str) -> Result<Option<Account>, AuthError> {
    let Ok(email) = email.parse::<Email>() else { return Ok(None) };
    let mut conn = state.connection().await?;
    Ok(accounts::find_by_email(&mut conn, email.as_str()).await?)
}
