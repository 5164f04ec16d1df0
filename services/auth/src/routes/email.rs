//! `/api/v1/auth/email`: proving an address, and having another.

use actix_web::{HttpRequest, HttpResponse, post, web};
use chrono::Utc;
use millrace_domain::audit::action::Action;
use millrace_domain::email::Email;
use millrace_http::json::Json;
use millrace_http::problem::{Code, Problem, ProblemBody};
use millrace_security::mail_token::MailToken;
use millrace_storage::error::StorageError;
use millrace_storage::mail_tokens::{self, Proved};
use millrace_storage::mails::{Kind, Wish};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::attempts::{self, Prover};
use crate::audit::{record, to_own_account};
use crate::caller::Caller;
use crate::errors::AuthError;
use crate::routes::denials::{BadBody, NotSignedIn};
use crate::routes::password::none_yet;
use crate::routes::password_reset::OnItsWay;
use crate::state::State;

/// A proof.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Proof {
    /// From the mail.
    #[schema(value_type = String, format = Password, example = "mrm_Zm9vYmFyYmF6cXV4cXV1eGNvcmdlZ3JhdWx0Z2FycGx5")]
    token: SecretString,
}

/// Another address.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewAddress {
    /// The address to have from now on. It is trimmed and put in lower case.
    #[schema(example = "ada@example.org")]
    email: String,
    /// The account's password: whoever finds a device unlocked cannot take the account over.
    #[schema(value_type = String, format = Password)]
    password: SecretString,
}

/// Verify an address, with the token from a mail
///
/// For the address of a new account, and for one that an account wants to have instead of its own.
#[utoipa::path(
    operation_id = "verify_email",
    tag = "account",
    request_body = Proof,
    responses(
        (status = 204, description = "The address is verified; if it is another one, it is the account's from now on"),
        (status = 409, description = "The address has an account of its own by now", body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, description = "The database is away; try again after `Retry-After`", body = ProblemBody, content_type = "application/problem+json"),
        BadBody,
    ),
)]
#[post("/api/v1/auth/email/verify")]
pub(super) async fn verify(
    Json(asked): Json<Proof>,
    request: HttpRequest,
    state: web::Data<State>,
) -> Result<HttpResponse, Problem> {
    let token = MailToken::parse(asked.token.expose_secret().trim()).ok_or(AuthError::MailToken)?;
    let mut conn = state.connection().await?;
    let proved = mail_tokens::verify(&mut conn, &token.hash(), Utc::now()).await;
    drop(conn);
    let proved = proved.map_err(|error| match error {
        StorageError::Conflict(_) => {
            Problem::new(Code::Conflict, "the address has an account of its own by now")
        }
        other => AuthError::from(other).into(),
    })?;
    let (account_id, action) = match proved.ok_or(AuthError::MailToken)? {
        Proved::Present(account_id) => (account_id, Action::EmailVerified),
        Proved::New(account_id) => {
            // The old address is told.
            state.outbox.wake();
            (account_id, Action::EmailChanged)
        }
    };
    record(&state, to_own_account(&state, &request, account_id, action)).await;
    Ok(HttpResponse::NoContent().finish())
}

/// Ask for another mail to verify the account's address
#[utoipa::path(
    operation_id = "resend_verification",
    tag = "account",
    responses(
        (status = 202, description = "A mail is on its way, unless five went there within the last hour", body = OnItsWay),
        (status = 409, description = "The address is verified already, or this installation sends no mail", body = ProblemBody, content_type = "application/problem+json"),
        (status = 429, description = "Too many mails were asked for from this network address within an hour; try again after `Retry-After`", body = ProblemBody, content_type = "application/problem+json"),
        NotSignedIn,
    ),
    security(("access_token" = [])),
)]
#[post("/api/v1/auth/email/verify/resend")]
pub(super) async fn resend(
    caller: Caller,
    request: HttpRequest,
    state: web::Data<State>,
) -> Result<HttpResponse, Problem> {
    let account = caller.account;
    if account.email_verified_at.is_some() {
        return Err(Problem::new(Code::Conflict, "the address is verified already"));
    }
    may_ask(&state, &request).await?;
    let wish = Wish { kind: Kind::Verify, address: &account.email, account: Some(account.id) };
    state.outbox.ask(wish).await.map_err(AuthError::from)?;
    Ok(OnItsWay::answer("a mail to verify the address is on its way"))
}

/// Ask for another address
///
/// It is the account's when it is verified, with the token from the mail that goes there; the old address is told then.
/// An address that has an account gets no mail, and the answer is the same.
#[utoipa::path(
    operation_id = "change_email",
    tag = "account",
    request_body = NewAddress,
    responses(
        (status = 202, description = "A mail is on its way to the new address", body = OnItsWay),
        (status = 409, description = "The account has no password: it proves itself with a provider; or this installation sends no mail", body = ProblemBody, content_type = "application/problem+json"),
        (status = 429, description = "Five attempts have failed within a minute, or too many mails were asked for from this network address within an hour; try again after `Retry-After`", body = ProblemBody, content_type = "application/problem+json"),
        NotSignedIn,
        BadBody,
    ),
    security(("access_token" = [])),
)]
#[post("/api/v1/auth/email")]
pub(super) async fn change(
    caller: Caller,
    Json(asked): Json<NewAddress>,
    request: HttpRequest,
    state: web::Data<State>,
) -> Result<HttpResponse, Problem> {
    let account = caller.account;
    let new: Email =
        asked.email.parse().map_err(|fault| Problem::field("email", "invalid", format!("email {fault}")))?;
    if new.as_str() == account.email {
        return Err(Problem::field("email", "invalid", "email is the account's already"));
    }
    let hash = account.password_hash.ok_or_else(none_yet)?;
    let prover = Prover::new(&state, &request, &account.email);
    let proof = prover.guarded(&state, state.passwords.prove(asked.password, hash)).await;
    proof.map_err(|error| match error {
        AuthError::WrongPassword => {
            Problem::field("password", "wrong", "password is not the account's password")
        }
        other => other.into(),
    })?;
    may_ask(&state, &request).await?;
    let wish = Wish { kind: Kind::Change, address: new.as_str(), account: Some(account.id) };
    state.outbox.ask(wish).await.map_err(AuthError::from)?;
    Ok(OnItsWay::answer("a mail to verify the new address is on its way to it"))
}

/// Whoever is signed in may be told that there is no mail server.
async fn may_ask(state: &State, request: &HttpRequest) -> Result<(), AuthError> {
    if !state.outbox.is_open() {
        return Err(AuthError::NoMail);
    }
    state.outbox.admit(attempts::address(state, request)).await
}
