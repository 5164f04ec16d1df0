use millrace_testkit::proxy::Spoil;
use serde_json::{Value, json};

use super::{Street, only, story, told};
use crate::stage::{Stage, answer};

const SCRIPT: &str = "cloudevents_python.py";

#[actix_web::test]
async fn what_the_python_sdk_makes_is_stored_in_all_modes() {
    let street = Street::set().await;
    assert_eq!(street.run(SCRIPT, street.stage.key.reveal(), Value::Null).await, [""; 0]);
    let stored = street.stored(4).await;
    let (user, event, properties, _) = told();
    for event in &stored {
        assert_eq!(
            (&json!(event.occurred_at), &event.properties),
            (&story()["time"], &properties),
            "{event:?}"
        );
        assert_eq!((&event.context["source"], &event.context["subject"]), (&json!("/shop/ü"), &json!(user)));
    }
    assert_eq!(only(&stored, &event).user_id, user);
    assert_eq!(only(&stored, &event).context["locale"], "de-CH");
    assert_eq!(only(&stored, "structured").user_id, user);
    let batched: Vec<_> = stored.iter().filter(|event| event.event_type == "batched").collect();
    assert_eq!(batched.iter().map(|event| event.user_id.as_str()).collect::<Vec<_>>(), ["one", "two"]);
}

#[actix_web::test]
async fn what_is_sent_again_because_its_answer_was_lost_is_stored_once() {
    let street = Street::set().await;
    assert_eq!(street.run_spoilt(SCRIPT, Spoil::Whole, Value::Null).await, [""; 0]);
    street.stored(4).await;
}

#[actix_web::test]
async fn a_wrong_key_is_an_error() {
    Street::set().await.run_with_a_wrong_key(SCRIPT, Value::Null).await;
}

#[actix_web::test]
async fn each_mode_says_what_is_wrong() {
    let stage = Stage::set().await;
    let send = |media: &str, body: &'static str| {
        stage.send_to("/api/v1/cloudevents", body).header("Content-Type", media)
    };
    let (status, said) = answer(send("application/cloudevents+json", "{}")).await;
    assert_eq!((status, &said["errors"][0]["message"]), (422, &json!("id is missing")));
    let (status, said) = answer(send("application/cloudevents-batch+json", "[]")).await;
    assert_eq!((status, &said["accepted"]), (202, &json!(0)));
    assert_eq!(answer(send("application/cloudevents+xml", "<x/>")).await.0, 415);
    assert_eq!(answer(send("application/cloudevents-batch+json", "{}")).await.0, 400);
    let (status, said) = answer(send("application/json", "{}")).await;
    assert_eq!((status, &said["errors"][0]["field"]), (422, &json!("id")), "no ce- headers: no event");
    let token = format!("/api/v1/cloudevents?access_token={}", stage.key.reveal());
    let batch = stage.anonymous(&token).header("Content-Type", "application/cloudevents-batch+json");
    assert_eq!(answer(batch.body("[]")).await.0, 202);
}

#[actix_web::test]
async fn a_sender_may_ask_first_whether_it_may_send() {
    let stage = Stage::set().await;
    let (gateway, _open) = stage.open_a_gateway();
    let ask = |origin: Option<&'static str>| {
        let url = format!("{gateway}/api/v1/cloudevents");
        let request = reqwest::Client::new().request(reqwest::Method::OPTIONS, url);
        origin.into_iter().fold(request, |request, origin| request.header("WebHook-Request-Origin", origin))
    };
    let answer =
        ask(Some("eventemitter.example.com")).header("WebHook-Request-Rate", "120").send().await.unwrap();
    assert_eq!(answer.status(), 200);
    for (name, value) in [
        ("webhook-allowed-origin", "eventemitter.example.com"),
        ("webhook-allowed-rate", "*"),
        ("allow", "POST"),
    ] {
        assert_eq!(answer.headers()[name], value);
    }
    assert_eq!(ask(None).send().await.unwrap().status(), 400);
}
