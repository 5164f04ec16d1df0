//! What a service that serves people asks the workers to do with dead letters, because the workers alone write to the
//! log. JSON on [`subjects::REPLAY_DEAD_LETTERS`] and [`subjects::DROP_DEAD_LETTERS`].

use std::time::Duration;

use millrace_domain::ids::ProjectId;
use serde::{Deserialize, Serialize};

use super::filter::Filter;
use crate::broker::Broker;
use crate::error::MessagingError;
use crate::{requests, subjects};

/// The most letters that one order may name or find.
pub const MAX_LETTERS: usize = 200;
/// How long a worker may take for one order.
const PATIENCE: Duration = Duration::from_secs(10);

/// Which letters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// These, at most [`MAX_LETTERS`], as far as they are of `project`.
    Named {
        /// `None`: whatever their project.
        project: Option<ProjectId>,
        /// Their ids.
        ids: Vec<u64>,
    },
    /// The next ones that a filter means.
    Found {
        /// The filter.
        filter: Filter,
        /// Look behind this one.
        after: Option<u64>,
        /// The last to look at: what is replayed may fail again, and is then another letter behind it.
        until: u64,
    },
}

/// What was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Done {
    /// How many letters were replayed or deleted.
    pub letters: u64,
    /// Where to go on, if there may be more.
    pub next: Option<u64>,
}

/// Has letters put back into the log.
///
/// # Errors
/// When no worker answers in time. Some of the letters may have been replayed; doing it again changes nothing.
pub async fn replay(broker: &Broker, order: &Order) -> Result<Done, MessagingError> {
    requests::ask_patiently(broker, subjects::REPLAY_DEAD_LETTERS, order, PATIENCE).await
}

/// Has letters deleted.
///
/// # Errors
/// When no worker answers in time. Some of the letters may have been deleted.
pub async fn drop(broker: &Broker, order: &Order) -> Result<Done, MessagingError> {
    requests::ask_patiently(broker, subjects::DROP_DEAD_LETTERS, order, PATIENCE).await
}
