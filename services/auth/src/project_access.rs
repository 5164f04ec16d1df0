//! What the caller may do in the project that the path names.
//!
//! A handler that takes a [`ProjectAccess<AtLeastAdmin>`] cannot run for anybody less.

use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;

use actix_web::{FromRequest, HttpRequest, dev::Payload, web};
use millrace_domain::access::Role;
use millrace_domain::ids::{AccountId, ProjectId};
use millrace_http::problem::{Code, Problem};
use millrace_storage::projects::{self, Project};

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
/// Who manages members and keys.
#[derive(Debug)]
pub struct AtLeastAdmin;

impl RequiredRole for AtLeastViewer {
    const ROLE: Role = Role::Viewer;
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
    pub account_id: AccountId,
    /// The caller's role; system admins are owners everywhere.
    pub role: Role,
    required: PhantomData<R>,
}

impl<R> ProjectAccess<R> {
    /// That the caller has the role `N`, for what depends on more than the route.
    ///
    /// # Errors
    /// 403 that names both roles.
    pub fn require<N: RequiredRole>(&self) -> Result<(), Problem> {
        require(N::ROLE, self.role)
    }
}

fn require(needed: Role, has: Role) -> Result<(), Problem> {
    if has >= needed {
        return Ok(());
    }
    let (needed, has) = (needed.as_str(), has.as_str());
    let detail = format!("this needs the role `{needed}` in the project, yours is `{has}`");
    Err(Problem::new(Code::Forbidden, detail))
}

impl<R: RequiredRole> FromRequest for ProjectAccess<R> {
    type Error = Problem;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Problem>>>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        Box::pin(async move {
            let caller = Caller::extract(&request).await?;
            // To strangers, a project that exists is no different from one that does not.
            let not_found =
                || Problem::new(Code::NotFound, "there is no such project, or it is not yours to see");
            let id: ProjectId = request.match_info().query("id").parse().map_err(|_not_an_id| not_found())?;
            let role =
                if caller.claims.admin { Some(Role::Owner) } else { caller.claims.roles.get(&id).copied() };
            let role = role.ok_or_else(not_found)?;
            require(R::ROLE, role)?;
            let state = request
                .app_data::<web::Data<State>>()
                .ok_or_else(|| Problem::internal(&"this service has no state"))?;
            let mut conn = state.connection().await?;
            let project =
                projects::find(&mut conn, id).await.map_err(AuthError::from)?.ok_or_else(not_found)?;
            Ok(Self { project, account_id: caller.account.id, role, required: PhantomData })
        })
    }
}
