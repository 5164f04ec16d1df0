//! `POST /api/v1/auth/password`.

use actix_web::{HttpRequest, HttpResponse, post, web};
use millrace_domain::audit::Target;
use millrace_domain::audit::action::Action;
use millrace_http::json::Json;
use millrace_http::problem::{Code, Problem, ProblemBody};
use millrace_messaging::revocations::Revoked;
use millrace_storage::accounts;
use secrecy::SecretString;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::announcements::announce;
use crate::attempts::Prover;
use crate::audit::record;
use crate::caller::Caller;
use crate::errors::{AuthError, bad_password};
use crate::routes::denials::{BadBody, NotSignedIn};
use crate::state::State;

/// A change of password.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewPassword {
    /// The present one: whoever finds a device unlocked cannot take the account over.
    #[schema(value_type = String, format = Password)]
    current_password: SecretString,
    /// 8 to 72 bytes, and not easy to guess for somebody who knows the account.
    #[schema(value_type = String, format = Password, min_length = 8, max_length = 72)]
    new_password: SecretString,
}

/// Change the password
///
/// The caller stays signed in; the account's other sessions end.
#[utoipa::path(
    operation_id = "change_password",
    tag = "account",
    request_body = NewPassword,
    responses(
        (status = 204, description = "The password is changed"),
        (status = 409, description = "The account has no password: it signs in with a provider alone", body = ProblemBody, content_type = "application/problem+json"),
        (status = 429, description = "Five attempts have failed within a minute; try again after `Retry-After`", body = ProblemBody, content_type = "application/problem+json"),
        NotSignedIn,
        BadBody,
    ),
    security(("access_token" = [])),
)]
#[post("/api/v1/auth/password")]
pub(super) async fn change(
    caller: Caller,
    Json(asked): Json<NewPassword>,
    request: HttpRequest,
    state: web::Data<State>,
) -> Result<HttpResponse, Problem> {
    let account = &caller.account;
    let tell = |action| record(&state, caller.did(action).on(Target::Account(account.id)));
    let old_hash = account.password_hash.as_ref().ok_or_else(none_yet)?;
    let prover = Prover::new(&state, &request, &account.email);
    let proof = prover.guarded(&state, state.passwords.prove(asked.current_password, old_hash.clone())).await;
    match proof {
        Ok(()) => {}
        Err(AuthError::WrongPassword) => {
            tell(Action::PasswordChangeFailed).await;
            return Err(wrong());
        }
        Err(error) => {
            if matches!(&error, AuthError::Locked(locked) if locked.first) {
                tell(Action::PasswordChangeLocked).await;
            }
            return Err(error.into());
        }
    }
    let personal = [Some(account.email.clone()), account.full_name.clone()].into_iter().flatten().collect();
    let new_hash =
        state.passwords.choose(asked.new_password, personal).await.map_err(|error| match error {
            AuthError::BadPassword(fault) => bad_password("new_password", &fault),
            other => other.into(),
        })?;
    let mut conn = state.connection().await?;
    let changed = accounts::replace_password(&mut conn, account.id, old_hash, &new_hash, caller.session)
        .await
        .map_err(AuthError::from)?;
    drop(conn);
    if !changed {
        tell(Action::PasswordChangeFailed).await;
        return Err(wrong());
    }
    announce(&state, Revoked::Sessions { account_id: account.id }).await;
    tell(Action::PasswordChanged).await;
    Ok(HttpResponse::NoContent().finish())
}

/// Whoever finds a device unlocked must not be able to give the account a password.
/// The password that is asked for does not exist.
pub(super) fn none_yet() -> Problem {
    Problem::new(Code::Conflict, "the account has no password yet: use the password reset to choose one")
}

fn wrong() -> Problem {
    Problem::field("current_password", "wrong", "current_password is not the account's password")
}
