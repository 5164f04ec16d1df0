//! What a retention question asks.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::analytics::event_selector::EventSelector;
use crate::analytics::interval::Interval;
use crate::analytics::query_error::QueryError;
use crate::analytics::retention::{Bracket, Lookahead};

/// What counts as having come back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Mode {
    /// A return in exactly the period.
    #[default]
    On,
    /// A return in the period or any later one.
    OnOrAfter,
}

/// What puts a user into a cohort.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum CohortKind {
    /// The user's first start event ever.
    #[default]
    FirstTime,
    /// Any start event; a user may be in several cohorts.
    Recurring,
}

/// A retention question, apart from its range. Valid by construction.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "RetentionParameters", into = "RetentionParameters")]
pub struct RetentionQuery {
    /// The length of cohorts and periods.
    pub interval: Interval,
    /// The periods to answer for.
    pub lookahead: Lookahead,
    /// What counts as having come back.
    pub mode: Mode,
    /// What puts a user into a cohort.
    pub cohort: CohortKind,
    /// The events that start.
    pub start_event: EventSelector,
    /// The events that count as coming back.
    pub return_event: EventSelector,
}

/// A retention question as it is written in a URL's query, a JSON body or a saved insight. What is absent takes its
/// default: daily, 7 periods, `on`, `first_time`, any event.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RetentionParameters {
    /// `day`, `week` or `month`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interval: Option<String>,
    /// 1 to 366, as a number or, as in a URL, its digits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub periods: Option<Value>,
    /// `1-3,4-7`, in place of `periods`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub brackets: Option<String>,
    /// `on` or `on_or_after`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode: Option<String>,
    /// `first_time` or `recurring`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cohort: Option<String>,
    /// An event type.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start_event: Option<String>,
    /// An event type.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub return_event: Option<String>,
}

impl TryFrom<RetentionParameters> for RetentionQuery {
    type Error = QueryError;

    fn try_from(raw: RetentionParameters) -> Result<Self, Self::Error> {
        let lookahead = match (&raw.periods, &raw.brackets) {
            (None, None) => Lookahead::default(),
            (Some(periods), None) => Lookahead::periods(whole_number(periods)?)?,
            (None, Some(brackets)) => Lookahead::brackets(brackets)?,
            (Some(_), Some(_)) => return Err(QueryError::PeriodsAndBrackets),
        };
        Ok(Self {
            interval: raw.interval.map_or(Ok(Interval::default()), |text| text.parse())?,
            lookahead,
            mode: word(
                "mode",
                raw.mode,
                &[("on", Mode::On), ("on_or_after", Mode::OnOrAfter)],
                "on, on_or_after",
            )?,
            cohort: word(
                "cohort",
                raw.cohort,
                &[("first_time", CohortKind::FirstTime), ("recurring", CohortKind::Recurring)],
                "first_time, recurring",
            )?,
            start_event: EventSelector::parse("start_event", raw.start_event.as_deref())?,
            return_event: EventSelector::parse("return_event", raw.return_event.as_deref())?,
        })
    }
}

impl From<RetentionQuery> for RetentionParameters {
    fn from(query: RetentionQuery) -> Self {
        let custom = query.lookahead.is_custom();
        let event_type = |selector: &EventSelector| selector.event_type().map(ToString::to_string);
        Self {
            interval: Some(query.interval.to_string()),
            periods: (!custom).then(|| query.lookahead.last().into()),
            brackets: custom.then(|| query.lookahead.to_string()),
            mode: Some(match query.mode {
                Mode::On => "on".to_owned(),
                Mode::OnOrAfter => "on_or_after".to_owned(),
            }),
            cohort: Some(match query.cohort {
                CohortKind::FirstTime => "first_time".to_owned(),
                CohortKind::Recurring => "recurring".to_owned(),
            }),
            start_event: event_type(&query.start_event),
            return_event: event_type(&query.return_event),
        }
    }
}

fn whole_number(value: &Value) -> Result<u32, QueryError> {
    let number = match value {
        Value::String(digits) => digits.parse().ok(),
        other => other.as_u64().and_then(|number| number.try_into().ok()),
    };
    number.ok_or_else(|| QueryError::NotACount {
        field: "periods",
        value: value.to_string(),
        min: 1,
        max: Bracket::MAX,
    })
}

fn word<T: Copy + Default>(
    field: &'static str,
    text: Option<String>,
    words: &[(&str, T)],
    expected: &'static str,
) -> Result<T, QueryError> {
    let Some(text) = text else { return Ok(T::default()) };
    match words.iter().find(|(word, _)| *word == text) {
        Some((_, meaning)) => Ok(*meaning),
        None => Err(QueryError::UnknownWord { field, value: text, expected }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(json: &str) -> Result<RetentionQuery, QueryError> {
        serde_json::from_str::<RetentionParameters>(json).unwrap().try_into()
    }

    #[test]
    fn nothing_given_means_the_defaults() {
        let query = parse("{}").unwrap();
        assert_eq!(query, RetentionQuery::default());
        assert_eq!(query.lookahead.last(), 7);
    }

    #[test]
    fn periods_may_be_a_number_or_its_digits() {
        assert_eq!(parse(r#"{"periods":30}"#), parse(r#"{"periods":"30"}"#));
    }

    #[test]
    fn every_mistake_names_its_field() {
        for (json, field) in [
            (r#"{"interval":"year"}"#, "interval"),
            (r#"{"periods":0}"#, "periods"),
            (r#"{"periods":-1}"#, "periods"),
            (r#"{"periods":"many"}"#, "periods"),
            (r#"{"periods":4294967297}"#, "periods"),
            (r#"{"periods":7,"brackets":"1-3"}"#, "brackets"),
            (r#"{"brackets":"3-1"}"#, "brackets"),
            (r#"{"mode":"after"}"#, "mode"),
            (r#"{"cohort":"all"}"#, "cohort"),
            (r#"{"return_event":"\u0000"}"#, "return_event"),
        ] {
            assert_eq!(parse(json).unwrap_err().field(), field, "{json}");
        }
    }

    #[test]
    fn a_saved_question_reads_back_as_it_was() {
        for json in [
            "{}",
            r#"{"interval":"week","brackets":"1-3,4-7","mode":"on_or_after","cohort":"recurring",
                "start_event":"signup","return_event":"login"}"#,
        ] {
            let query = parse(json).unwrap();
            let saved = serde_json::to_string(&query).unwrap();
            assert_eq!(serde_json::from_str::<RetentionQuery>(&saved).unwrap(), query, "{saved}");
        }
    }
}
