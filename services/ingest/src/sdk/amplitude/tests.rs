use millrace_domain::draft::to_micros;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::parse::Parsed;

/// The present: ids that are made for events without one have it in them.
fn now() -> DateTime<Utc> {
    to_micros(Utc::now())
}

fn one(event: &Value) -> Result<Draft, Rejection> {
    let body = json!({"api_key": "k", "events": [event], "options": {}}).to_string();
    let call = translate(body.as_bytes(), now()).unwrap();
    assert_eq!(call.key.as_deref(), Some("k"));
    let Parsed { mut drafts, mut rejected, .. } = call.parsed;
    drafts.pop().ok_or_else(|| rejected.pop().unwrap().rejection)
}

fn parsed(json: &str) -> Value {
    serde_json::from_str(json).unwrap()
}

#[test]
fn an_event_is_parted_into_properties_and_context() {
    let draft = one(&json!({
        "event_type": "bought", "user_id": "ada", "device_id": "d", "insert_id": "one", "time": 1_793_534_400_250_i64,
        "session_id": 1_762_000_000_000_i64, "event_properties": {"sku": "x"}, "revenue": 19.9, "event_id": 3,
        "user_properties": {"plan": "gold"}, "language": "de-CH", "ip": "$remote", "unheard_of": 1,
    }))
    .unwrap();
    assert_eq!((draft.event_type.as_str(), draft.user_id.as_str()), ("bought", "ada"));
    assert_eq!(draft.occurred_at.unwrap().to_rfc3339(), "2026-11-01T12:00:00.250+00:00");
    assert_eq!(draft.session_id.unwrap().as_str(), "1762000000000");
    let properties = json!({"sku": "x", "revenue": 19.9, "user_properties": {"plan": "gold"}});
    assert_eq!(parsed(draft.properties.as_str()), properties);
    let context = json!({"device_id": "d", "language": "de-CH", "ip": "$remote"});
    assert_eq!(parsed(draft.context.unwrap().as_str()), context);
}

#[test]
fn an_identify_holds_the_traits_and_their_operations() {
    let draft = one(&json!({
        "event_type": "$identify", "device_id": "d", "session_id": -1, "user_properties": {"$set": {"plan": "gold"}},
    }))
    .unwrap();
    assert_eq!((draft.user_id.as_str(), draft.session_id), ("d", None));
    assert_eq!(parsed(draft.properties.as_str()), json!({"$set": {"plan": "gold"}}));
}

#[test]
fn the_insert_id_counts_for_each_device() {
    let id = |event: Value| one(&event).unwrap().event_id;
    let event = |device: &str, insert_id: &str| json!({"event_type": "e", "user_id": "ada", "device_id": device, "insert_id": insert_id});
    assert_eq!(id(event("d", "1")), id(event("d", "1")));
    assert_ne!(id(event("d", "1")), id(event("c", "1")));
    assert_ne!(id(event("d", "1")), id(event("d", "2")));
}

#[test]
fn faults_are_named() {
    let faults = [
        (json!({"user_id": "ada"}), "event_type is missing"),
        (json!({"event_type": "e"}), "user_id or device_id is missing"),
        (json!({"event_type": "e", "user_id": "a", "time": true}), "time must be a string"),
        (
            json!({"event_type": "e", "user_id": "a", "event_properties": 3}),
            "event_properties must be a JSON object",
        ),
    ];
    for (event, fault) in faults {
        assert_eq!(one(&event).unwrap_err().message, fault);
    }
}

proptest! {
    #[test]
    fn a_retry_is_the_same_event(id in "\\PC{1,50}", time in 100_000_000_000i64..1_700_000_000_000, late in 0i64..86_400) {
        let body = |upload: i64| json!({"api_key": "k", "client_upload_time": upload, "events": [
            {"event_type": "e", "user_id": "ada", "insert_id": id, "time": time}]}).to_string();
        let first = translate(body(0).as_bytes(), now()).unwrap();
        let again = translate(body(late).as_bytes(), now() + chrono::TimeDelta::seconds(late)).unwrap();
        prop_assert_eq!(first.parsed.drafts, again.parsed.drafts);
    }

    #[test]
    fn nothing_panics(body in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = translate(&body, now());
    }
}
