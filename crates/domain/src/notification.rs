//! What people who look at a project are told while it happens.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::ids::AccountId;

/// Something that has happened to what people work with. It is told to whoever listens, and kept for some days.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Notification {
    /// Its own: told twice, it is the same.
    pub id: Uuid,
    /// What has happened.
    pub kind: NotificationKind,
    /// When.
    pub occurred_at: DateTime<Utc>,
    /// Who may hear of it.
    #[serde(default)]
    pub audience: Audience,
    /// Who has done it, where it was a person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor_id: Option<AccountId>,
    /// To what.
    #[serde(flatten)]
    pub about: About,
    /// What else there is to say, such as the progress of a job.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub details: Map<String, Value>,
}

/// Who may hear of something.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Audience {
    /// Everybody who may read the project.
    #[default]
    Project,
    /// One of them.
    Account {
        /// Who.
        account_id: AccountId,
    },
}

/// What a notification is about: the ids that its kind names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct About {
    /// An insight.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub insight_id: Option<Uuid>,
    /// A dashboard.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dashboard_id: Option<Uuid>,
    /// A job.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job_id: Option<Uuid>,
    /// An alert.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alert_id: Option<Uuid>,
    /// A cohort.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cohort_id: Option<Uuid>,
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident = $name:literal,)*) => {
        /// What has happened.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub enum NotificationKind {
            $($(#[$doc])* #[serde(rename = $name)] $kind,)*
        }

        impl NotificationKind {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$kind),*];

            /// Its name.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$kind => $name,)*
                }
            }
        }
    };
}

kinds! {
    /// Somebody wrote an insight.
    InsightCreated = "insight_created",
    /// Somebody changed one.
    InsightUpdated = "insight_updated",
    /// Somebody deleted one.
    InsightDeleted = "insight_deleted",
    /// Somebody made a dashboard.
    DashboardCreated = "dashboard_created",
    /// Somebody changed one.
    DashboardUpdated = "dashboard_updated",
    /// Somebody deleted one.
    DashboardDeleted = "dashboard_deleted",
    /// An insight is on a dashboard.
    InsightAddedToDashboard = "insight_added_to_dashboard",
    /// It is not any more.
    InsightRemovedFromDashboard = "insight_removed_from_dashboard",
    /// Somebody asked for a job.
    JobCreated = "job_created",
    /// It has begun, or is further than before.
    JobUpdated = "job_updated",
    /// It is done.
    JobSucceeded = "job_succeeded",
    /// It is given up.
    JobFailed = "job_failed",
    /// Somebody stopped it.
    JobCancelled = "job_cancelled",
    /// Somebody made an alert.
    AlertCreated = "alert_created",
    /// Somebody changed one.
    AlertUpdated = "alert_updated",
    /// Somebody deleted one.
    AlertDeleted = "alert_deleted",
    /// What an alert looks out for is the case.
    AlertFired = "alert_fired",
    /// It is not any more.
    AlertResolved = "alert_resolved",
    /// Somebody made a cohort.
    CohortCreated = "cohort_created",
    /// Somebody changed one.
    CohortUpdated = "cohort_updated",
    /// Somebody deleted one.
    CohortDeleted = "cohort_deleted",
}

impl Notification {
    /// Something that everybody who may read the project may hear of.
    #[must_use]
    pub fn new(kind: NotificationKind, about: About, occurred_at: DateTime<Utc>) -> Self {
        Self {
            id: Uuid::now_v7(),
            kind,
            occurred_at,
            audience: Audience::Project,
            actor_id: None,
            about,
            details: Map::new(),
        }
    }

    /// The same for one person's ears.
    #[must_use]
    pub fn for_account(mut self, account_id: AccountId) -> Self {
        self.audience = Audience::Account { account_id };
        self
    }

    /// The same, with who has done it.
    #[must_use]
    pub fn by(mut self, actor: AccountId) -> Self {
        self.actor_id = Some(actor);
        self
    }

    /// The same, with more to say.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.details.insert(name.to_owned(), value.into());
        self
    }
}

impl Audience {
    /// Whether somebody who may read the project may hear of it; `None` for a program with an API key.
    #[must_use]
    pub fn has(self, account: Option<AccountId>) -> bool {
        match self {
            Self::Project => true,
            Self::Account { account_id } => account == Some(account_id),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_reads_as_it_is_documented() {
        let (job, ada) = (Uuid::now_v7(), AccountId::new());
        let at: DateTime<Utc> = "2026-11-20T12:00:00Z".parse().unwrap();
        let about = About { job_id: Some(job), ..About::default() };
        let told = Notification::new(NotificationKind::JobUpdated, about, at).by(ada).with("progress", 0.5);
        let json = serde_json::to_value(&told).unwrap();
        let expected = serde_json::json!({
            "id": told.id, "kind": "job_updated", "occurred_at": "2026-11-20T12:00:00Z", "audience": {"kind": "project"},
            "actor_id": ada, "job_id": job, "details": {"progress": 0.5},
        });
        assert_eq!(json, expected);
        assert_eq!(serde_json::from_value::<Notification>(json).unwrap(), told);
    }

    #[test]
    fn what_is_for_one_is_for_nobody_else() {
        let (ada, bob) = (AccountId::new(), AccountId::new());
        let told =
            Notification::new(NotificationKind::JobFailed, About::default(), Utc::now()).for_account(ada);
        assert!(told.audience.has(Some(ada)));
        assert!(!told.audience.has(Some(bob)) && !told.audience.has(None));
        assert!(Audience::Project.has(None));
    }

    #[test]
    fn kinds_are_called_the_same_everywhere() {
        for kind in NotificationKind::ALL {
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.as_str());
        }
    }
}
