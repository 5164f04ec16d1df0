use proptest::prelude::*;

use super::*;

const ID: &str = "6a13d76c-c7a5-5b40-a74b-09f4c6f3eb56";

fn now() -> DateTime<Utc> {
    "2026-11-20T12:00:00Z".parse().unwrap()
}

fn parse(text: &str) -> Result<Draft, Rejection> {
    Draft::parse(text, now(), || ID.parse().unwrap())
}

fn code(text: &str) -> RejectionCode {
    parse(text).unwrap_err().code
}

#[test]
fn the_smallest_event_has_a_type_and_a_user() {
    let draft = parse(r#"{"event_type":"login","user_id":"ada"}"#).unwrap();
    assert_eq!(draft.event_type.as_str(), "login");
    assert_eq!(draft.event_id.to_string(), ID);
    assert_eq!(draft.occurred_at, None);
    assert_eq!(draft.properties.as_str(), "{}");
}

#[test]
fn the_accepted_spellings_mean_the_same() {
    let ours = parse(
        r#"{"event_type":"a","user_id":"u","occurred_at":"2026-11-01T00:00:00Z","properties":{"x":1},"context":{"y":2}}"#,
    );
    let theirs = parse(
        r#"{"event_type":"a","user_id":"u","timestamp":"2026-11-01T01:00:00+01:00","data":{"x":1},"metadata":{"y":2}}"#,
    );
    assert_eq!(ours.unwrap(), theirs.unwrap());
}

#[test]
fn both_spellings_at_once_are_refused() {
    let rejection =
        parse(r#"{"event_type":"a","user_id":"u","timestamp":"2026-11-01T00:00:00Z","occurred_at":"2026-11-01T00:00:00Z"}"#)
            .unwrap_err();
    assert_eq!(rejection.code, RejectionCode::DuplicateField);
    assert_eq!(rejection.message, "occurred_at is given twice (as timestamp and occurred_at)");
}

#[test]
fn an_unknown_field_is_named() {
    let rejection = parse(r#"{"event_type":"a","user_id":"u","userId":"v"}"#).unwrap_err();
    assert_eq!(rejection.code, RejectionCode::UnknownField);
    assert_eq!(rejection.field.as_deref(), Some("userId"));
}

#[test]
fn every_field_is_held_to_its_law() {
    for (text, expected) in [
        (r#"{"user_id":"u"}"#, RejectionCode::MissingEventType),
        (r#"{"event_type":"a"}"#, RejectionCode::MissingUserId),
        (r#"{"event_type":"","user_id":"u"}"#, RejectionCode::InvalidEventType),
        (r#"{"event_type":7,"user_id":"u"}"#, RejectionCode::InvalidEventType),
        (r#"{"event_type":"a\u0000","user_id":"u"}"#, RejectionCode::InvalidEventType),
        (r#"{"event_type":"a","user_id":null}"#, RejectionCode::InvalidUserId),
        (r#"{"event_type":"a","user_id":"u","event_id":"7"}"#, RejectionCode::InvalidEventId),
        (r#"{"event_type":"a","user_id":"u","occurred_at":"yesterday"}"#, RejectionCode::InvalidOccurredAt),
        (
            r#"{"event_type":"a","user_id":"u","occurred_at":"2026-11-01T00:00:00"}"#,
            RejectionCode::InvalidOccurredAt,
        ),
        (r#"{"event_type":"a","user_id":"u","occurred_at":1700000000}"#, RejectionCode::InvalidOccurredAt),
        (
            r#"{"event_type":"a","user_id":"u","occurred_at":"0001-01-01T00:00:00Z"}"#,
            RejectionCode::InvalidOccurredAt,
        ),
        (
            r#"{"event_type":"a","user_id":"u","occurred_at":"2026-11-21T12:00:01Z"}"#,
            RejectionCode::InvalidOccurredAt,
        ),
        (r#"{"event_type":"a","user_id":"u","properties":[1]}"#, RejectionCode::InvalidProperties),
        (r#"{"event_type":"a","user_id":"u","properties":{"x":"\u0000"}}"#, RejectionCode::InvalidProperties),
        (r#"{"event_type":"a","user_id":"u","context":3}"#, RejectionCode::InvalidContext),
        (r#"{"event_type":"a","user_id":"u","session_id":""}"#, RejectionCode::InvalidSessionId),
        (r#"{"event_type":"a","user_id":"u""#, RejectionCode::MalformedJson),
        (r#"{"event_type":"a","user_id":"u"} x"#, RejectionCode::MalformedJson),
        (r#"["event_type"]"#, RejectionCode::NotAnObject),
    ] {
        assert_eq!(code(text), expected, "{text}");
    }
}

#[test]
fn an_event_may_have_32_kib_and_not_a_byte_more() {
    let event = |padding: usize| {
        format!(r#"{{"event_type":"a","user_id":"u","data":{{"p":"{}"}}}}"#, "x".repeat(padding))
    };
    let frame = event(0).len();
    assert!(parse(&event(MAX_EVENT_BYTES - frame)).is_ok());
    assert_eq!(code(&event(MAX_EVENT_BYTES - frame + 1)), RejectionCode::EventTooLarge);
}

#[test]
fn a_version_7_id_carries_its_time() {
    let id = "019a7e38-6c00-7000-8000-000000000000";
    let draft = parse(&format!(r#"{{"event_type":"a","user_id":"u","event_id":"{id}"}}"#)).unwrap();
    let millis = i64::from_str_radix("019a7e386c00", 16).unwrap();
    assert_eq!(draft.occurred_at.unwrap().timestamp_millis(), millis);
}

#[test]
fn the_senders_time_wins_over_the_one_in_the_id() {
    let text = r#"{"event_type":"a","user_id":"u","event_id":"019a7e38-6c00-7000-8000-000000000000","occurred_at":"2020-01-01T00:00:00.123456789Z"}"#;
    assert_eq!(parse(text).unwrap().occurred_at.unwrap().to_rfc3339(), "2020-01-01T00:00:00.123456+00:00");
}

#[test]
fn a_refused_event_can_still_be_named() {
    let text = format!(r#"{{"event_id":"{ID}","event_type":""}}"#);
    assert_eq!(readable_event_id(&text).unwrap().to_string(), ID);
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in ".{0,200}") {
        let _ = parse(&text);
    }

    #[test]
    fn whatever_the_strings_they_come_through_unchanged(
        event_type in "[^\0]{1,100}", user in "[^\0]{1,255}", key in "[^\0]{0,20}", value in "[^\0]{0,50}",
    ) {
        let event = serde_json::json!({"event_type": event_type, "user_id": user, "properties": {key: value}});
        let draft = parse(&event.to_string()).unwrap();
        prop_assert_eq!(draft.event_type.as_str(), event_type);
        prop_assert_eq!(draft.user_id.as_str(), user);
        let kept: serde_json::Value = serde_json::from_str(draft.properties.as_str()).unwrap();
        prop_assert_eq!(&kept, &event["properties"]);
    }
}
