use millrace_testkit::proxy::Spoil;
use serde_json::{Value, json};

use super::{Street, only, story, told};

const SCRIPTS: [&str; 4] = ["segment_node.mjs", "segment_python.py", "rudder_node.mjs", "rudder_python.py"];

async fn everything_arrives(script: &str) {
    let street = Street::set().await;
    assert_eq!(street.run(script, street.stage.key.reveal(), Value::Null).await, [""; 0]);
    let stored = street.stored(if script == "segment_node.mjs" { 7 } else { 6 }).await;
    let (user, event, properties, traits) = told();
    for event in stored.iter().filter(|event| event.event_type != "visited") {
        assert_eq!((&event.user_id, &json!(event.occurred_at)), (&user, &story()["time"]), "{event:?}");
        assert!(event.context["library"]["name"].is_string(), "{event:?}");
    }
    assert_eq!(only(&stored, &event).properties, properties);
    assert_eq!(only(&stored, "$identify").properties, traits);
    assert_eq!(only(&stored, "$identify").context["anonymousId"], "anon-1");
    let page = &only(&stored, "$page").properties;
    assert_eq!((&page["url"], &page["name"]), (&json!("https://example.com/ü"), &json!("Home")));
    assert_eq!(only(&stored, "$screen").properties["name"], "Settings");
    assert_eq!(only(&stored, "$group").properties, json!({"employees": 7, "groupId": "acme"}));
    assert_eq!(only(&stored, "$alias").properties, json!({"previousId": "anon-1"}));
    match script {
        "segment_node.mjs" => assert_eq!(only(&stored, "visited").user_id, "anon-2"),
        "rudder_node.mjs" => {
            assert_eq!(only(&stored, &event).session_id.as_deref(), Some("1762000000"));
        }
        _ => assert_eq!(only(&stored, &event).context["locale"], "de-CH"),
    }
}

#[actix_web::test]
async fn everything_that_segments_node_sdk_sends_is_stored() {
    everything_arrives("segment_node.mjs").await;
}

#[actix_web::test]
async fn everything_that_segments_python_sdk_sends_is_stored() {
    everything_arrives("segment_python.py").await;
}

#[actix_web::test]
async fn everything_that_rudderstacks_node_sdk_sends_is_stored() {
    everything_arrives("rudder_node.mjs").await;
}

#[actix_web::test]
async fn everything_that_rudderstacks_python_sdk_sends_is_stored() {
    everything_arrives("rudder_python.py").await;
}

#[actix_web::test]
async fn an_answer_that_is_lost_makes_no_second_events() {
    for script in SCRIPTS {
        let street = Street::set().await;
        assert_eq!(street.run_spoilt(script, Spoil::Whole, Value::Null).await, [""; 0], "{script}");
        street.stored(if script == "segment_node.mjs" { 7 } else { 6 }).await;
    }
}

#[actix_web::test]
async fn what_is_refused_while_the_log_is_away_is_sent_again() {
    for script in SCRIPTS {
        let street = Street::set().await;
        assert_eq!(street.run_refused(script, Value::Null).await, [""; 0], "{script}");
        street.stored(if script == "segment_node.mjs" { 7 } else { 6 }).await;
    }
}

#[actix_web::test]
async fn a_wrong_key_ends_the_retries() {
    for script in SCRIPTS {
        Street::set().await.run_with_a_wrong_key(script, Value::Null).await;
    }
}
