use futures_util::future::join_all;
use millrace_testkit::story::did;
use serde_json::json;

use crate::stage::{Stage, answer};

#[actix_web::test]
async fn small_requests_share_messages_and_each_gets_its_own_verdict() {
    let stage = Stage::set().await;
    let requests = (0..300).map(|n| {
        let event = did(&format!("user-{n}"), "login", "2026-11-01T12:00:00Z").json();
        answer(stage.send(json!([event]).to_string()))
    });
    for (status, verdicts) in join_all(requests).await {
        assert_eq!((status, &verdicts["accepted"]), (202, &json!(1)));
    }
    let messages = stage.messages_in_the_log().await;
    assert!(messages < 300, "300 requests made {messages} messages");

    let _worker = stage.hire_a_worker().await;
    millrace_testkit::wait::until("every event is stored", async || stage.stored().await == 300).await;
}
