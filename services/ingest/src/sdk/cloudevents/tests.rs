use millrace_domain::draft::to_micros;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

/// The present: ids that are made for events without one have it in them.
fn now() -> DateTime<Utc> {
    to_micros(Utc::now())
}

fn parsed(json: &str) -> Value {
    serde_json::from_str(json).unwrap()
}

fn one(body: &[u8], mode: &Mode) -> Result<Draft, Rejection> {
    let Parsed { mut drafts, mut rejected, .. } = translate(body, mode, now()).unwrap().parsed;
    drafts.pop().ok_or_else(|| rejected.pop().unwrap().rejection)
}

fn event() -> Value {
    json!({
        "specversion": "1.0", "id": "1", "source": "/shop", "type": "bought", "subject": "ada",
        "time": "2026-11-01T13:00:00.25+01:00", "locale": "de", "data": {"value": 19.9},
    })
}

/// The mode of a request with these headers, the first of which may be its type.
fn mode(headers: &[(&str, &str)]) -> Result<Mode, SplitError> {
    let media = headers.iter().find(|(name, _)| *name == "content-type").map_or("", |(_, value)| *value);
    Mode::announced(media, headers.iter().map(|(name, value)| (*name, value.as_bytes())))
}

#[test]
fn structured_and_binary_are_the_same_event() {
    let structured = mode(&[("content-type", "Application/CloudEvents+JSON; charset=utf-8")]).unwrap();
    assert_eq!(structured, Mode::Structured);
    let draft = one(event().to_string().as_bytes(), &structured).unwrap();
    assert_eq!((draft.event_type.as_str(), draft.user_id.as_str()), ("bought", "ada"));
    assert_eq!(draft.occurred_at.unwrap().to_rfc3339(), "2026-11-01T12:00:00.250+00:00");
    assert_eq!(parsed(draft.properties.as_str()), event()["data"]);
    let context = json!({"specversion": "1.0", "source": "/shop", "subject": "ada", "locale": "de"});
    assert_eq!(parsed(draft.context.as_ref().unwrap().as_str()), context);

    let binary = mode(&[
        ("ce-specversion", "1.0"),
        ("ce-id", "1"),
        ("ce-source", "\"/shop\""),
        ("ce-type", "bought"),
        ("ce-subject", "a%64a"),
        ("ce-time", "2026-11-01T12:00:00.25Z"),
        ("ce-locale", "de"),
        ("accept", "*/*"),
    ]);
    assert_eq!(one(br#"{"value": 19.9}"#, &binary.unwrap()).unwrap(), draft);
}

#[test]
fn data_that_is_no_object_is_kept_under_its_name() {
    let headers = |media| {
        mode(&[
            ("ce-specversion", "1.0"),
            ("ce-id", "1"),
            ("ce-source", "/"),
            ("ce-type", "t"),
            ("ce-userid", "ada"),
            ("content-type", media),
        ])
    };
    let properties = |body: &[u8], media| {
        let draft = one(body, &headers(media).unwrap()).unwrap();
        assert_eq!(parsed(draft.context.unwrap().as_str())["datacontenttype"], media);
        parsed(draft.properties.as_str())
    };
    assert_eq!(properties(b"[1]", "application/json"), json!({"data": [1]}));
    assert_eq!(properties(b"hey", "text/plain"), json!({"data": "hey"}));
    assert_eq!(properties(b"\xff\x00", "image/png"), json!({"data_base64": "/wA="}));
    assert_eq!(properties(b"", "application/json"), json!({}));
    assert_eq!(properties(br#"{"a":{}}"#, "application/vnd.shop+json"), json!({"a": {}}));
}

#[test]
fn an_id_counts_for_each_source() {
    let id = |source: &str, id: &str| {
        let mut event = event();
        (event["source"], event["id"]) = (json!(source), json!(id));
        one(event.to_string().as_bytes(), &Mode::Structured).unwrap().event_id
    };
    assert_eq!(id("/a", "1"), id("/a", "1"));
    assert_ne!(id("/a", "1"), id("/b", "1"));
    assert_ne!(id("/a", "11"), id("/a1", "1"));
}

#[test]
fn what_is_missing_is_named() {
    for (name, fault) in [
        ("id", "id is missing"),
        ("source", "source is missing"),
        ("specversion", "specversion is missing"),
        ("type", "type is missing"),
        ("subject", "userid or subject is missing"),
    ] {
        let mut event = event();
        event.as_object_mut().unwrap().remove(name);
        assert_eq!(one(event.to_string().as_bytes(), &Mode::Structured).unwrap_err().message, fault);
    }
    let mut event = event();
    event["specversion"] = json!("0.3");
    assert_eq!(
        one(event.to_string().as_bytes(), &Mode::Structured).unwrap_err().message,
        "specversion must be 1.0"
    );
}

#[test]
fn a_batch_may_be_empty_and_other_formats_are_not_spoken() {
    let batch = mode(&[("content-type", "application/cloudevents-batch+json")]).unwrap();
    assert_eq!(translate(b"[]", &batch, now()).unwrap().parsed.sent, 0);
    let body = json!([event(), event(), 7]).to_string();
    let parsed = translate(body.as_bytes(), &batch, now()).unwrap().parsed;
    assert_eq!((parsed.drafts.len(), parsed.repeated, parsed.rejected.len()), (1, 1, 1));
    assert!(matches!(
        mode(&[("content-type", "application/cloudevents+xml")]),
        Err(SplitError::MediaType(media)) if media == "application/cloudevents+xml"
    ));
    assert!(mode(&[("ce-id", "%ff")]).is_err(), "it is not UTF-8");
}

proptest! {
    /// What a sender encodes as the specification says is read as it was.
    #[test]
    fn header_values_survive(text in "\\PC{0,50}") {
        let encoded = percent_encoding::utf8_percent_encode(&text, percent_encoding::NON_ALPHANUMERIC).to_string();
        prop_assert_eq!(decoded(encoded.as_bytes()), Some(text));
    }

    #[test]
    fn nothing_panics(body in proptest::collection::vec(any::<u8>(), 0..200), media in "\\PC{0,20}") {
        for mode in [Mode::Structured, Mode::Batched, Mode::Binary(vec![("datacontenttype".to_owned(), media)])] {
            let _ = translate(&body, &mode, now());
        }
    }
}
