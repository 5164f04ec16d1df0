//! `/api/v1/auth/identities`: who may sign in to the account besides its password.

use actix_web::{HttpRequest, HttpResponse, delete, get, web};
use chrono::{DateTime, Utc};
use millrace_domain::audit::Target;
use millrace_domain::audit::action::Action;
use millrace_domain::ids::IdentityId;
use millrace_http::problem::{Code, Problem, ProblemBody};
use millrace_storage::external_identities::{self, Identity, Unlinked};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::audit::record;
use crate::caller::Caller;
use crate::errors::AuthError;
use crate::routes::denials::{NoAccess, NotSignedIn};
use crate::state::State;

/// Somebody whom a provider vouches for, and who may sign in.
#[derive(Serialize, ToSchema)]
struct IdentityView {
    /// Its id.
    id: Uuid,
    /// The provider.
    #[schema(example = "https://accounts.google.com")]
    issuer: String,
    /// The address that the provider had verified when the two were linked.
    #[schema(example = "ada@example.com")]
    email: String,
    /// When they were linked.
    created_at: DateTime<Utc>,
    /// When it was signed in with last.
    last_used_at: DateTime<Utc>,
}

/// Identities.
#[derive(Serialize, ToSchema)]
struct IdentityList {
    /// Linked first, first.
    data: Vec<IdentityView>,
    /// Whether the account has a password as well.
    has_password: bool,
}

impl From<Identity> for IdentityView {
    fn from(Identity { id, issuer, email_at_link: email, created_at, last_used_at }: Identity) -> Self {
        Self { id: id.0, issuer, email, created_at, last_used_at }
    }
}

/// Who may sign in to the caller's account
#[utoipa::path(
    operation_id = "list_identities",
    tag = "account",
    responses((status = 200, description = "The identities", body = IdentityList), NotSignedIn),
    security(("access_token" = [])),
)]
#[get("/api/v1/auth/identities")]
pub(super) async fn list(caller: Caller, state: web::Data<State>) -> Result<HttpResponse, Problem> {
    let mut conn = state.connection().await?;
    let linked =
        external_identities::of_account(&mut conn, caller.account.id).await.map_err(AuthError::from)?;
    let has_password = caller.account.password_hash.is_some();
    let data = linked.into_iter().map(Into::into).collect();
    Ok(HttpResponse::Ok().json(IdentityList { data, has_password }))
}

/// Sign in with an identity no more
///
/// Sessions that it has opened go on.
#[utoipa::path(
    operation_id = "unlink_identity",
    tag = "account",
    params(("id" = Uuid, Path, description = "The identity")),
    responses(
        (status = 204, description = "It signs in no more"),
        (status = 409, description = "It is the last way to sign in", body = ProblemBody, content_type = "application/problem+json"),
        NoAccess,
    ),
    security(("access_token" = [])),
)]
#[delete("/api/v1/auth/identities/{id}")]
pub(super) async fn unlink(
    caller: Caller,
    request: HttpRequest,
    state: web::Data<State>,
) -> Result<HttpResponse, Problem> {
    let not_found = || Problem::new(Code::NotFound, "your account has no such identity");
    let id: IdentityId = request.match_info().query("id").parse().map_err(|_not_an_id| not_found())?;
    let mut conn = state.connection().await?;
    let unlinked = external_identities::unlink(&mut conn, caller.account.id, id).await;
    match unlinked.map_err(AuthError::from)? {
        Unlinked::Done => {
            drop(conn);
            record(&state, caller.did(Action::IdentityUnlinked).on(Target::Account(caller.account.id))).await;
            Ok(HttpResponse::NoContent().finish())
        }
        Unlinked::Unknown => Err(not_found()),
        Unlinked::LastWay => {
            let detail = "this is the last way to sign in: choose a password first, with the password reset";
            Err(Problem::new(Code::Conflict, detail))
        }
    }
}
