//! `/api/v1/auth/password/forgot` and `/api/v1/auth/password/reset`.

use actix_web::{HttpRequest, HttpResponse, post, web};
use chrono::Utc;
use millrace_domain::audit::action::Action;
use millrace_domain::email::Email;
use millrace_http::json::Json;
use millrace_http::problem::{Problem, ProblemBody};
use millrace_messaging::revocations::Revoked;
use millrace_security::mail_token::MailToken;
use millrace_storage::mail_tokens;
use millrace_storage::mails::{Kind, Wish};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::announcements::announce;
use crate::attempts;
use crate::audit::{record, to_own_account};
use crate::errors::AuthError;
use crate::routes::denials::BadBody;
use crate::state::State;

/// Whose password is forgotten.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Forgotten {
    /// The account's e-mail address, however it is written.
    #[schema(example = "ada@example.com")]
    email: String,
}

/// What is said to everybody.
#[derive(Serialize, ToSchema)]
pub(super) struct OnItsWay {
    /// For people.
    #[schema(example = "if the address has an account, a mail is on its way to it")]
    message: &'static str,
}

impl OnItsWay {
    pub(super) fn answer(message: &'static str) -> HttpResponse {
        HttpResponse::Accepted().json(Self { message })
    }
}

/// Another password.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Reset {
    /// From the mail.
    #[schema(value_type = String, format = Password, example = "mrm_Zm9vYmFyYmF6cXV4cXV1eGNvcmdlZ3JhdWx0Z2FycGx5")]
    token: SecretString,
    /// 8 to 72 bytes, and not easy to guess for somebody who knows the account.
    #[schema(value_type = String, format = Password, min_length = 8, max_length = 72)]
    password: SecretString,
}

/// Ask for a mail to reset the password
///
/// The answer is the same, after the same work, whether or not the address has an account, and whether or not this
/// installation sends mail: what is asked for is looked at when the answer is out. Five mails an hour go to an address
/// at most.
#[utoipa::path(
    operation_id = "forgot_password",
    tag = "account",
    request_body = Forgotten,
    responses(
        (status = 202, description = "If the address has an account, a mail is on its way", body = OnItsWay),
        (status = 429, description = "Too many mails were asked for from this network address within an hour; try again after `Retry-After`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, description = "The database is away; try again after `Retry-After`", body = ProblemBody, content_type = "application/problem+json"),
        BadBody,
    ),
)]
#[post("/api/v1/auth/password/forgot")]
pub(super) async fn forgot(
    Json(asked): Json<Forgotten>,
    request: HttpRequest,
    state: web::Data<State>,
) -> Result<HttpResponse, Problem> {
    let email: Email =
        asked.email.parse().map_err(|fault| Problem::field("email", "invalid", format!("email {fault}")))?;
    state.outbox.admit(attempts::address(&state, &request)).await?;
    let wish = Wish { kind: Kind::Reset, address: email.as_str(), account: None };
    state.outbox.ask(wish).await.map_err(AuthError::from)?;
    Ok(OnItsWay::answer("if the address has an account, a mail is on its way to it"))
}

/// Choose another password, with the token from a mail
///
/// All sessions of the account end, and a lock after wrong passwords does. The address is verified by it. The token is
/// used up only if the password is taken.
#[utoipa::path(
    operation_id = "reset_password",
    tag = "account",
    request_body = Reset,
    responses(
        (status = 204, description = "The password is changed; sign in with it"),
        (status = 503, description = "Too many people are signing in, or the database is away; try again after `Retry-After`", body = ProblemBody, content_type = "application/problem+json"),
        BadBody,
    ),
)]
#[post("/api/v1/auth/password/reset")]
pub(super) async fn reset(
    Json(asked): Json<Reset>,
    request: HttpRequest,
    state: web::Data<State>,
) -> Result<HttpResponse, Problem> {
    let token = MailToken::parse(asked.token.expose_secret().trim()).ok_or(AuthError::MailToken)?;
    let mut conn = state.connection().await?;
    let account = mail_tokens::resets(&mut conn, &token.hash(), Utc::now()).await.map_err(AuthError::from)?;
    drop(conn);
    let account = account.ok_or(AuthError::MailToken)?;
    let personal = [Some(account.email.clone()), account.full_name].into_iter().flatten().collect();
    let password_hash = state.passwords.choose(asked.password, personal).await?;
    let mut conn = state.connection().await?;
    let reset = mail_tokens::reset(&mut conn, &token.hash(), &password_hash, Utc::now()).await;
    drop(conn);
    let account_id = reset.map_err(AuthError::from)?.ok_or(AuthError::MailToken)?;
    announce(&state, Revoked::Sessions { account_id }).await;
    state.attempts.forgive(&account.email).await;
    record(&state, to_own_account(&state, &request, account_id, Action::PasswordReset)).await;
    Ok(HttpResponse::NoContent().finish())
}
