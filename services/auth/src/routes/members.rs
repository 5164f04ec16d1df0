//! `/api/v1/projects/{id}/members`.

use actix_web::{HttpRequest, HttpResponse, delete, get, patch, post, web};
use chrono::{DateTime, Utc};
use millrace_domain::access::Role;
use millrace_domain::audit::action::Action;
use millrace_domain::audit::{Details, Target};
use millrace_domain::email::Email;
use millrace_domain::ids::AccountId;
use millrace_domain::membership::{Refusal, may_add};
use millrace_http::json::Json;
use millrace_http::page::Paging;
use millrace_http::problem::{Code, Problem, ProblemBody};
use millrace_http::query::Query;
use millrace_messaging::revocations::Revoked;
use millrace_storage::accounts;
use millrace_storage::database::Connection;
use millrace_storage::members::{self, Changed, Member};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::announcements::announce;
use crate::audit::record;
use crate::errors::AuthError;
use crate::project_access::{AtLeastAdmin, AtLeastViewer, ProjectAccess};
use crate::routes::denials::{BadBody, BadPage, NoAccess};
use crate::state::State;

/// A member of a project.
#[derive(Serialize, ToSchema)]
struct MemberView {
    /// The account.
    account_id: Uuid,
    /// Its e-mail address.
    #[schema(example = "ada@example.com")]
    email: String,
    /// What to call the person.
    full_name: Option<String>,
    /// What they may do: `owner`, `admin`, `editor` or `viewer`.
    #[schema(value_type = String, example = "editor")]
    role: Role,
    /// When they were added.
    added_at: DateTime<Utc>,
}

impl From<Member> for MemberView {
    fn from(member: Member) -> Self {
        let Member { account_id, email, full_name, role, added_at } = member;
        Self { account_id: account_id.0, email, full_name, role, added_at }
    }
}

/// Members.
#[derive(Serialize, ToSchema)]
struct MemberList {
    /// Longest first.
    data: Vec<MemberView>,
    /// Where the next page begins; `null` after the last.
    next_cursor: Option<String>,
}

/// Who is to be a member.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewMember {
    /// The address of an account.
    #[schema(example = "ada@example.com")]
    email: String,
    /// What they may do: `owner`, `admin`, `editor` or `viewer`.
    #[schema(value_type = String, example = "editor")]
    role: Role,
}

/// Another role.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewRole {
    /// `owner`, `admin`, `editor` or `viewer`.
    #[schema(value_type = String, example = "editor")]
    role: Role,
}

/// A project's members
#[utoipa::path(
    operation_id = "list_members",
    tag = "members",
    params(("id" = Uuid, Path, description = "The project"), Paging),
    responses((status = 200, description = "A page of members", body = MemberList), NoAccess, BadPage),
    security(("access_token" = [])),
)]
#[get("/api/v1/projects/{id}/members")]
pub(super) async fn list(
    access: ProjectAccess<AtLeastViewer>,
    Query(paging): Query<Paging>,
    state: web::Data<State>,
) -> Result<HttpResponse, Problem> {
    let page = paging.page()?;
    let mut conn = state.connection().await?;
    let found = members::page(&mut conn, access.project.id, page.after, page.probe()).await;
    let mut found = found.map_err(AuthError::from)?;
    let next_cursor = page.cut(&mut found, Member::place);
    Ok(HttpResponse::Ok().json(MemberList { data: found.into_iter().map(Into::into).collect(), next_cursor }))
}

/// Add a member
///
/// Admins and owners do, with a role up to their own. The project is open to the new member everywhere within a second.
#[utoipa::path(
    operation_id = "add_member",
    tag = "members",
    params(("id" = Uuid, Path, description = "The project")),
    request_body = NewMember,
    responses(
        (status = 201, description = "The member", body = MemberView),
        (status = 409, description = "They are a member already", body = ProblemBody, content_type = "application/problem+json"),
        NoAccess,
        BadBody,
    ),
    security(("access_token" = [])),
)]
#[post("/api/v1/projects/{id}/members")]
pub(super) async fn add(
    access: ProjectAccess<AtLeastAdmin>,
    Json(new): Json<NewMember>,
    state: web::Data<State>,
) -> Result<HttpResponse, Problem> {
    let email: Email =
        new.email.parse().map_err(|fault| Problem::field("email", "invalid", format!("email {fault}")))?;
    if let Err(refusal) = may_add(access.role, new.role) {
        return Err(refused(&state, &access, refusal).await);
    }
    let mut conn = state.connection().await?;
    let account =
        accounts::find_by_email(&mut conn, email.as_str()).await.map_err(AuthError::from)?.ok_or_else(
            || Problem::field("email", "unknown", format!("{email} has no account: let them register first")),
        )?;
    let project = access.project.id;
    if !members::add(&mut conn, project, account.id, new.role).await.map_err(AuthError::from)? {
        let message = format!("{email} is a member already: change their role instead");
        return Err(Problem::new(Code::Conflict, message));
    }
    let view = view(&mut conn, &access, account.id).await?;
    drop(conn);
    announce(&state, Revoked::Roles { account_id: account.id }).await;
    let details = Details { role: Some(new.role), ..Details::default() };
    record(&state, access.did(Action::MemberAdded).on(Target::Account(account.id)).with(details)).await;
    Ok(HttpResponse::Created().json(view))
}

/// Change a member's role
///
/// Admins and owners do, for members up to their own role and with roles up to it. A project keeps an owner. The change
/// holds everywhere within a second; where neither the broker nor Redis is at hand, when one of them is back.
#[utoipa::path(
    operation_id = "change_member",
    tag = "members",
    params(
        ("id" = Uuid, Path, description = "The project"),
        ("account_id" = Uuid, Path, description = "The member"),
    ),
    request_body = NewRole,
    responses(
        (status = 200, description = "The member", body = MemberView),
        (status = 409, description = "They are the last owner", body = ProblemBody, content_type = "application/problem+json"),
        NoAccess,
        BadBody,
    ),
    security(("access_token" = [])),
)]
#[patch("/api/v1/projects/{id}/members/{account_id}")]
pub(super) async fn change(
    access: ProjectAccess<AtLeastAdmin>,
    Json(new): Json<NewRole>,
    request: HttpRequest,
    state: web::Data<State>,
) -> Result<HttpResponse, Problem> {
    let account_id = account_in(&request)?;
    settle(&state, &access, account_id, Some(new.role)).await?;
    let mut conn = state.connection().await?;
    Ok(HttpResponse::Ok().json(view(&mut conn, &access, account_id).await?))
}

/// Remove a member, or leave
///
/// Everybody may leave; admins and owners remove members up to their own role. A project keeps an owner. It is closed to
/// them everywhere within a second; where neither the broker nor Redis is at hand, when one of them is back.
#[utoipa::path(
    operation_id = "remove_member",
    tag = "members",
    params(
        ("id" = Uuid, Path, description = "The project"),
        ("account_id" = Uuid, Path, description = "The member"),
    ),
    responses(
        (status = 204, description = "They are no member any more"),
        (status = 409, description = "They are the last owner", body = ProblemBody, content_type = "application/problem+json"),
        NoAccess,
    ),
    security(("access_token" = [])),
)]
#[delete("/api/v1/projects/{id}/members/{account_id}")]
pub(super) async fn remove(
    access: ProjectAccess<AtLeastViewer>,
    request: HttpRequest,
    state: web::Data<State>,
) -> Result<HttpResponse, Problem> {
    let account_id = account_in(&request)?;
    if account_id != access.caller.account.id {
        access.require::<AtLeastAdmin>(&state).await?;
    }
    settle(&state, &access, account_id, None).await?;
    Ok(HttpResponse::NoContent().finish())
}

async fn settle<R>(
    state: &State,
    access: &ProjectAccess<R>,
    account_id: AccountId,
    to: Option<Role>,
) -> Result<(), Problem> {
    let mut conn = state.connection().await?;
    let changed = members::change(&mut conn, access.project.id, account_id, to, access.role).await;
    drop(conn);
    let previous_role = match changed.map_err(AuthError::from)? {
        Changed::Done(previous_role) => previous_role,
        Changed::NotAMember => return Err(no_such_member()),
        Changed::Refused(refusal) => return Err(refused(state, access, refusal).await),
    };
    announce(state, Revoked::Roles { account_id }).await;
    let action = if to.is_some() { Action::MemberChanged } else { Action::MemberRemoved };
    let details = Details { role: to, previous_role: Some(previous_role), ..Details::default() };
    record(state, access.did(action).on(Target::Account(account_id)).with(details)).await;
    Ok(())
}

async fn view<R>(
    conn: &mut Connection,
    access: &ProjectAccess<R>,
    account: AccountId,
) -> Result<MemberView, Problem> {
    let member = members::find(conn, access.project.id, account).await.map_err(AuthError::from)?;
    // They may have left meanwhile.
    Ok(member.ok_or_else(no_such_member)?.into())
}

fn account_in(request: &HttpRequest) -> Result<AccountId, Problem> {
    request.match_info().query("account_id").parse().map_err(|_not_an_id| no_such_member())
}

fn no_such_member() -> Problem {
    Problem::new(Code::NotFound, "the project has no such member")
}

async fn refused<R>(state: &State, access: &ProjectAccess<R>, refusal: Refusal) -> Problem {
    let code = match refusal {
        Refusal::AboveYours(role) => {
            access.denied(state, role).await;
            Code::Forbidden
        }
        Refusal::LastOwner => Code::Conflict,
    };
    Problem::new(code, refusal.to_string())
}
