//! The shapes that travel between this command and the services.

use serde::Deserialize;

/// Most events that one ingest request may carry.
pub const MAX_EVENTS: usize = 10_000;
/// Most bytes that one event may have, as JSON.
pub const MAX_EVENT_BYTES: usize = 32 * 1024;

/// What became of the events of a request: the body of a 202, and of a 422 that refused them all.
///
/// `accepted + duplicates + rejected` is the number of events that were sent.
#[derive(Debug, Default, Clone, PartialEq, Eq, Deserialize)]
pub struct Verdict {
    /// Events taken in.
    pub accepted: u64,
    /// Events whose id was known already.
    pub duplicates: u64,
    /// Events refused; `errors` says why.
    pub rejected: u64,
    /// One entry for each refused event.
    #[serde(default)]
    pub errors: Vec<EventError>,
}

/// Why one event of a request was refused.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct EventError {
    /// Its place in the request, from 0.
    pub index: usize,
    /// A stable name for the reason, such as `invalid_occurred_at`.
    #[serde(default)]
    pub code: String,
    /// The reason in words.
    #[serde(default)]
    pub message: String,
}

/// The part of a problem document (RFC 9457) that is worth showing.
#[derive(Debug, Default, Deserialize)]
pub struct Problem {
    #[serde(default)]
    title: String,
    #[serde(default)]
    detail: String,
}

impl Problem {
    /// The reason that a body gives: its `detail`, else its `title`, else the text itself, cut short.
    #[must_use]
    pub fn reason(body: &[u8]) -> String {
        let problem: Self = serde_json::from_slice(body).unwrap_or_default();
        [problem.detail, problem.title]
            .into_iter()
            .find(|text| !text.is_empty())
            .unwrap_or_else(|| String::from_utf8_lossy(body).trim().chars().take(200).collect())
    }
}

/// The answer of `GET /api/v1/stats/top-events`.
#[derive(Debug, Deserialize)]
pub struct TopEvents {
    /// Most frequent first.
    pub data: Vec<EventCount>,
}

/// How often an event type occurred.
#[derive(Debug, Deserialize)]
pub struct EventCount {
    /// The event type.
    pub event_type: String,
    /// Its events in the range.
    pub count: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_is_told_by_its_detail_its_title_or_its_text() {
        assert_eq!(Problem::reason(br#"{"title":"Conflict","detail":"in use"}"#), "in use");
        assert_eq!(Problem::reason(br#"{"title":"Conflict"}"#), "Conflict");
        assert_eq!(Problem::reason(b" upstream went away\n"), "upstream went away");
    }

    #[test]
    fn a_problem_document_is_no_verdict() {
        let problem = r#"{"title":"Unprocessable","status":422,"errors":[]}"#;
        assert!(serde_json::from_str::<Verdict>(problem).is_err());
    }
}
