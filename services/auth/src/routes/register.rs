//! `POST /api/v1/auth/register`.

use actix_web::http::header::CACHE_CONTROL;
use actix_web::{HttpRequest, HttpResponse, post, web};
use millrace_domain::audit::action::Action;
use millrace_domain::email::Email;
use millrace_domain::text::Name;
use millrace_http::json::Json;
use millrace_http::problem::{Problem, ProblemBody};
use millrace_storage::accounts::{self, Account, NewAccount};
use millrace_storage::error::StorageError;
use millrace_storage::mails::{Kind, Wish};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::attempts;
use crate::audit::{record, to_own_account};
use crate::errors::AuthError;
use crate::routes::denials::BadBody;
use crate::routes::grant::Grant;
use crate::routes::session::Me;
use crate::routes::session_kind::SessionKind;
use crate::sessions::{self, Client};
use crate::state::State;

/// Who wants an account.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Register {
    /// An e-mail address. It is trimmed and put in lower case: a person has one account however they write it.
    #[schema(example = "ada@example.com")]
    email: String,
    /// 8 to 72 bytes, and not easy to guess for somebody who knows the other two fields.
    #[schema(value_type = String, format = Password, min_length = 8, max_length = 72)]
    password: SecretString,
    /// What to call the person: 1 to 100 characters.
    #[schema(min_length = 1, max_length = 100, example = "Ada Lovelace")]
    full_name: Option<String>,
}

/// A new account, signed in.
#[derive(Serialize, ToSchema)]
struct Registered {
    /// The account.
    #[serde(flatten)]
    account: Me,
    /// What lets in; absent where only accounts with a verified address do.
    #[serde(flatten)]
    grant: Option<Grant>,
}

/// Create an account, and sign in
///
/// A mail goes to the address, to verify it. Where only accounts with a verified address may sign in, the answer has no
/// tokens. An address that has an account gets a 409: people are told what to do next. So this tells who has an account;
/// how often it can be asked is limited.
///
/// With `session=cookie` the answer is that of a sign-in with a cookie.
#[utoipa::path(
    tag = "account",
    params(("session" = Option<String>, Query, description = "`cookie`: a browser session in place of tokens", pattern = "^cookie$")),
    request_body = Register,
    responses(
        (status = 201, description = "The account, signed in", body = Registered),
        (status = 403, description = "`registration_closed`: operators make the accounts here. `csrf`: with `session=cookie`, it may come from another site's page", body = ProblemBody, content_type = "application/problem+json"),
        (status = 409, description = "The address has an account", body = ProblemBody, content_type = "application/problem+json"),
        (status = 429, description = "Too many registrations came from this network address within an hour; try again after `Retry-After`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, description = "Too many people are signing in, or the database is away; try again after `Retry-After`", body = ProblemBody, content_type = "application/problem+json"),
        BadBody,
    ),
)]
#[post("/api/v1/auth/register")]
pub(super) async fn register(
    asked: Json<Register>,
    request: HttpRequest,
    state: web::Data<State>,
) -> Result<HttpResponse, Problem> {
    answer(asked, request, state).await
}

pub(super) async fn answer(
    Json(asked): Json<Register>,
    request: HttpRequest,
    state: web::Data<State>,
) -> Result<HttpResponse, Problem> {
    let kind = SessionKind::asked(&state, &request)?;
    state.admission.open()?;
    let email: Email =
        asked.email.parse().map_err(|fault| Problem::field("email", "invalid", format!("email {fault}")))?;
    let name = asked.full_name.map(|name| Name::parse(name.trim())).transpose();
    let name = name.map_err(|fault| Problem::field("full_name", "invalid", format!("full_name {fault}")))?;
    state.admission.register(attempts::address(&state, &request)).await?;
    let account = create(&state, &email, asked.password, name.as_ref()).await?;
    record(&state, to_own_account(&state, &request, account.id, Action::AccountRegistered)).await;
    let wish = Wish { kind: Kind::Verify, address: &account.email, account: Some(account.id) };
    if let Err(error) = state.outbox.ask(wish).await {
        tracing::warn!(%error, "an account is made, and the mail to verify its address is not asked for");
    }
    let client = Client::of(&request, &state.trusted_proxies);
    let grant = match kind {
        _ if state.admission.verified_only() => None,
        SessionKind::Tokens => Some(Grant::new(&sessions::open(&state, &account, &client).await?)),
        SessionKind::Cookie => {
            let opened = kind.open(&state, account, &client).await?;
            return opened.answer(&state, &request, HttpResponse::Created());
        }
    };
    let registered = Registered { account: account.into(), grant };
    Ok(HttpResponse::Created().insert_header((CACHE_CONTROL, "no-store")).json(registered))
}

/// The password is hashed before the address is looked up, so the time does not tell whether it has an account.
async fn create(
    state: &State,
    email: &Email,
    password: SecretString,
    name: Option<&Name>,
) -> Result<Account, AuthError> {
    let full_name = name.map(Name::as_str);
    let personal = [Some(email.as_str()), full_name].into_iter().flatten().map(str::to_owned).collect();
    let password_hash = &state.passwords.choose(password, personal).await?;
    let new = NewAccount {
        email: email.as_str(),
        password_hash: Some(password_hash),
        full_name,
        is_admin: false,
        email_verified: false,
    };
    let mut conn = state.connection().await?;
    accounts::create(&mut conn, new).await.map_err(|error| match error {
        StorageError::Conflict(_) => AuthError::AddressTaken(email.clone()),
        other => other.into(),
    })
}
