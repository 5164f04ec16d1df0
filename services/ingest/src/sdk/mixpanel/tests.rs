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
    let Parsed { mut drafts, mut rejected, .. } =
        translate(event.to_string().as_bytes(), now()).unwrap().parsed;
    drafts.pop().ok_or_else(|| rejected.pop().unwrap().rejection)
}

fn parsed(json: &str) -> Value {
    serde_json::from_str(json).unwrap()
}

#[test]
fn an_event_is_parted_into_properties_and_context() {
    let event = json!({"event": "bought", "properties": {
        "token": "k", "distinct_id": "ada", "time": 1_793_534_400, "$insert_id": "one", "value": 19.9, "mp_lib": "node",
        "$lib_version": "0.24.0", "ip": "1.2.3.4", "utm_source": "mail",
    }});
    let draft = one(&event).unwrap();
    assert_eq!((draft.event_type.as_str(), draft.user_id.as_str()), ("bought", "ada"));
    assert_eq!(draft.occurred_at.unwrap().to_rfc3339(), "2026-11-01T12:00:00+00:00");
    assert_eq!(parsed(draft.properties.as_str()), json!({"value": 19.9}));
    let context = json!({"mp_lib": "node", "$lib_version": "0.24.0", "ip": "1.2.3.4", "utm_source": "mail"});
    assert_eq!(parsed(draft.context.unwrap().as_str()), context);
}

#[test]
fn an_array_one_event_and_lines_mean_the_same() {
    let event = r#"{"event":"e","properties":{"token":"k","distinct_id":"ada","time":1793534400250,"$insert_id":"1"}}"#;
    let drafts = |body: String| translate(body.as_bytes(), now()).unwrap().parsed.drafts;
    let expected = drafts(event.to_owned());
    assert_eq!(expected.len(), 1);
    for body in [format!("[{event}]"), format!("\n{event}\r\n\n"), event.replace(',', ",\n ")] {
        assert_eq!(drafts(body.clone()), expected, "{body}");
    }
    assert_eq!(translate(format!("{event}\n{event}").as_bytes(), now()).unwrap().parsed.repeated, 1);
}

#[test]
fn times_may_be_seconds_or_milliseconds_whole_or_not() {
    let time = |time: Value| {
        let event =
            json!({"event": "e", "properties": {"distinct_id": "ada", "$insert_id": "1", "time": time}});
        one(&event).map(|draft| draft.occurred_at.map(|time| time.timestamp_micros()))
    };
    assert_eq!(time(json!(1_793_534_400)), Ok(Some(1_793_534_400_000_000)));
    assert_eq!(time(json!(1_793_534_400_251_i64)), Ok(Some(1_793_534_400_251_000)));
    assert_eq!(time(json!(1_793_534_400.251)), Ok(Some(1_793_534_400_251_000)));
    assert_eq!(time(Value::Null), Ok(None));
    assert!(time(json!(-1)).is_err());
    assert!(time(json!(1e300)).is_err());
}

#[test]
fn an_insert_id_counts_for_each_user_and_event() {
    let id = |user: &str, event: &str| {
        one(&json!({"event": event, "properties": {"distinct_id": user, "$insert_id": "1"}}))
            .unwrap()
            .event_id
    };
    assert_eq!(id("ada", "e"), id("ada", "e"));
    assert_ne!(id("ada", "e"), id("bob", "e"));
    assert_ne!(id("ada", "e"), id("ada", "f"));
}

#[test]
fn faults_are_named() {
    let faults = [
        (json!({"properties": {"distinct_id": "a"}}), "event is missing"),
        (json!({"event": "e", "properties": {}}), "distinct_id or $user_id or $device_id is missing"),
        (json!({"event": "e", "properties": 3}), "properties must be a JSON object"),
    ];
    for (event, fault) in faults {
        assert_eq!(one(&event).unwrap_err().message, fault);
    }
    assert_eq!(translate(b" ", now()).unwrap_err(), SplitError::Empty);
    assert!(matches!(translate(b"{} x", now()), Err(SplitError::Malformed(_))));
}

#[test]
fn an_event_that_is_refused_keeps_its_insert_id_as_far_as_it_can_be_read() {
    let event = |id: Value| json!({"properties": {"distinct_id": "ada", "$insert_id": id}});
    let sound = json!({"event": "e", "properties": {"distinct_id": "ada", "$insert_id": "three"}});
    let events = json!([event(json!("one")), event(json!({})), 7, sound, event(json!(5))]).to_string();
    let (call, ids) = translate_import(events.as_bytes(), now()).unwrap();
    assert_eq!(call.parsed.rejected.len(), 4);
    assert_eq!(ids, HashMap::from([(0, "one".to_owned()), (4, "5".to_owned())]));
}

proptest! {
    #[test]
    fn a_retry_is_the_same_event(id in "\\PC{1,36}", time in 0i64..1_700_000_000_000, late in 0i64..86_400) {
        let event = json!({"event": "e", "properties": {"distinct_id": "ada", "$insert_id": id, "time": time}}).to_string();
        let first = translate(event.as_bytes(), now()).unwrap();
        let again = translate(event.as_bytes(), now() + chrono::TimeDelta::seconds(late)).unwrap();
        prop_assert_eq!(first.parsed.drafts, again.parsed.drafts);
    }

    #[test]
    fn nothing_panics(body in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = translate(&body, now());
    }
}
