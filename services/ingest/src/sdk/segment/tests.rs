use millrace_domain::draft::to_micros;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::parse::Parsed;

/// The present: ids that are made for events without one have it in them.
fn now() -> DateTime<Utc> {
    to_micros(Utc::now())
}

fn one(path: &str, message: &Value) -> Result<Draft, Rejection> {
    let call = translate(message.to_string().as_bytes(), Path::parse(path).unwrap(), now()).unwrap();
    let Parsed { mut drafts, mut rejected, .. } = call.parsed;
    drafts.pop().ok_or_else(|| rejected.pop().unwrap().rejection)
}

fn parsed(json: &str) -> Value {
    serde_json::from_str(json).unwrap()
}

#[test]
fn a_track_becomes_the_event_it_names() {
    let message = json!({
        "userId": "ada", "anonymousId": "anon", "event": "Order Completed", "messageId": "node-next-1",
        "timestamp": "2026-11-01T12:00:00.250Z", "sentAt": "2026-11-20T11:00:00Z", "_metadata": {"nodeVersion": "v20"},
        "properties": {"value": 19.9, "deep": [{"ü": null}]}, "writeKey": "k",
        "context": {"library": {"name": "x"}, "sessionId": 1762000000},
    });
    let draft = one("track", &message).unwrap();
    assert_eq!((draft.event_type.as_str(), draft.user_id.as_str()), ("Order Completed", "ada"));
    assert_eq!(draft.occurred_at.unwrap().to_rfc3339(), "2026-11-01T12:00:00.250+00:00");
    assert_eq!(parsed(draft.properties.as_str()), message["properties"]);
    assert_eq!(draft.session_id.unwrap().as_str(), "1762000000");
    let context = parsed(draft.context.unwrap().as_str());
    assert_eq!(context, json!({"library": {"name": "x"}, "sessionId": 1762000000, "anonymousId": "anon"}));
}

#[test]
fn the_letters_mean_the_words() {
    for word in ["track", "identify", "page", "screen", "group", "alias", "batch"] {
        assert_eq!(Path::parse(word), Path::parse(&word[..1]), "{word}");
    }
    assert_eq!(Path::parse("tracks"), None);
}

#[test]
fn traits_are_the_properties_of_identify_wherever_they_stand() {
    let traits = json!({"name": "Ada", "plan": {"tier": "gold"}});
    for message in
        [json!({"userId": "ada", "traits": traits}), json!({"userId": "ada", "context": {"traits": traits}})]
    {
        let draft = one("identify", &message).unwrap();
        assert_eq!(draft.event_type.as_str(), "$identify");
        assert_eq!(parsed(draft.properties.as_str()), traits);
        assert_eq!(draft.context, None);
    }
}

#[test]
fn pages_groups_and_aliases_keep_what_they_are_about() {
    let page = json!({"anonymousId": "a", "name": "Home", "category": null, "properties": {"url": "/"}});
    let draft = one("page", &page).unwrap();
    assert_eq!((draft.event_type.as_str(), draft.user_id.as_str()), ("$page", "a"));
    assert_eq!(parsed(draft.properties.as_str()), json!({"url": "/", "name": "Home"}));
    let draft = one("g", &json!({"userId": "ada", "groupId": 7, "traits": {"size": 3}})).unwrap();
    assert_eq!(parsed(draft.properties.as_str()), json!({"groupId": 7, "size": 3}));
    let draft = one("alias", &json!({"userId": "ada", "previousId": "anon"})).unwrap();
    assert_eq!(parsed(draft.properties.as_str()), json!({"previousId": "anon"}));
}

#[test]
fn a_batch_shares_its_context_and_each_message_answers_for_itself() {
    let body = json!({"context": {"ip": "1.2.3.4", "locale": "de"}, "batch": [
        {"type": "track", "event": "a", "userId": 7, "context": {"locale": "fr"}},
        {"type": "track", "userId": "ada"},
        {"type": "import", "userId": "ada"},
        {"type": "track", "event": "a"},
        7,
        {"type": "track", "event": "a", "userId": "ada", "timestamp": "tomorrow"},
        {"type": "track", "event": "a", "userId": ["ada"]},
        {"type": "track", "event": "a", "userId": "ada", "properties": [1]},
    ]});
    let call = translate(body.to_string().as_bytes(), Path::Batch, now()).unwrap();
    assert_eq!(call.parsed.drafts.len(), 1);
    let draft = &call.parsed.drafts[0];
    assert_eq!(draft.user_id.as_str(), "7");
    assert_eq!(parsed(draft.context.as_ref().unwrap().as_str()), json!({"ip": "1.2.3.4", "locale": "fr"}));
    let faults: Vec<_> = call.parsed.rejected.iter().map(|r| r.rejection.message.as_str()).collect();
    assert_eq!(faults[0], "event is missing");
    assert_eq!(faults[1], "type must be track, identify, page, screen, group or alias");
    assert_eq!(faults[2], "userId or anonymousId is missing");
    assert_eq!(faults[3], "an event must be a JSON object");
    assert!(faults[4].starts_with("timestamp must be ISO 8601"));
    assert_eq!(faults[5], "userId must be a string");
    assert_eq!(faults[6], "properties must be a JSON object");
}

#[test]
fn what_is_not_a_batch_is_refused_as_a_whole() {
    for body in ["", "7", "[]", "{", "{\"batch\": {}}", "{}", "\u{0}"] {
        assert!(translate(body.as_bytes(), Path::Batch, now()).is_err(), "{body}");
    }
    assert!(translate(b"\xff", Path::Batch, now()).is_err());
}

proptest! {
    /// A retry is the same event however late it comes: nothing but the message decides.
    #[test]
    fn a_retry_is_the_same_event(id in "\\PC{1,99}", time in 0i64..1_700_000_000, late in 0i64..86_400, sent in "\\PC{0,20}") {
        let at = DateTime::from_timestamp(time, 0).unwrap().to_rfc3339();
        let message = |sent_at: &str| {
            let message = json!({"userId": "ada", "event": "e", "messageId": id, "timestamp": at, "sentAt": sent_at});
            message.to_string()
        };
        let path = Path::One(Kind::Track);
        let first = translate(message("").as_bytes(), path, now()).unwrap();
        let again = translate(message(&sent).as_bytes(), path, now() + chrono::TimeDelta::seconds(late)).unwrap();
        prop_assert_eq!(first.parsed.drafts, again.parsed.drafts);
    }

    /// Properties come through as they were sent.
    #[test]
    fn properties_survive(name in "\\PC{0,20}", value in any::<i64>(), text in "\\PC{0,50}") {
        let properties = json!({name: {"v": [value, text]}});
        let message = json!({"userId": "ada", "event": "e", "properties": properties});
        let draft = one("t", &message).unwrap();
        prop_assert_eq!(parsed(draft.properties.as_str()), properties);
    }

    /// No text brings it down.
    #[test]
    fn nothing_panics(body in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = translate(&body, Path::Batch, now());
        let _ = translate(&body, Path::One(Kind::Track), now());
    }
}
