use millrace_domain::draft::to_micros;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::parse::Parsed;

/// The present: ids that are made for events without one have it in them.
fn now() -> DateTime<Utc> {
    to_micros(Utc::now())
}

fn one(body: &Value) -> Result<Draft, Rejection> {
    let Parsed { mut drafts, mut rejected, .. } =
        translate(body.to_string().as_bytes(), now()).unwrap().parsed;
    drafts.pop().ok_or_else(|| rejected.pop().unwrap().rejection)
}

fn parsed(json: &str) -> Value {
    serde_json::from_str(json).unwrap()
}

const UUID: &str = "6a13d76c-c7a5-4b40-a74b-09f4c6f3eb56";

#[test]
fn an_event_of_a_server_is_parted_into_properties_and_context() {
    let body = json!({"api_key": "k", "sent_at": "2026-11-20T11:00:00Z", "batch": [{
        "event": "bought", "distinct_id": "ada", "uuid": UUID, "timestamp": "2026-11-01T12:00:00.250000+00:00",
        "properties": {"value": 19.90, "$session_id": "s", "$lib": "posthog-python", "$os": "Linux", "$is_server": true},
        "$set": {"plan": "gold"},
    }]});
    let draft = one(&body).unwrap();
    assert_eq!((draft.event_type.as_str(), draft.user_id.as_str()), ("bought", "ada"));
    assert_eq!((draft.event_id.to_string().as_str(), draft.id_was_made), (UUID, false));
    assert_eq!(draft.occurred_at.unwrap().to_rfc3339(), "2026-11-01T12:00:00.250+00:00");
    assert_eq!(draft.session_id.unwrap().as_str(), "s");
    assert_eq!(parsed(draft.properties.as_str()), json!({"value": 19.9, "$set": {"plan": "gold"}}));
    let context = json!({"$lib": "posthog-python", "$os": "Linux", "$is_server": true});
    assert_eq!(parsed(draft.context.unwrap().as_str()), context);
}

#[test]
fn a_browser_sends_an_array_with_the_key_in_the_properties() {
    let body = json!([{
        "event": "$pageview", "uuid": "019a9f5e-8400-7000-8000-000000000000", "offset": 3000,
        "properties": {"token": "k", "distinct_id": "ada", "$current_url": "https://x/", "utm_source": "mail"},
    }]);
    let call = translate(body.to_string().as_bytes(), now()).unwrap();
    assert_eq!(call.key.as_deref(), Some("k"));
    let draft = &call.parsed.drafts[0];
    assert_eq!(draft.user_id.as_str(), "ada");
    assert_eq!(
        draft.occurred_at,
        millrace_domain::draft::time_inside(draft.event_id),
        "the time is in the id"
    );
    assert_eq!(draft.properties.as_str(), "{}", "the key is not stored");
    assert_eq!(
        parsed(draft.context.as_ref().unwrap().as_str()),
        json!({"$current_url": "https://x/", "utm_source": "mail"})
    );
}

#[test]
fn one_request_has_one_key() {
    let event = |token: &str| json!({"event": "e", "distinct_id": "ada", "timestamp": "2026-11-01T12:00:00Z", "properties": {"token": token}});
    let body = json!([event("a"), event("b"), event("a")]);
    let call = translate(body.to_string().as_bytes(), now()).unwrap();
    assert_eq!((call.key.as_deref(), call.parsed.drafts.len()), (Some("a"), 2));
    assert_eq!(
        call.parsed.rejected[0].rejection.message,
        "token must be the same for all events of a request"
    );
}

#[test]
fn what_is_missing_is_named() {
    let faults = [
        (json!({"api_key": "k", "event": "e"}), "distinct_id is missing"),
        (json!({"api_key": "k", "distinct_id": 7}), "event is missing"),
        (json!({"event": "e", "distinct_id": {"a": 1}}), "distinct_id must be a string"),
        (json!({"event": "e", "distinct_id": "a", "properties": []}), "properties must be a JSON object"),
    ];
    for (body, fault) in faults {
        assert_eq!(one(&body).unwrap_err().message, fault);
    }
}

#[test]
fn capture_v1_names_every_event() {
    let body = json!({"created_at": "2026-11-20T11:00:00Z", "batch": [
        {"event": "e", "uuid": UUID, "distinct_id": "ada", "timestamp": "2026-11-01T12:00:00Z", "session_id": "s",
         "window_id": "w", "options": {"process_person_profile": false}, "properties": {"a": 1}},
        {"event": "e", "uuid": "not-one", "distinct_id": "ada"},
    ]});
    let (call, uuids) = translate_v1(body.to_string().as_bytes(), Some("posthog-go/1.2"), now()).unwrap();
    assert_eq!(uuids, [UUID, "not-one"]);
    let draft = &call.parsed.drafts[0];
    assert_eq!(draft.session_id.as_ref().unwrap().as_str(), "s");
    let context = json!({"$lib": "posthog-go", "$lib_version": "1.2", "window_id": "w",
        "options": {"process_person_profile": false}});
    assert_eq!(parsed(draft.context.as_ref().unwrap().as_str()), context);
    assert_eq!(call.parsed.rejected[0].rejection.message, "uuid must be a UUID");

    let nameless = json!({"batch": [{"event": "e", "distinct_id": "ada"}]}).to_string();
    assert!(translate_v1(nameless.as_bytes(), None, now()).is_err());
}

proptest! {
    #[test]
    fn a_retry_is_the_same_event(uuid in any::<u128>(), late in 0i64..86_400, sent in "\\PC{0,20}") {
        let uuid = uuid::Builder::from_random_bytes(uuid.to_be_bytes()).into_uuid();
        let body = |sent_at: &str| json!({"api_key": "k", "sent_at": sent_at, "batch": [
            {"event": "e", "distinct_id": "ada", "uuid": uuid, "offset": 5}]}).to_string();
        let first = translate(body("").as_bytes(), now()).unwrap();
        let again = translate(body(&sent).as_bytes(), now() + chrono::TimeDelta::seconds(late)).unwrap();
        prop_assert_eq!(first.parsed.drafts, again.parsed.drafts);
    }

    #[test]
    fn nothing_panics(body in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = translate(&body, now());
        let _ = translate_v1(&body, Some("x"), now());
    }
}
