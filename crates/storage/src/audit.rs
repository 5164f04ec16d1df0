//! The audit log: security events, appended and never changed.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};
use millrace_domain::audit::SecurityEvent;
use millrace_domain::audit::action::{Action, Outcome};
use millrace_domain::ids::{AccountId, ProjectId, SecurityEventId};
use uuid::Uuid;

use crate::error::StorageError;
use crate::schema::audit_log;

pub mod chain;

use chain::Head;

/// A row of the log, as it is stored: a later version may have written words that this one does not know.
#[derive(Clone, Debug, PartialEq, Eq, Queryable, Insertable)]
#[diesel(table_name = audit_log)]
pub struct Entry {
    /// Its place: 1, 2, 3 …, without gaps.
    pub seq: i64,
    /// The event's id.
    pub event_id: Uuid,
    /// When it happened. Entries are in the order in which they were appended, which may be another.
    pub occurred_at: DateTime<Utc>,
    /// The name of an [`Action`].
    pub action: String,
    /// The name of an [`Outcome`].
    pub outcome: String,
    /// `account`, `operator` or `anonymous`.
    pub actor_kind: String,
    /// The account.
    pub actor_id: Option<Uuid>,
    /// `account`, `project`, `api_key`, `session` or `signing_key`.
    pub target_kind: Option<String>,
    /// Its id.
    pub target_id: Option<String>,
    /// The project that it belongs to.
    pub project_id: Option<Uuid>,
    /// The client's address.
    pub address: Option<String>,
    /// What the client called itself.
    pub user_agent: Option<String>,
    /// The request.
    pub request_id: Option<String>,
    /// A JSON object.
    pub details: String,
    /// The hash of the entry before; zeros for the first.
    pub prev_hash: Vec<u8>,
    /// See [`chain`].
    pub hash: Vec<u8>,
}

impl Entry {
    /// The entry that comes after `head`.
    fn after(head: &Head, event: &SecurityEvent) -> Result<Self, StorageError> {
        let details =
            serde_json::to_string(&event.details).map_err(|e| StorageError::Refused(e.to_string()))?;
        let mut entry = Self {
            seq: head.seq + 1,
            event_id: event.id.0,
            occurred_at: event.occurred_at,
            action: event.action.as_str().to_owned(),
            outcome: event.action.outcome().as_str().to_owned(),
            actor_kind: event.actor.kind().to_owned(),
            actor_id: event.actor.account().map(|id| id.0),
            target_kind: event.target.as_ref().map(|target| target.kind().to_owned()),
            target_id: event.target.as_ref().map(|target| target.id()),
            project_id: event.project_id.map(|id| id.0),
            address: event.origin.address.map(|address| address.to_string()),
            user_agent: event.origin.user_agent.as_ref().map(ToString::to_string),
            request_id: event.origin.request_id.as_ref().map(ToString::to_string),
            details,
            prev_hash: head.hash.to_vec(),
            hash: Vec::new(),
        };
        entry.hash = chain::hash(&entry).to_vec();
        Ok(entry)
    }
}

/// Appends the events that are not in the log yet, and returns their ids. However many replicas append, they do so one
/// after the other: the log is one chain.
///
/// # Errors
/// When the database fails. Nothing is appended then.
pub async fn append(
    conn: &mut AsyncPgConnection,
    events: &[SecurityEvent],
) -> Result<HashSet<SecurityEventId>, StorageError> {
    conn.transaction(async |conn| {
        // A statement of its own: the next ones must see what whoever held the lock before has committed.
        diesel::sql_query("SELECT pg_advisory_xact_lock(7205759403792793602)").execute(conn).await?;
        let ids: Vec<Uuid> = events.iter().map(|event| event.id.0).collect();
        let told = audit_log::table.filter(audit_log::event_id.eq_any(ids)).select(audit_log::event_id);
        let mut told: HashSet<Uuid> = told.load(conn).await?.into_iter().collect();
        let mut head = head(conn).await?;
        let (mut entries, mut new) = (Vec::new(), HashSet::new());
        for event in events.iter().filter(|event| told.insert(event.id.0)) {
            let entry = Entry::after(&head, event)?;
            head = Head::of(&entry)?;
            entries.push(entry);
            new.insert(event.id);
        }
        diesel::insert_into(audit_log::table).values(entries).execute(conn).await?;
        Ok(new)
    })
    .await
}

/// The end of the log.
///
/// # Errors
/// When the database fails.
pub async fn head(conn: &mut AsyncPgConnection) -> Result<Head, StorageError> {
    let last: Option<Entry> = audit_log::table.order(audit_log::seq.desc()).first(conn).await.optional()?;
    last.as_ref().map_or(Ok(Head::START), Head::of)
}

/// Entries to look for; all of what is not said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// What happened: one of these.
    pub actions: Option<Vec<Action>>,
    /// How it ended.
    pub outcome: Option<Outcome>,
    /// Who did it.
    pub actor: Option<AccountId>,
    /// The id of what it was done to.
    pub target: Option<String>,
    /// The project that it belongs to.
    pub project: Option<ProjectId>,
    /// Not before.
    pub from: Option<DateTime<Utc>>,
    /// Before.
    pub to: Option<DateTime<Utc>>,
}

/// At most `limit` entries of those `before` a place in the log, newest first.
///
/// # Errors
/// When the database fails.
pub async fn page(
    conn: &mut AsyncPgConnection,
    filter: &Filter,
    before: Option<i64>,
    limit: u16,
) -> Result<Vec<Entry>, StorageError> {
    let mut query = audit_log::table.into_boxed();
    if let Some(actions) = &filter.actions {
        let names: Vec<&str> = actions.iter().map(|action| action.as_str()).collect();
        query = query.filter(audit_log::action.eq_any(names));
    }
    if let Some(outcome) = filter.outcome {
        query = query.filter(audit_log::outcome.eq(outcome.as_str()));
    }
    if let Some(AccountId(actor)) = filter.actor {
        query = query.filter(audit_log::actor_id.eq(actor));
    }
    if let Some(target) = &filter.target {
        query = query.filter(audit_log::target_id.eq(target));
    }
    if let Some(ProjectId(project)) = filter.project {
        query = query.filter(audit_log::project_id.eq(project));
    }
    if let Some(from) = filter.from {
        query = query.filter(audit_log::occurred_at.ge(from));
    }
    if let Some(to) = filter.to {
        query = query.filter(audit_log::occurred_at.lt(to));
    }
    if let Some(before) = before {
        query = query.filter(audit_log::seq.lt(before));
    }
    Ok(query.order(audit_log::seq.desc()).limit(limit.into()).load(conn).await?)
}
