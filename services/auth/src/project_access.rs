//! What the caller may do in the project that the path names.
//!
//! A handler that takes a [`ProjectAccess<AtLeastAdmin>`] cannot run for anybody less.

use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;

use actix_web::{FromRequest, HttpRequest, dev::Payload};
use millrace_domain::access::Role;
use millrace_domain::audit::action::Action;
use millrace_domain::audit::{Details, SecurityEvent, Target};
use millrace_domain::ids::ProjectId;
use millrace_domain::text::ShortText;
use millrace_http::authorized::project_header;
use millrace_http::problem::{Code, Problem};
use millrace_storage::projects::{self, Project};

use crate::audit::record;
use crate::caller::Caller;
use crate::errors::AuthError;
use crate::state::State;

/// A role as a type.
pub trait RequiredRole: 'static {
    /// The least of the roles that will do.
    const ROLE: Role;
}

/// Every member.
#[derive(Debug)]
pub struct AtLeastViewer;
/// Who keeps questions, and moves events in and out.
#[derive(Debug)]
pub struct AtLeastEditor;
/// Who manages members and keys.
#[derive(Debug)]
pub struct AtLeastAdmin;
/// Who manages the project itself.
#[derive(Debug)]
pub struct AtLeastOwner;

impl RequiredRole for AtLeastViewer {
    const ROLE: Role = Role::Viewer;
}
impl RequiredRole for AtLeastEditor {
    const ROLE: Role = Role::Editor;
}
impl RequiredRole for AtLeastOwner {
    const ROLE: Role = Role::Owner;
}
impl RequiredRole for AtLeastAdmin {
    const ROLE: Role = Role::Admin;
}

/// Proof that the caller has at least the role `R` in the project `{id}` of the path.
#[derive(Debug)]
pub struct ProjectAccess<R> {
    /// The project.
    pub project: Project,
    /// The caller.
    pub caller: Caller,
    /// The caller's role; system admins are owners everywhere.
    pub role: Role,
    endpoint: Option<ShortText>,
    required: PhantomData<R>,
}

impl<R> ProjectAccess<R> {
    /// That the caller has the role `N`, for what depends on more than the route.
    ///
    /// # Errors
    /// 403 that names both roles.
    pub async fn require<N: RequiredRole>(&self, state: &State) -> Result<(), Problem> {
        self.require_role(state, N::ROLE).await
    }

    /// The same for a role that is known when the request is.
    ///
    /// # Errors
    /// 403 that names both roles.
    pub async fn require_role(&self, state: &State, needed: Role) -> Result<(), Problem> {
        if self.role >= needed {
            return Ok(());
        }
        self.denied(state, needed).await;
        Err(too_little(needed, self.role))
    }

    /// What the caller has just done in the project, for the audit log.
    #[must_use]
    pub fn did(&self, action: Action) -> SecurityEvent {
        self.caller.did(action).within(self.project.id)
    }

    /// Records that the caller's role did not suffice.
    pub async fn denied(&self, state: &State, needed: Role) {
        let (project, endpoint) = (self.project.id, self.endpoint.clone());
        record(state, denial(&self.caller, project, endpoint, needed, self.role)).await;
    }
}

impl<R: RequiredRole> ProjectAccess<R> {
    /// What `caller` may do in the project with this id.
    ///
    /// # Errors
    /// 404 for strangers, 403 for members with less than the role `R`, which is recorded.
    pub async fn of(
        state: &State,
        caller: Caller,
        id: ProjectId,
        request: &HttpRequest,
    ) -> Result<Self, Problem> {
        let role =
            if caller.claims.admin { Some(Role::Owner) } else { caller.claims.roles.get(&id).copied() };
        let role = role.ok_or_else(not_found)?;
        let endpoint = request.match_pattern().unwrap_or_default();
        let endpoint = ShortText::cut(&format!("{} {endpoint}", request.method()));
        if role < R::ROLE {
            record(state, denial(&caller, id, endpoint, R::ROLE, role)).await;
            return Err(too_little(R::ROLE, role));
        }
        let mut conn = state.connection().await?;
        let project = projects::find(&mut conn, id).await.map_err(AuthError::from)?.ok_or_else(not_found)?;
        Ok(Self { project, caller, role, endpoint, required: PhantomData })
    }
}

/// Lets owners and admins of the project that a parameter names pass, and system admins also when none is named.
///
/// # Errors
/// 403 for others who name none; else as [`ProjectAccess::of`].
pub async fn admit(
    state: &State,
    caller: Caller,
    project: Option<ProjectId>,
    request: &HttpRequest,
) -> Result<Caller, Problem> {
    if caller.claims.admin {
        return Ok(caller);
    }
    let project = project.ok_or_else(|| {
        Problem::new(Code::Forbidden, "only system admins see everything: name a project in `project_id`")
    })?;
    Ok(ProjectAccess::<AtLeastAdmin>::of(state, caller, project, request).await?.caller)
}

/// The project that a request is about whose path names none: the one of `X-Project-Id`, or the only one that the
/// caller has. `None` for a system admin who names none.
///
/// # Errors
/// 404 for somebody who has none, 422 for somebody who has several.
pub fn project_meant(caller: &Caller, request: &HttpRequest) -> Result<Option<ProjectId>, Problem> {
    let roles = &caller.claims.roles;
    match (project_header(request)?, roles.keys().next()) {
        (Some(named), _) => Ok(Some(named)),
        (None, _) if caller.claims.admin => Ok(None),
        (None, Some(only)) if roles.len() == 1 => Ok(Some(*only)),
        (None, None) => Err(not_found()),
        (None, Some(_)) => Err(unnamed()),
    }
}

/// Nothing says which project is meant.
#[must_use]
pub fn unnamed() -> Problem {
    Problem::field(
        "X-Project-Id",
        "required",
        "X-Project-Id must name one of your projects: you have several",
    )
}

fn denial(
    caller: &Caller,
    project: ProjectId,
    endpoint: Option<ShortText>,
    needed: Role,
    has: Role,
) -> SecurityEvent {
    let details = Details { role: Some(has), needed_role: Some(needed), endpoint, ..Details::default() };
    caller.did(Action::AccessDenied).on(Target::Project(project)).within(project).with(details)
}

fn too_little(needed: Role, has: Role) -> Problem {
    let (needed, has) = (needed.as_str(), has.as_str());
    let detail = format!("this needs the role `{needed}` in the project, yours is `{has}`");
    Problem::new(Code::Forbidden, detail)
}

/// To strangers, a project that exists is no different from one that does not.
fn not_found() -> Problem {
    Problem::new(Code::NotFound, "there is no such project, or it is not yours to see")
}

impl<R: RequiredRole> FromRequest for ProjectAccess<R> {
    type Error = Problem;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Problem>>>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        Box::pin(async move {
            let caller = Caller::extract(&request).await?;
            let id: ProjectId = request.match_info().query("id").parse().map_err(|_not_an_id| not_found())?;
            Self::of(State::of(&request)?, caller, id, &request).await
        })
    }
}
