//! Who belongs to a cohort.

use millrace_domain::ids::{CohortId, ProjectId};
use millrace_http::page::Page;
use millrace_storage::{cohorts, users};
use serde::Serialize;
use utoipa::ToSchema;

use crate::errors::AnalyticsError;
use crate::reader::Reader;

/// A user of a cohort.
#[derive(Debug, Serialize, ToSchema)]
pub struct CohortMember {
    /// The application's name for them.
    #[schema(example = "ada")]
    pub user_id: String,
}

/// A page of the users of a cohort.
#[derive(Debug, Serialize, ToSchema)]
pub struct CohortMembersAnswer {
    /// How many users belong to it.
    pub size: u64,
    /// By their ids.
    pub data: Vec<CohortMember>,
    /// Where the next page begins; `null` after the last.
    pub next_cursor: Option<String>,
}

/// How many users belong to a cohort, and a page of them.
///
/// # Errors
/// When there is no such cohort, or the project cannot be read.
pub async fn members(
    reader: &mut Reader,
    project: ProjectId,
    cohort: CohortId,
    page: Page<String>,
) -> Result<CohortMembersAnswer, AnalyticsError> {
    let project = reader.project(project).await?;
    let found = cohorts::find(reader.roll_ups("the cohort").await?, project.id, cohort).await?;
    let cohort = found.ok_or(AnalyticsError::NoCohort)?;
    let members = reader.members(&project, &cohort).await?;
    let after = page.after.as_deref().unwrap_or_default();
    let conn = reader.roll_ups("the names of users").await?;
    let mut names = users::names(conn, project.id, &members, after, page.probe()).await?;
    let next_cursor = page.cut(&mut names, String::clone);
    let data = names.into_iter().map(|user_id| CohortMember { user_id }).collect();
    Ok(CohortMembersAnswer { size: members.len(), data, next_cursor })
}
