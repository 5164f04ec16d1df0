use millrace_testkit::proxy::Spoil;
use serde_json::{Value, json};

use super::{Street, only, story, told};
use crate::stage::{Stage, answer};

const SCRIPT: &str = "amplitude_node.mjs";

#[actix_web::test]
async fn everything_that_the_node_sdk_sends_is_stored() {
    let street = Street::set().await;
    assert_eq!(street.run(SCRIPT, street.stage.key.reveal(), Value::Null).await, [""; 0]);
    let stored = street.stored(3).await;
    let (user, event, properties, traits) = told();
    for event in &stored {
        assert_eq!((&event.user_id, &json!(event.occurred_at)), (&user, &story()["time"]), "{event:?}");
        assert_eq!(event.context["device_id"], "device-1");
    }
    let bought = only(&stored, &event);
    assert_eq!((&bought.properties, bought.session_id.as_deref()), (&properties, Some("1762000000000")));
    assert_eq!(bought.context["language"], "de-CH");
    only(&stored, "visited");
    let operations = json!({"$set": {"name": traits["name"]}, "$setOnce": {"plan": traits["plan"]}});
    assert_eq!(only(&stored, "$identify").properties, operations);
}

#[actix_web::test]
async fn an_answer_that_ends_early_makes_no_second_events() {
    let street = Street::set().await;
    assert_eq!(street.run_spoilt(SCRIPT, Spoil::LastByte, Value::Null).await, [""; 0]);
    street.stored(3).await;
}

/// The SDK gives up events whose connection broke before an answer began. They are there all the same.
#[actix_web::test]
async fn an_answer_that_is_lost_loses_nothing() {
    let street = Street::set().await;
    let errors = street.run_spoilt(SCRIPT, Spoil::Whole, Value::Null).await;
    assert_eq!(errors.len(), 3, "{errors:?}");
    street.stored(3).await;
}

#[actix_web::test]
async fn what_is_refused_while_the_log_is_away_is_sent_again() {
    let street = Street::set().await;
    assert_eq!(street.run_refused(SCRIPT, Value::Null).await, [""; 0]);
    street.stored(3).await;
}

#[actix_web::test]
async fn a_wrong_key_ends_the_retries() {
    Street::set().await.run_with_a_wrong_key(SCRIPT, Value::Null).await;
}

#[actix_web::test]
async fn an_event_at_fault_refuses_the_request_and_is_named() {
    let stage = Stage::set().await;
    let good = json!({"event_type": "e", "user_id": "ada", "insert_id": "1", "time": 1_793_534_400_000_i64});
    let body = json!({"api_key": stage.key.reveal(), "events": [good, {"event_type": "e"}, good]});
    let (status, said) = answer(stage.anonymous("/2/httpapi").body(body.to_string())).await;
    assert_eq!((status, &said["code"]), (400, &json!(400)));
    assert_eq!(said["events_with_invalid_fields"], json!({"user_id": [1]}));

    let body = json!({"api_key": stage.key.reveal(), "events": [good]});
    let (status, said) = answer(stage.anonymous("/2/httpapi").body(body.to_string())).await;
    assert_eq!((status, &said["code"], &said["events_ingested"]), (200, &json!(200), &json!(1)));

    let body = json!({"api_key": "nonsense", "events": [good]}).to_string();
    let (status, said) = answer(stage.anonymous("/2/httpapi").body(body)).await;
    assert_eq!((status, &said["code"]), (400, &json!(400)));
    assert!(said["error"].as_str().unwrap().starts_with("Invalid API key"), "{said}");
}
