//! What every request may use.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use millrace_cache::duplicates::DuplicateMemory;
use millrace_cache::limits::Limits;
use millrace_domain::draft::Draft;
use millrace_domain::origins::AllowedOrigins;
use millrace_domain::rate::Rate;
use millrace_http::client_address::TrustedProxies;
use millrace_messaging::broker::Broker;
use millrace_messaging::live::tap::Tap;
use millrace_messaging::project_tables::TableCopy;
use millrace_runtime::labels::CappedLabels;

use crate::budget::Budget;
use crate::group::GroupCommit;
use crate::parse::Rejected;

/// Shared by all workers of the server.
#[derive(Clone, Debug)]
pub struct State {
    /// The log, for senders that wait until their events are stored.
    pub broker: Broker,
    /// The log, for everyone else.
    pub group: GroupCommit,
    /// Shows what was accepted to whoever watches.
    pub tap: Tap,
    /// The fast memory for repetitions.
    pub memory: DuplicateMemory,
    /// How many events projects may send.
    pub event_limits: TableCopy<Rate>,
    /// The origins whose pages may send events of a project.
    pub event_origins: TableCopy<AllowedOrigins>,
    /// What they have sent of it.
    pub limits: Limits,
    /// Bytes of requests in hand.
    pub budget: Budget,
    /// How long `?wait=stored` waits.
    pub stored_timeout: Duration,
    /// Whose word on where a request came from is taken, where events are to have a country; `None`: nobody's address is
    /// passed on.
    pub passes_addresses_on: Option<TrustedProxies>,
    /// The event types that have a metric of their own.
    pub labels: Arc<CappedLabels>,
}

impl State {
    /// Counts what was sent.
    pub fn count_received(&self, drafts: &[Draft], rejected: &[Rejected]) {
        let mut types: HashMap<&str, u64> = HashMap::new();
        for draft in drafts {
            *types.entry(draft.event_type.as_str()).or_default() += 1;
        }
        for (event_type, events) in types {
            let label = self.labels.label(event_type);
            metrics::counter!("events_received_total", "event_type" => label).increment(events);
        }
        for event in rejected {
            metrics::counter!("events_failed_total", "reason" => event.rejection.code.as_str()).increment(1);
        }
    }
}
