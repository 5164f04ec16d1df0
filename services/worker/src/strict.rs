//! The schemas that events of some types must keep, ready, and renewed when somebody changes them.
//!
//! The database is asked every second whether any is another. Until it has answered once nothing is stored: an event that
//! breaks a schema would be. Projects without schemas cost a look into a map for each message.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use millrace_domain::event::Event;
use millrace_domain::ids::ProjectId;
use millrace_messaging::dead_letters::DeadLetter;
use millrace_messaging::wire::Decoded;
use millrace_schemas::{Rules, Schema, SchemaFault, Violation};
use millrace_storage::database::Database;
use millrace_storage::error::StorageError;
use millrace_storage::event_schemas::{self, EventSchema};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::dead_letters::{SCHEMA_VIOLATION, alone};

const INTERVAL: Duration = Duration::from_secs(1);

/// Rules and the revision of the schema that they were made of; none where it cannot be used.
type Ready = (Uuid, Option<Arc<Rules>>);

#[derive(Debug, Default)]
struct Known {
    /// In order.
    revisions: Vec<Uuid>,
    projects: HashMap<ProjectId, HashMap<String, Ready>>,
}

/// What is known of schemas. Shared by the pipelines.
#[derive(Debug, Default)]
pub struct Strict {
    known: watch::Sender<Option<Known>>,
}

impl Strict {
    /// Waits until the schemas are known.
    pub async fn until_known(&self) {
        // It cannot be closed: this is its sender.
        let _ = self.known.subscribe().wait_for(Option::is_some).await;
    }

    /// Takes the events that break their schema out of a batch, as dead letters.
    #[must_use]
    pub fn set_aside(&self, decoded: &mut Decoded) -> Vec<DeadLetter> {
        let known = self.known.borrow();
        let of_project = known.as_ref().and_then(|known| known.projects.get(&decoded.batch.project_id));
        let Some(types) = of_project else { return Vec::new() };
        let violation = |event: &Event| {
            let (_, rules) = types.get(event.event_type.as_str())?;
            rules.as_ref()?.violation(event.properties.as_str())
        };
        let violations: Vec<Option<Violation>> = decoded.batch.events.iter().map(violation).collect();
        let Decoded { batch, sources, .. } = decoded;
        let mut letters = Vec::new();
        for (place, violation) in violations.iter().enumerate() {
            let source = sources.get(place).cloned().flatten();
            if let Some(violation) = violation
                && let Some(payload) = alone(batch, place, source.as_deref())
            {
                let detail = violation.to_string();
                letters.push(DeadLetter { payload, reason: SCHEMA_VIOLATION, detail, source });
            }
        }
        let mut sound = violations.iter().map(Option::is_none);
        batch.events.retain(|_| sound.next().unwrap_or(true));
        let mut sound = violations.iter().map(Option::is_none);
        sources.retain(|_| sound.next().unwrap_or(true));
        letters
    }

    /// Renews what is known until `shutdown`.
    ///
    /// # Errors
    /// Never: while the database does not answer, what is known stays.
    pub async fn follow(&self, database: Database, shutdown: CancellationToken) -> Result<(), StorageError> {
        let renewing = async {
            loop {
                if let Err(error) = self.renew(&database).await {
                    metrics::counter!("dependency_failures_total", "dependency" => "postgres").increment(1);
                    tracing::warn!(%error, "whether schemas have changed is not known");
                }
                tokio::time::sleep(INTERVAL).await;
            }
        };
        let () = shutdown.run_until_cancelled(renewing).await.unwrap_or_default();
        Ok(())
    }

    async fn renew(&self, database: &Database) -> Result<(), StorageError> {
        let mut conn = database.connection().await?;
        let revisions = event_schemas::revisions(&mut conn).await?;
        if self.known.borrow().as_ref().is_some_and(|known| known.revisions == revisions) {
            return Ok(());
        }
        let all = event_schemas::all(&mut conn).await?;
        drop(conn);
        self.known.send_modify(|known| *known = Some(Known::of(all, known.take().unwrap_or_default())));
        Ok(())
    }
}

impl Known {
    /// Makes ready what is not yet.
    fn of(schemas: Vec<EventSchema>, before: Self) -> Self {
        let mut known = Self::default();
        for EventSchema { project, event_type, schema, revision, .. } in schemas {
            let same = before.projects.get(&project).and_then(|types| types.get(&event_type));
            let same = same.filter(|(known, _)| *known == revision).map(|(_, rules)| rules.clone());
            let rules = same.unwrap_or_else(|| {
                let made = Schema::parse(schema).and_then(|schema| schema.rules());
                made.map(Arc::new).inspect_err(|fault| complain(project, &event_type, fault)).ok()
            });
            known.revisions.push(revision);
            known.projects.entry(project).or_default().insert(event_type, (revision, rules));
        }
        known.revisions.sort_unstable();
        known
    }
}

/// Only another version of this program can have taken it. Its events are stored as if there were none.
fn complain(project: ProjectId, event_type: &str, fault: &SchemaFault) {
    metrics::counter!("event_schemas_unusable_total").increment(1);
    tracing::error!(%project, event_type, %fault, "a schema cannot be used: write it again");
}
