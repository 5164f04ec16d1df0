use millrace_testkit::proxy::Spoil;
use serde_json::{Value, json};

use super::{Street, only, story, told};

const SCRIPTS: [&str; 2] = ["posthog_node.mjs", "posthog_python.py"];

fn asked(mode: &str, flags: bool) -> Value {
    json!({"mode": mode, "flags": flags})
}

async fn everything_arrives(script: &str, mode: &str) {
    let street = Street::set().await;
    assert_eq!(street.run(script, street.stage.key.reveal(), asked(mode, true)).await, [""; 0]);
    let stored = street.stored(6).await;
    let (user, event, properties, traits) = told();
    let time = &story()["time"];
    let bought = only(&stored, &event);
    assert_eq!((&bought.user_id, &json!(bought.occurred_at)), (&user, time));
    assert_eq!(bought.properties, properties);
    assert_eq!(bought.session_id.as_deref(), Some("session-1"));
    let seen = only(&stored, "$pageview");
    assert_eq!(
        (&seen.context["$current_url"], &json!(seen.occurred_at)),
        (&json!("https://example.com/ü"), time)
    );
    for event in &stored {
        let library = event.context["$lib"].as_str().unwrap();
        assert!(library.starts_with("posthog-"), "{event:?}");
        assert!(!event.properties.to_string().contains("mr_"), "no key is stored: {event:?}");
    }
    let identified = if script.ends_with(".mjs") { "$identify" } else { "$set" };
    assert_eq!(only(&stored, identified).properties["$set"], traits);
    assert_eq!(only(&stored, "$groupidentify").properties["$group_set"], json!({"employees": 7}));
    only(&stored, "$create_alias");
    assert_eq!(only(&stored, "$feature_flag_called").properties["$feature_flag"], "beta");
}

#[actix_web::test]
async fn everything_that_the_node_sdk_sends_is_stored() {
    everything_arrives("posthog_node.mjs", "v0").await;
}

#[actix_web::test]
async fn everything_that_the_node_sdk_sends_by_capture_v1_is_stored() {
    everything_arrives("posthog_node.mjs", "v1").await;
}

#[actix_web::test]
async fn everything_that_the_python_sdk_sends_is_stored() {
    everything_arrives("posthog_python.py", "v0").await;
}

#[actix_web::test]
async fn everything_that_the_python_sdk_sends_by_capture_v1_is_stored() {
    everything_arrives("posthog_python.py", "v1").await;
}

#[actix_web::test]
async fn an_answer_that_is_lost_makes_no_second_events() {
    for script in SCRIPTS {
        for mode in ["v0", "v1"] {
            let street = Street::set().await;
            let errors = street.run_spoilt(script, Spoil::Whole, asked(mode, false)).await;
            assert_eq!(errors, [""; 0], "{script} {mode}");
            street.stored(5).await;
        }
    }
}

#[actix_web::test]
async fn what_is_refused_while_the_log_is_away_is_sent_again() {
    for script in SCRIPTS {
        for mode in ["v0", "v1"] {
            let street = Street::set().await;
            assert_eq!(street.run_refused(script, asked(mode, false)).await, [""; 0], "{script} {mode}");
            street.stored(5).await;
        }
    }
}

#[actix_web::test]
async fn a_wrong_key_ends_the_retries() {
    for script in SCRIPTS {
        for mode in ["v0", "v1"] {
            Street::set().await.run_with_a_wrong_key(script, asked(mode, false)).await;
        }
    }
}

#[actix_web::test]
async fn capture_v1_gives_each_event_its_verdict() {
    let street = Street::set().await;
    let good = "6a13d76c-c7a5-4b40-a74b-09f4c6f3eb56";
    let body = json!({"created_at": "2026-11-20T12:00:00Z", "batch": [
        {"event": "e", "uuid": good, "distinct_id": "ada", "timestamp": "2026-11-01T12:00:00Z"},
        {"event": "e", "uuid": "one", "distinct_id": "ada"},
        {"uuid": "6a13d76c-c7a5-4b40-a74b-09f4c6f3eb57", "distinct_id": "ada"},
    ]});
    for _ in 0..2 {
        let request = street.stage.send_to("/i/v1/analytics/events", body.to_string());
        let response = request.header("PostHog-Request-Id", "r-1").send().await.unwrap();
        assert_eq!(
            (response.status().as_u16(), &response.headers()["posthog-request-id"]),
            (200, &"r-1".parse().unwrap())
        );
        assert!(!response.headers().contains_key("retry-after"));
        let answer: Value = response.json().await.unwrap();
        let results = json!({
            good: {"result": "ok"},
            "one": {"result": "drop", "details": "uuid must be a UUID"},
            "6a13d76c-c7a5-4b40-a74b-09f4c6f3eb57": {"result": "drop", "details": "event is missing"},
        });
        assert_eq!(answer["results"], results);
    }
    street.stored(1).await;
}
