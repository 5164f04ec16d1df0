//! The job that a path names.

use std::future::Future;
use std::pin::Pin;

use actix_web::{FromRequest, HttpRequest, dev::Payload};
use millrace_domain::ids::JobId;
use millrace_http::problem::{Code, Problem};
use millrace_storage::jobs::{self, Job};

use crate::caller::Caller;
use crate::errors::AuthError;
use crate::project_access::{AtLeastViewer, ProjectAccess};
use crate::state::State;

/// The job `{id}`, and proof that the caller may see it.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) job: Job,
    /// None for maintenance, which system admins see.
    access: Option<ProjectAccess<AtLeastViewer>>,
}

impl Seen {
    /// That the caller may do to it what it takes this role to start it.
    pub(super) async fn may_change(&self, state: &State) -> Result<(), Problem> {
        match (&self.access, self.job.kind.started_by()) {
            (Some(access), Some(role)) => access.require_role(state, role).await,
            _ => Ok(()),
        }
    }

    async fn of(request: &HttpRequest) -> Result<Self, Problem> {
        let caller = Caller::extract(request).await?;
        let state = State::of(request)?;
        let id: JobId = request.match_info().query("id").parse().map_err(|_not_an_id| missing())?;
        let mut conn = state.connection().await?;
        let job = jobs::find(&mut conn, id).await.map_err(AuthError::from)?.ok_or_else(missing)?;
        drop(conn);
        let access = match job.project_id {
            Some(project) => {
                let access = ProjectAccess::of(state, caller, project, request).await;
                // To strangers, a job that exists is no different from one that does not.
                Some(access.map_err(|p| if p.code() == Code::NotFound { missing() } else { p })?)
            }
            None if caller.claims.admin => None,
            None => return Err(missing()),
        };
        Ok(Self { job, access })
    }
}

fn missing() -> Problem {
    Problem::new(Code::NotFound, "there is no such job, or it is not yours to see")
}

impl FromRequest for Seen {
    type Error = Problem;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Problem>>>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        Box::pin(async move { Self::of(&request).await })
    }
}
