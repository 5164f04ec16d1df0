//! What is shown of a cohort.

use chrono::{DateTime, Utc};
use millrace_domain::ids::{AccountId, CohortId, ProjectId};
use millrace_domain::notification::{About, Notification, NotificationKind};
use millrace_storage::cohorts::{self, Cohort};
use millrace_storage::database::Connection;
use millrace_storage::error::StorageError;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::errors::AnalyticsError;
use crate::keepsake::{Card, Keepsake};
use crate::member::ProjectMember;
use crate::state::State;

/// A cohort.
#[derive(Serialize, ToSchema)]
pub(crate) struct CohortView {
    /// Its id.
    id: Uuid,
    /// What it is called.
    #[schema(example = "Buyers")]
    name: String,
    /// Who belongs to it, as it was written.
    #[schema(
        value_type = Object,
        example = json!({"did": {"event_type": "purchase", "at_least": 2, "days": 30}}),
    )]
    definition: Value,
    /// Whose it is; `null` when their account is gone.
    owner_id: Option<Uuid>,
    /// Changes with every change; the `ETag` says the same.
    version: i64,
    /// When it was made.
    created_at: DateTime<Utc>,
    /// When it was last changed.
    updated_at: DateTime<Utc>,
}

impl From<Cohort> for CohortView {
    fn from(cohort: Cohort) -> Self {
        let Cohort { id, name, definition, kept, version, created_at, updated_at } = cohort;
        let owner_id = kept.owner.map(|AccountId(id)| id);
        Self { id: id.0, name, definition, owner_id, version, created_at, updated_at }
    }
}

impl Keepsake for Cohort {
    const NOUN: &'static str = "cohort";
    const PATH: &'static str = "/api/v1/cohorts";
    const NEWS: [NotificationKind; 3] =
        [NotificationKind::CohortCreated, NotificationKind::CohortUpdated, NotificationKind::CohortDeleted];
    type Id = CohortId;
    type View = CohortView;

    fn card(&self) -> Card<'_, CohortId> {
        let about = About { cohort_id: Some(self.id.0), ..About::default() };
        Card { id: self.id, version: self.version, kept: self.kept, about, title: ("name", &self.name) }
    }

    async fn find(
        conn: &mut Connection,
        project: ProjectId,
        id: CohortId,
    ) -> Result<Option<Self>, StorageError> {
        cohorts::find(conn, project, id).await
    }

    async fn delete(
        self,
        conn: &mut Connection,
        caller: &ProjectMember,
        _: DateTime<Utc>,
    ) -> Result<Option<Vec<Notification>>, StorageError> {
        let gone = cohorts::delete(conn, caller.project, self.id, self.version).await?;
        Ok(gone.then(Vec::new))
    }

    /// Answers that asked for it say something else from now on.
    async fn settle(state: &State, project: ProjectId) {
        state.answers.forget(project).await;
    }

    async fn view(self, _: &mut Connection, _: &ProjectMember) -> Result<CohortView, AnalyticsError> {
        Ok(self.into())
    }
}
