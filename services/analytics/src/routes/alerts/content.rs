//! What an alert is made of, as it is sent.

use chrono::{DateTime, Utc};
use millrace_domain::analytics::query::Query;
use millrace_domain::analytics::time_zone::TimeZone;
use millrace_domain::ids::{AlertId, InsightId};
use millrace_domain::text::Title;
use millrace_domain::workspace::alert::{Condition, MAX_TIMES, number};
use millrace_domain::workspace::question::KeptQuestion;
use millrace_domain::workspace::sharing::Visibility;
use millrace_http::problem::{Code, Problem};
use millrace_security::webhook_signature::WebhookSecret;
use millrace_storage::alerts::secrets::KeptSecret;
use millrace_storage::alerts::{Alert, Content};
use millrace_storage::insights::Insight;
use serde::{Deserialize, Deserializer};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::alerts::secrets::WebhookKey;
use crate::state::State;

/// How seldom an alert may look: once a day.
const LONGEST: u32 = 86_400;
/// How often: once a minute.
const SHORTEST: u32 = 60;
const DEFAULT_SECONDS: u32 = 300;

/// What an alert is made of; in a change, what is absent stays as it is.
#[derive(Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct AlertContent {
    /// Whose number it looks at: that of active users, or of a trend of one series. A new alert needs one; it stays.
    #[schema(nullable = false)]
    insight_id: Option<Uuid>,
    /// 1 to 200 characters. A new alert needs one.
    #[schema(min_length = 1, max_length = 200, nullable = false, example = "Orders have stopped")]
    name: Option<String>,
    /// What it looks out for. A new alert needs it.
    #[schema(value_type = Option<Object>, nullable = false, example = json!({"kind": "threshold", "direction": "below", "value": 10, "clear": 20}))]
    condition: Option<Condition>,
    /// How many readings in a row decide, 1 to 100; 1 if absent from a new one.
    #[schema(nullable = false, minimum = 1, maximum = 100, example = 2)]
    times: Option<u16>,
    /// How often it looks, 60 to 86,400; 300 if absent from a new one.
    #[schema(nullable = false, minimum = 60, maximum = 86_400, example = 300)]
    every_seconds: Option<u32>,
    /// Whether it looks; `true` if absent from a new one.
    #[schema(nullable = false)]
    enabled: Option<bool>,
    /// `project` if absent from a new one.
    #[schema(value_type = Option<String>, nullable = false, example = "project")]
    visibility: Option<Visibility>,
    /// Whether its owner gets a mail; `false` if absent from a new one.
    #[schema(nullable = false)]
    mail: Option<bool>,
    /// An http or https URL where it is posted; `null`: nowhere.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>, max_length = 2_000, example = "https://hooks.example.com/millrace")]
    webhook: Option<Option<String>>,
}

/// Tells `null` from what is absent.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<String>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

/// What was checked of it.
pub(super) struct Checked {
    name: Option<Title>,
    pub(super) visibility: Option<Visibility>,
    condition: Option<Condition>,
    times: Option<u16>,
    every_seconds: Option<u32>,
    enabled: Option<bool>,
    mail: Option<bool>,
    webhook: Option<Option<(String, WebhookSecret)>>,
}

impl AlertContent {
    /// The insight of a new alert.
    pub(super) fn insight(&self) -> Result<InsightId, Problem> {
        let missing = || Problem::field("insight_id", "missing", "insight_id is required");
        self.insight_id.map(InsightId).ok_or_else(missing)
    }

    /// That a change names none.
    pub(super) fn no_insight(&self) -> Result<(), Problem> {
        let fixed =
            || Problem::field("insight_id", "invalid", "insight_id cannot be changed: make another alert");
        if self.insight_id.is_some() { Err(fixed()) } else { Ok(()) }
    }

    pub(super) fn check(&self, state: &State) -> Result<Checked, Problem> {
        let invalid = |field: &str, fault: &dyn std::fmt::Display| {
            Problem::field(field, "invalid", format!("{field} {fault}"))
        };
        let name = self.name.as_deref().map(|name| Title::parse(name.trim())).transpose();
        if let Some(condition) = &self.condition {
            condition.check().map_err(|fault| invalid("condition", &fault))?;
        }
        if self.times.is_some_and(|times| !(1..=MAX_TIMES).contains(&times)) {
            return Err(invalid("times", &format_args!("must be from 1 to {MAX_TIMES}")));
        }
        if self.every_seconds.is_some_and(|seconds| !(SHORTEST..=LONGEST).contains(&seconds)) {
            return Err(invalid("every_seconds", &format_args!("must be from {SHORTEST} to {LONGEST}")));
        }
        if self.mail == Some(true) && !state.mails {
            return Err(invalid("mail", &"needs a mail server, which this installation does not have"));
        }
        let webhook = match &self.webhook {
            Some(Some(url)) if url.len() > 2_000 => {
                return Err(invalid("webhook", &"must have at most 2,000 characters"));
            }
            Some(Some(url)) => {
                state.webhooks.parse(url).map_err(|fault| invalid("webhook", &fault))?;
                let secret = WebhookSecret::generate().map_err(|error| Problem::internal(&error))?;
                Some(Some((url.clone(), secret)))
            }
            Some(None) => Some(None),
            None => None,
        };
        Ok(Checked {
            name: name.map_err(|fault| invalid("name", &fault))?,
            visibility: self.visibility,
            condition: self.condition,
            times: self.times,
            every_seconds: self.every_seconds,
            enabled: self.enabled,
            mail: self.mail,
            webhook,
        })
    }
}

impl Checked {
    /// All of a new alert.
    ///
    /// # Errors
    /// When it has no name, or looks out for nothing.
    pub(super) fn whole(self) -> Result<Self, Problem> {
        let missing = |field: &str| Problem::field(field, "missing", format!("{field} is required"));
        Ok(Self {
            name: Some(self.name.ok_or_else(|| missing("name"))?),
            condition: Some(self.condition.ok_or_else(|| missing("condition"))?),
            visibility: Some(self.visibility.unwrap_or(Visibility::Project)),
            times: Some(self.times.unwrap_or(1)),
            every_seconds: Some(self.every_seconds.unwrap_or(DEFAULT_SECONDS)),
            enabled: Some(self.enabled.unwrap_or(true)),
            mail: Some(self.mail.unwrap_or(false)),
            webhook: self.webhook,
        })
    }

    /// How the secret of another webhook is kept for this alert; `None`: it stays.
    pub(super) fn secret(
        &self,
        key: &WebhookKey,
        alert: AlertId,
    ) -> Result<Option<Option<KeptSecret>>, Problem> {
        let Some(webhook) = &self.webhook else { return Ok(None) };
        let kept = webhook.as_ref().map(|(_, secret)| key.keep(alert, secret)).transpose();
        kept.map(Some).map_err(|error| Problem::internal(&error))
    }

    /// A webhook that stays where it is keeps its secret.
    pub(super) fn keep_secret_of(&mut self, alert: &Alert) {
        let same = |url: &str| alert.webhook_url.as_deref() == Some(url);
        self.webhook =
            self.webhook.take().filter(|webhook| !webhook.as_ref().is_some_and(|(url, _)| same(url)));
    }

    /// What changes.
    pub(super) fn content(&self) -> Result<Content<'_>, Problem> {
        let condition = self.condition.map(serde_json::to_value).transpose();
        let webhook = self.webhook.as_ref();
        Ok(Content {
            name: self.name.as_ref().map(Title::as_str),
            visibility: self.visibility.map(Visibility::as_str),
            condition: condition.map_err(|error| Problem::internal(&error))?,
            times: self.times.and_then(|times| i16::try_from(times).ok()),
            every_seconds: self.every_seconds.and_then(|seconds| i32::try_from(seconds).ok()),
            enabled: self.enabled,
            by_mail: self.mail,
            webhook_url: webhook.map(|webhook| webhook.as_ref().map(|(url, _)| url.as_str())),
        })
    }
}

/// That an alert is not to be seen by more than its insight is.
pub(super) fn check_visibility(becomes: Option<Visibility>, insight: &Insight) -> Result<(), Problem> {
    if insight.kept.visibility == Visibility::Private && becomes == Some(Visibility::Project) {
        let message = "visibility must be private for an insight that is";
        return Err(Problem::field("visibility", "invalid", message));
    }
    Ok(())
}

/// That an insight has a number to look at.
pub(super) fn check_number(insight: &Insight, now: DateTime<Utc>) -> Result<(), Problem> {
    let refused = |fault: &dyn std::fmt::Display| {
        Problem::field("insight_id", "no_number", format!("insight_id: the question of the insight {fault}"))
    };
    let Some(query) = &insight.query else { return Err(refused(&"is missing: it is a note")) };
    let asked = KeptQuestion::parse(query).and_then(|kept| kept.at(TimeZone::UTC, now));
    let query = asked.and_then(Query::parse).map_err(|fault| refused(&fault))?;
    number::check(&query).map_err(|fault| refused(&fault))
}

/// An insight that is not there is a field that cannot be used.
pub(super) fn of_the_insight(problem: Problem, message: &str) -> Problem {
    match problem.code() {
        Code::NotFound => Problem::field("insight_id", "unknown_insight", message),
        _ => problem,
    }
}
