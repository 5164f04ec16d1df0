use std::io::Write;

use millrace_testkit::proxy::Spoil;
use serde_json::{Value, json};

use super::{Street, only, story, told};
use crate::stage::{Stage, answer};

const SCRIPT: &str = "mixpanel_node.mjs";
const PYTHON: &str = "mixpanel_python.py";

#[actix_web::test]
async fn everything_that_the_node_sdk_sends_is_stored() {
    let street = Street::set().await;
    assert_eq!(street.run(SCRIPT, street.stage.key.reveal(), Value::Null).await, [""; 0]);
    let stored = street.stored(5).await;
    let (user, event, properties, _) = told();
    for event in &stored {
        assert_eq!((&event.user_id, &json!(event.occurred_at)), (&user, &story()["time"]), "{event:?}");
        assert!(!format!("{event:?}").contains("mr_"), "no key is stored: {event:?}");
    }
    let bought = only(&stored, &event);
    assert_eq!((&bought.properties, &bought.context["mp_lib"]), (&properties, &json!("node")));
    assert_eq!(only(&stored, "visited").context["$os"], "Linux");
    only(&stored, "left");
    assert_eq!(stored.iter().filter(|event| event.event_type == "imported").count(), 2);
}

#[actix_web::test]
async fn everything_that_the_python_sdk_sends_is_stored_and_it_is_told_so() {
    let street = Street::set().await;
    assert_eq!(street.run(PYTHON, street.stage.key.reveal(), Value::Null).await, [""; 0]);
    let stored = street.stored(6).await;
    let (user, event, properties, traits) = told();
    let bought = only(&stored, &event);
    assert_eq!((&bought.user_id, &json!(bought.occurred_at)), (&user, &story()["time"]));
    assert_eq!((&bought.properties, &bought.context["mp_lib"]), (&properties, &json!("python")));
    assert_eq!(only(&stored, "$set").properties, json!({"$set": traits}));
    assert_eq!(only(&stored, "$groupidentify").user_id, "company:acme");
    for event_type in ["visited", "left", "imported"] {
        assert_eq!(only(&stored, event_type).user_id, user);
    }
    assert!(!format!("{stored:?}").contains("mr_"), "no key is stored: {stored:?}");
}

#[actix_web::test]
async fn what_is_sent_again_because_its_answer_was_lost_is_stored_once() {
    for (script, events) in [(SCRIPT, 5), (PYTHON, 6)] {
        let street = Street::set().await;
        assert_eq!(street.run_spoilt(script, Spoil::Whole, Value::Null).await, [""; 0], "{script}");
        street.stored(events).await;
    }
}

#[actix_web::test]
async fn what_is_refused_while_the_log_is_away_is_sent_again() {
    let street = Street::set().await;
    assert_eq!(street.run_refused(PYTHON, Value::Null).await, [""; 0]);
    street.stored(6).await;
}

#[actix_web::test]
async fn a_wrong_key_is_an_error() {
    for script in [SCRIPT, PYTHON] {
        Street::set().await.run_with_a_wrong_key(script, Value::Null).await;
    }
}

#[actix_web::test]
async fn an_import_names_the_events_at_fault_and_takes_the_others() {
    let stage = Stage::set().await;
    let event = |user: Value, id: &str| json!({"event": "e", "properties": {"distinct_id": user, "time": 1_793_534_400, "$insert_id": id}});
    let lines = format!("{}\n{}\n", event(json!("ada"), "one"), event(json!([]), "two"));
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(lines.as_bytes()).unwrap();
    let request = stage.anonymous("/import?strict=1").basic_auth(stage.key.reveal(), Some(""));
    let request = request.header("Content-Encoding", "gzip").header("Content-Type", "application/x-ndjson");
    let (status, said) = answer(request.body(gzip.finish().unwrap())).await;
    assert_eq!((status, &said["num_records_imported"]), (400, &json!(1)));
    let failed = json!([{"index": 1, "$insert_id": "two", "field": "distinct_id", "message": "distinct_id must be a string"}]);
    assert_eq!(said["failed_records"], failed);

    let request = stage.anonymous("/import").basic_auth("nobody", Some("")).body("[]");
    let (status, said) = answer(request.header("Content-Type", "application/json")).await;
    assert_eq!((status, &said["code"]), (401, &json!(401)));
}

#[actix_web::test]
async fn a_verbose_track_says_why() {
    let stage = Stage::set().await;
    let path = format!("/track?verbose=1&data=%7B%22event%22%3A%22e%22%7D&api_key={}", stage.key.reveal());
    let said: Value = stage.get(&path).await.json().await.unwrap();
    assert_eq!(said, json!({"status": 0, "error": "distinct_id or $user_id or $device_id is missing"}));
    let said = stage.get(&path.replace("verbose=1&", "")).await.text().await.unwrap();
    assert_eq!(said, "0");

    let form = |data: &str| format!("ip=0&data={data}&verbose=1");
    let (status, said) = answer(stage.send_to("/track", form("%7B%22event%22%3A%22e%22%7D"))).await;
    assert_eq!((status, &said["error"]), (200, &json!("distinct_id or $user_id or $device_id is missing")));
    let (status, said) = answer(stage.send_to("/track", form("%21"))).await;
    assert_eq!((status, &said["status"]), (400, &json!(0)));
    let sound = "%7B%22event%22%3A%22e%22%2C%22properties%22%3A%7B%22distinct_id%22%3A%22ada%22%7D%7D";
    let (status, said) = answer(stage.send_to("/track", form(sound))).await;
    assert_eq!((status, said), (200, json!({"status": 1, "error": null})));
}
