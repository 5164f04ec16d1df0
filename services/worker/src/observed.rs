//! What properties events have: noticed in passing, and written down every few seconds.
//!
//! Something is written once a day at most: what was noticed already is remembered. What a worker that is killed had not
//! written yet is noticed again with a later event.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::hash::{BuildHasher, RandomState};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, NaiveDate, Utc};
use millrace_domain::event::Event;
use millrace_domain::ids::ProjectId;
use millrace_domain::json_type::for_each_member;
use millrace_storage::database::Database;
use millrace_storage::error::StorageError;
use millrace_storage::event_properties::{Property, Seen, note};
use tokio_util::sync::CancellationToken;

/// Things that are remembered, some bytes each. Beyond this, all are forgotten, and written once more.
const REMEMBERED: usize = 200_000;
/// Things that wait to be written. Beyond this nothing is noticed until they are.
const WAITING: usize = 5_000;
/// Longer names are made by programs, and nobody asks for them.
const MAX_NAME: usize = 200;
const INTERVAL: Duration = Duration::from_secs(3);

/// What was noticed. Shared by the pipelines.
#[derive(Debug, Default)]
pub struct Observed {
    state: Mutex<State>,
    hasher: RandomState,
}

#[derive(Debug, Default)]
struct State {
    day: NaiveDate,
    remembered: HashSet<u64>,
    waiting: BTreeMap<Property, Seen>,
}

impl Observed {
    /// Notices the properties of events that were stored.
    pub fn notice<'a>(
        &self,
        project: ProjectId,
        events: impl IntoIterator<Item = &'a Event>,
        now: DateTime<Utc>,
    ) {
        // Gathered first: others wait while it is compared with what is remembered, and most of it is the same.
        let mut noticed: HashMap<u64, Property> = HashMap::new();
        for event in events {
            let event_type = event.event_type.as_str();
            for_each_member(&event.properties, |name, json_type| {
                let hash = self.hasher.hash_one((project, event_type, &name, json_type));
                if name.len() <= MAX_NAME && noticed.len() < WAITING {
                    let property =
                        || Property { project, event_type: event_type.to_owned(), name, json_type };
                    noticed.entry(hash).or_insert_with(property);
                }
            });
        }
        let mut state = self.lock();
        if state.day != now.date_naive() || state.remembered.len() >= REMEMBERED {
            state.day = now.date_naive();
            state.remembered.clear();
        }
        for (hash, property) in noticed {
            if state.waiting.len() < WAITING && state.remembered.insert(hash) {
                state.waiting.insert(property, Seen { first: now, last: now });
            }
        }
    }

    /// Writes down what was noticed, every few seconds until `shutdown`, and then once more.
    ///
    /// # Errors
    /// Never: what cannot be written waits for the next time.
    pub async fn write_down(
        &self,
        database: Database,
        shutdown: CancellationToken,
    ) -> Result<(), StorageError> {
        loop {
            let ends = tokio::select! {
                () = shutdown.cancelled() => true,
                () = tokio::time::sleep(INTERVAL) => false,
            };
            let waiting = std::mem::take(&mut self.lock().waiting);
            if !waiting.is_empty()
                && let Err(error) = write(&database, &waiting).await
            {
                metrics::counter!("dependency_failures_total", "dependency" => "postgres").increment(1);
                tracing::warn!(%error, "the properties of events were not written down");
                self.lock().waiting.extend(waiting);
            }
            if ends {
                return Ok(());
            }
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        // Whoever panicked with it left it whole: every change is one call.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn write(database: &Database, waiting: &BTreeMap<Property, Seen>) -> Result<(), StorageError> {
    note(&mut *database.connection().await?, waiting).await
}
