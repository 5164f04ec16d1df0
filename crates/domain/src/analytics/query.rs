//! The query language: every question as one JSON object.
//!
//! `kind` says which question it is; `from`, `to`, `timezone` and `filter` mean the same in all of them, and `explain`
//! asks how it was answered. The other fields are the kind's own. A field that a kind does not have is refused.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use crate::analytics::active_users::{ActiveUsersParameters, ActiveUsersQuery};
use crate::analytics::asked::Asked;
use crate::analytics::audience::Audience;
use crate::analytics::filter::{Filter, FilterParameters, Selection};
use crate::analytics::funnel::{FunnelParameters, FunnelQuery};
use crate::analytics::lifecycle::{LifecycleParameters, LifecycleQuery};
use crate::analytics::paths::{PathsParameters, PathsQuery};
use crate::analytics::query_fault::{QueryFault, read};
use crate::analytics::retention::{RetentionParameters, RetentionQuery};
use crate::analytics::sessions::{SessionsParameters, SessionsQuery};
use crate::analytics::stickiness::{StickinessParameters, StickinessQuery};
use crate::analytics::top_events::{TopEventsParameters, TopLimit};
use crate::analytics::trends::{TrendsParameters, TrendsQuery};
use crate::ids::CohortId;

/// A question, valid by construction.
#[derive(Clone, Debug, PartialEq)]
pub struct Query {
    /// The time it covers.
    pub asked: Asked,
    /// The events it is about.
    pub filter: Option<Filter>,
    /// What it wants to know of them.
    pub question: Question,
    /// Whether it also wants to know how it was answered.
    pub explain: bool,
}

/// What a question wants to know.
#[derive(Clone, Debug, PartialEq)]
pub enum Question {
    /// How many distinct users were active.
    ActiveUsers(ActiveUsersQuery),
    /// What happened most.
    TopEvents(TopLimit),
    /// Who came back.
    Retention(RetentionQuery),
    /// How something went through time.
    Trends(TrendsQuery),
    /// How far users got through steps.
    Funnel(FunnelQuery),
    /// What users did before or after something.
    Paths(PathsQuery),
    /// How long users stayed.
    Sessions(SessionsQuery),
    /// Who is new, came back, or went.
    Lifecycle(LifecycleQuery),
    /// On how many days users were active.
    Stickiness(StickinessQuery),
}

const KINDS: &[&str] = &[
    "trends",
    "funnel",
    "retention",
    "top_events",
    "active_users",
    "lifecycle",
    "stickiness",
    "paths",
    "sessions",
];

impl Query {
    /// Reads a question.
    ///
    /// # Errors
    /// Names the field that is absent, unknown or cannot be used, by its path.
    pub fn parse(mut body: Map<String, Value>) -> Result<Self, QueryFault> {
        let kind = take_text(&mut body, "kind")?.ok_or_else(|| QueryFault::required("kind"))?;
        if !KINDS.contains(&kind.as_str()) {
            return Err(QueryFault::unknown_value("kind", &kind, KINDS));
        }
        let (from, to) = (take_text(&mut body, "from")?, take_text(&mut body, "to")?);
        let asked = Asked::parse(from, to, take_text(&mut body, "timezone")?.as_deref())?;
        let filter = match body.remove("filter") {
            None | Some(Value::Null) => None,
            Some(filter) => Some(parse_filter(filter)?),
        };
        let explain = match body.remove("explain") {
            None | Some(Value::Null) => false,
            Some(Value::Bool(explain)) => explain,
            Some(_) => return Err(QueryFault::new("explain", "invalid", "must be true or false")),
        };
        let rest = Value::Object(body);
        let question = match kind.as_str() {
            "active_users" => Question::ActiveUsers(read::<ActiveUsersParameters>(rest)?.try_into()?),
            "top_events" => Question::TopEvents(read::<TopEventsParameters>(rest)?.try_into()?),
            "retention" => Question::Retention(RetentionQuery::try_from(read::<RetentionParameters>(rest)?)?),
            "trends" => Question::Trends(read::<TrendsParameters>(rest)?.try_into()?),
            "funnel" => Question::Funnel(read::<FunnelParameters>(rest)?.try_into()?),
            "paths" => Question::Paths(read::<PathsParameters>(rest)?.try_into()?),
            "sessions" => Question::Sessions(read::<SessionsParameters>(rest)?.try_into()?),
            "lifecycle" => Question::Lifecycle(read::<LifecycleParameters>(rest)?.try_into()?),
            _ => Question::Stickiness(read::<StickinessParameters>(rest)?.try_into()?),
        };
        Ok(Self { asked, filter, question, explain })
    }
}

impl Query {
    /// The cohorts that its filters ask for.
    pub fn cohorts(&mut self) -> BTreeSet<CohortId> {
        self.filters().into_iter().flat_map(|filter| filter.cohorts()).collect()
    }

    /// Puts the users of these cohorts in the place of their ids, in every filter.
    pub fn resolve(&mut self, members: &BTreeMap<CohortId, Audience>) {
        self.filters().into_iter().for_each(|filter| filter.resolve(members));
    }

    fn filters(&mut self) -> Vec<&mut Filter> {
        let selections: Vec<&mut Selection> = match &mut self.question {
            Question::Trends(query) => query.series.iter_mut().map(|series| &mut series.events).collect(),
            Question::Funnel(query) => query.steps.iter_mut().chain(&mut query.exclusions).collect(),
            _ => Vec::new(),
        };
        self.filter
            .iter_mut()
            .chain(selections.into_iter().filter_map(|events| events.filter.as_mut()))
            .collect()
    }
}

impl Question {
    /// The kind, as metrics call it.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::ActiveUsers(query) => query.window.short_name(),
            Self::TopEvents(_) => "top_events",
            Self::Retention(_) => "retention",
            Self::Trends(_) => "trends",
            Self::Funnel(_) => "funnel",
            Self::Paths(_) => "paths",
            Self::Sessions(_) => "sessions",
            Self::Lifecycle(_) => "lifecycle",
            Self::Stickiness(_) => "stickiness",
        }
    }
}

/// Reads the field `filter`.
///
/// # Errors
/// Names the part that cannot be used.
pub fn parse_filter(filter: Value) -> Result<Filter, QueryFault> {
    read::<FilterParameters>(filter).map_err(|fault| fault.within("filter"))?.parse("filter")
}

fn take_text(body: &mut Map<String, Value>, field: &str) -> Result<Option<String>, QueryFault> {
    match body.remove(field) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(QueryFault::new(field, "invalid", "must be a text")),
    }
}
