//! What every request may use.

use chrono::{DateTime, Utc};
use millrace_cache::limits::Limits as Rates;
use millrace_domain::rate::Rate;
use millrace_http::client_address::TrustedProxies;
use millrace_messaging::broker::Broker;
use millrace_messaging::project_tables::TableCopy;
use millrace_storage::database::{Connection, Database};

use crate::alerts::secrets::WebhookKey;
use crate::alerts::webhook::Webhooks;
use crate::errors::AnalyticsError;
use crate::kept::KeptAnswers;
use crate::kept_sets::KeptSets;
use crate::postings::Postings;
use crate::reader::Limits;
use crate::sql::desk::Desk;
use crate::turns::Turns;
use crate::working_memory::WorkingMemory;

/// Shared by all workers of the server.
#[derive(Clone, Debug)]
pub struct State {
    /// Where the events and their roll-ups are: a replica, if there is one.
    pub database: Database,
    /// Where what people keep is.
    pub workspace: Database,
    /// Where it is told what has changed.
    pub broker: Broker,
    /// Answers that were given a moment ago.
    pub answers: KeptAnswers,
    /// Counts questions.
    pub rates: Rates,
    /// How many may be asked of a project.
    pub api_limits: TableCopy<Rate>,
    /// What a question may cost.
    pub limits: Limits,
    /// Postings in memory.
    pub postings: Postings,
    /// Activity sets in memory.
    pub sets: KeptSets,
    /// Memory for questions that are being worked on.
    pub work: WorkingMemory,
    /// Who is being answered.
    pub turns: Turns,
    /// Where statements in SQL are asked, if anywhere.
    pub sql: Option<Desk>,
    /// Where alerts may be posted.
    pub webhooks: Webhooks,
    /// What the secrets of those are sealed with.
    pub webhook_key: WebhookKey,
    /// Whether there is a mail server for them.
    pub mails: bool,
    /// Whose word on where a request came from is taken.
    pub trusted_proxies: TrustedProxies,
    /// What time it is.
    pub clock: fn() -> DateTime<Utc>,
}

impl State {
    /// A connection to what people keep.
    ///
    /// # Errors
    /// When it is away, or all connections are in use.
    pub async fn connection(&self) -> Result<Connection, AnalyticsError> {
        Ok(self.workspace.connection().await?)
    }
}
