//! That there is work which takes longer than a request, and how far it is.
//!
//! What is to be done is in the database. A message on `jobs.v1.<kind>` only wakes a worker, so that nobody has to wait
//! for the next look; one that is lost costs some seconds and no job.

use async_nats::HeaderMap;
use async_nats::header::NATS_MESSAGE_ID;
use chrono::Utc;
use millrace_domain::ids::{JobId, ProjectId};
use millrace_domain::jobs::{JobNews, Kind};
use millrace_domain::notification::NotificationKind;
use serde::{Deserialize, Serialize};

use crate::broker::Broker;
use crate::error::MessagingError;
use crate::notifications::notify;
use crate::publisher::acknowledge;
use crate::subjects;

/// The content of a message on [`subjects::job`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wake {
    /// The job that is to be done.
    pub job_id: JobId,
}

/// Says that a job waits.
///
/// # Errors
/// When the broker is away or full. The workers find the job by themselves, some seconds later.
pub async fn wake(broker: &Broker, kind: Kind, job_id: JobId) -> Result<(), MessagingError> {
    broker.check_connected()?;
    let payload = serde_json::to_vec(&Wake { job_id }).map_err(|e| MessagingError::Refused(e.to_string()))?;
    let mut headers = HeaderMap::new();
    headers.insert(NATS_MESSAGE_ID, uuid::Uuid::now_v7().to_string());
    acknowledge(broker, subjects::job(kind), headers, payload.into()).await
}

/// Tells whoever looks at the project what has become of a job. Who was not there asks for the job itself.
///
/// # Errors
/// When there is no connection to the broker.
pub async fn tell(
    broker: &Broker,
    project: ProjectId,
    happened: NotificationKind,
    news: &JobNews,
) -> Result<(), MessagingError> {
    notify(broker, project, &news.notification(happened, Utc::now())).await
}
