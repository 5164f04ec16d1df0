//! From a body to the texts of its events, whichever of the four forms it has.

use std::borrow::Cow;
use std::fmt;

use actix_web::http::header::{CONTENT_TYPE, HeaderMap};
use millrace_domain::batch::MAX_EVENTS_PER_REQUEST;
use millrace_domain::rejection::{Rejection, RejectionCode};
use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::elements::Elements;

/// How the events of a body are laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// An array, `{"events": […]}`, or one event.
    Json,
    /// One event a line.
    Lines,
}

/// Why a body cannot be taken apart.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum SplitError {
    /// `Content-Type` names something else.
    #[error("the media type `{0}` is not supported: use application/json or application/x-ndjson")]
    MediaType(String),
    /// Nothing in it.
    #[error("the body is empty")]
    Empty,
    /// Not JSON, and where that shows.
    #[error("the body is not valid JSON: {0}")]
    Malformed(String),
    /// A part that is not what it must be, in a request of another product's SDK.
    #[error("{0} {1}")]
    Part(&'static str, String),
    /// JSON, but neither events nor an event.
    #[error("the body must be an array of events, an object with `events`, or one event")]
    Shape,
    /// A member beside `events`.
    #[error("`{0}` is not a field of a request: it has only `events`")]
    UnknownField(String),
    /// More events than one request may carry.
    #[error("the body has {0} events, at most {MAX_EVENTS_PER_REQUEST} may be sent at once")]
    TooMany(usize),
}

impl Form {
    /// The form that the headers announce. Clients that name no type, or `text/plain`, mean JSON.
    ///
    /// # Errors
    /// When they announce something that is not JSON.
    pub fn announced(headers: &HeaderMap) -> Result<Self, SplitError> {
        let Some(header) = headers.get(CONTENT_TYPE) else { return Ok(Self::Json) };
        let text = header.to_str().unwrap_or_default();
        let essence = text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        match essence.as_str() {
            "" | "application/json" | "text/json" | "text/plain" => Ok(Self::Json),
            "application/x-ndjson"
            | "application/ndjson"
            | "application/jsonl"
            | "application/x-jsonlines" => Ok(Self::Lines),
            other => Err(SplitError::MediaType(other.chars().take(100).collect())),
        }
    }
}

/// The text of each event, or why it has none. A line's fault is its own; a fault in JSON is the whole body's.
///
/// # Errors
/// When the body as a whole cannot be taken apart.
pub fn split(body: &[u8], form: Form) -> Result<Vec<Result<&str, Rejection>>, SplitError> {
    let events = match form {
        Form::Json => split_json(body)?.into_iter().map(|raw| Ok(raw.get())).collect(),
        Form::Lines => split_lines(body),
    };
    if events.len() > MAX_EVENTS_PER_REQUEST {
        return Err(SplitError::TooMany(events.len()));
    }
    Ok(events)
}

fn split_lines(body: &[u8]) -> Vec<Result<&str, Rejection>> {
    body.split(|byte| *byte == b'\n')
        .filter(|line| !line.trim_ascii().is_empty())
        .map(|line| {
            let text = std::str::from_utf8(line.trim_ascii());
            text.map_err(|e| {
                Rejection::whole(RejectionCode::InvalidUtf8, format!("the line is not UTF-8: {e}"))
            })
        })
        .collect()
}

fn split_json(body: &[u8]) -> Result<Vec<&RawValue>, SplitError> {
    let malformed = |e: serde_json::Error| SplitError::Malformed(e.to_string());
    match body.trim_ascii_start().first() {
        None => Err(SplitError::Empty),
        Some(b'[') => serde_json::from_slice::<Elements<'_>>(body).map_err(malformed)?.bounded(),
        Some(b'{') => match serde_json::from_slice::<Envelope<'_>>(body).map_err(malformed)? {
            Envelope { events: Some(events), stranger: None } => events.bounded(),
            Envelope { events: Some(_), stranger: Some(name) } => Err(SplitError::UnknownField(name)),
            Envelope { events: None, .. } => Ok(vec![serde_json::from_slice(body).map_err(malformed)?]),
        },
        Some(_) => match serde_json::from_slice::<IgnoredAny>(body) {
            Ok(_) => Err(SplitError::Shape),
            Err(error) => Err(malformed(error)),
        },
    }
}

/// An object that may be an envelope of events or an event.
struct Envelope<'a> {
    events: Option<Elements<'a>>,
    stranger: Option<String>,
}

impl<'de> Deserialize<'de> for Envelope<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = Envelope<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut envelope = Envelope { events: None, stranger: None };
                while let Some(key) = map.next_key::<Cow<'de, str>>()? {
                    if key == "events" {
                        envelope.events = Some(map.next_value()?);
                    } else {
                        map.next_value::<IgnoredAny>()?;
                        envelope.stranger.get_or_insert_with(|| key.chars().take(100).collect());
                    }
                }
                Ok(envelope)
            }
        }
        deserializer.deserialize_map(Object)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(body: &str) -> Result<Vec<String>, SplitError> {
        let events = split(body.as_bytes(), Form::Json)?;
        Ok(events.into_iter().map(|event| event.unwrap().to_owned()).collect())
    }

    #[test]
    fn the_three_forms_of_json_mean_the_same() {
        let one = r#"{"event_type":"a"}"#;
        for body in [one.to_owned(), format!("[{one}]"), format!(" {{\"events\": [ {one} ]}} ")] {
            assert_eq!(json(&body).unwrap(), [one], "{body}");
        }
    }

    #[test]
    fn each_line_stands_for_itself() {
        let body = b"{\"a\":1}\r\n\n\xff\xfe\n{broken\n";
        let lines = split(body, Form::Lines).unwrap();
        assert_eq!(lines.len(), 3);
        assert_eq!(lines[0], Ok("{\"a\":1}"));
        assert_eq!(lines[1].as_ref().unwrap_err().code, RejectionCode::InvalidUtf8);
        assert_eq!(lines[2], Ok("{broken"));
    }

    #[test]
    fn what_is_not_events_is_refused_with_the_reason() {
        assert_eq!(json("  "), Err(SplitError::Empty));
        assert_eq!(json("7"), Err(SplitError::Shape));
        assert!(matches!(json("[1,"), Err(SplitError::Malformed(_))));
        assert!(matches!(json("{\"event_type\":\"a\"} trailing"), Err(SplitError::Malformed(_))));
        assert_eq!(json(r#"{"events":[],"batch":1}"#), Err(SplitError::UnknownField("batch".to_owned())));
    }

    #[test]
    fn ten_thousand_events_pass_and_one_more_does_not() {
        let body = |n: usize| format!("[{}]", vec!["0"; n].join(","));
        assert_eq!(json(&body(10_000)).unwrap().len(), 10_000);
        assert_eq!(json(&body(10_001)), Err(SplitError::TooMany(10_001)));
    }
}
