use std::cell::RefCell;
use std::io::Write;
use std::time::Duration;

use millrace_messaging::broker::Broker;
use millrace_messaging::project_tables::{EVENT_LIMITS, EVENT_ORIGINS};
use millrace_testkit::story::did;
use millrace_testkit::wait;
use serde_json::json;

use crate::stage::{Stage, answer};

#[actix_web::test]
async fn ten_thousand_events_pass_and_one_more_does_not() {
    let stage = Stage::set().await;
    let events = |n: usize| {
        let all: Vec<_> = (0..n).map(|i| did(&format!("u{i}"), "e", "2026-11-01T12:00:00Z").json()).collect();
        json!(all).to_string()
    };
    let (status, verdicts) = answer(stage.send(events(10_000))).await;
    assert_eq!((status, &verdicts["accepted"]), (202, &json!(10_000)));
    let (status, problem) = answer(stage.send(events(10_001))).await;
    assert_eq!((status, &problem["code"]), (413, &json!("too_large")));
}

#[actix_web::test]
async fn ten_mebibytes_pass_and_more_do_not() {
    let stage = Stage::set().await;
    let spaces = |n: usize| format!("[{}]", " ".repeat(n - 2));
    assert_eq!(answer(stage.send(spaces(10 << 20))).await.0, 202);
    assert_eq!(answer(stage.send(spaces((10 << 20) + 1))).await.0, 413);
}

#[actix_web::test]
async fn a_bomb_is_refused_while_it_inflates() {
    let stage = Stage::set().await;
    let spaces = vec![b' '; 24 << 20];
    let mut brotli = Vec::new();
    brotli::BrotliCompress(&mut &spaces[..], &mut brotli, &Default::default()).unwrap();
    let zstd = zstd::encode_all(&spaces[..], 3).unwrap();
    for (encoding, body) in [("br", brotli), ("zstd", zstd)] {
        assert!(body.len() < 10_000, "the bomb is small on the wire");
        let (status, problem) = answer(stage.send(body).header("Content-Encoding", encoding)).await;
        assert_eq!((status, &problem["code"]), (413, &json!("too_large")), "{encoding}");
    }
}

#[actix_web::test]
async fn an_event_beyond_32_kib_is_refused_alone() {
    let stage = Stage::set().await;
    let large =
        did("ada", "e", "2026-11-01T12:00:00Z").with("properties", json!({"x": "y".repeat(33 * 1024)}));
    let body = json!([large.json(), did("bob", "e", "2026-11-01T12:00:00Z").json()]).to_string();
    let (status, verdicts) = answer(stage.send(body)).await;
    assert_eq!((status, &verdicts["accepted"]), (202, &json!(1)));
    assert_eq!(verdicts["errors"][0]["code"], "event_too_large");
}

#[actix_web::test]
async fn requests_beyond_the_memory_budget_are_told_to_come_again() {
    let stage = Stage::set().await;
    // Six requests that announce 10 MiB each and then dawdle take the 64 MiB of the budget but four. Others follow
    // them: a machine that is busy may have let the first ones go before it comes to the next request.
    let slow = RefCell::new(Vec::new());
    let (address, key) = (stage.address(), stage.key.reveal());
    let head = format!(
        "POST /api/v1/events HTTP/1.1\r\nHost: x\r\nX-Api-Key: {key}\r\nContent-Length: {}\r\n\r\n[",
        10 << 20
    );
    let dawdle = || {
        let mut connection = std::net::TcpStream::connect(address).unwrap();
        connection.write_all(head.as_bytes()).unwrap();
        slow.borrow_mut().push(connection);
    };
    millrace_testkit::wait::until("the budget is used up", async || {
        (0..6).for_each(|_| dawdle());
        let response = stage.send(vec![b' '; 9 << 20]).send().await.unwrap();
        response.status() == 503 && response.headers().contains_key("retry-after")
    })
    .await;
    assert_eq!(answer(stage.send("[]")).await.0, 202, "small requests still pass");
    slow.take();
    millrace_testkit::wait::until("the budget is free again", async || {
        stage.send(vec![b' '; 9 << 20]).send().await.unwrap().status() != 503
    })
    .await;
}

/// A stage whose shop may send this.
pub(crate) async fn limited(limit: &str) -> Stage {
    let stage = Box::pin(Stage::set()).await;
    let broker = Broker::connect(stage.nats.url(), "test", Duration::from_secs(2)).await.unwrap();
    EVENT_LIMITS.set(&broker, stage.shop, Some(&limit.parse().unwrap())).await.unwrap();
    wait::until("ingest knows", async || {
        stage.send("[]").send().await.unwrap().headers().contains_key("ratelimit-policy")
    })
    .await;
    stage
}

fn events(n: usize) -> String {
    let all: Vec<_> = (0..n).map(|i| did(&format!("u{i}"), "e", "2026-11-01T12:00:00Z").json()).collect();
    json!(all).to_string()
}

#[actix_web::test]
async fn a_project_sends_as_many_events_as_it_may() {
    let stage = limited("1/h burst 10").await;
    let answer = stage.send(events(7)).send().await.unwrap();
    assert_eq!(answer.status(), 202);
    assert_eq!(answer.headers()["ratelimit-policy"], r#""ingest";q=10;w=36000"#);
    assert_eq!(answer.headers()["ratelimit"], r#""ingest";r=3;t=3600"#);
    let answer = stage.send(events(5)).send().await.unwrap();
    assert_eq!((answer.status().as_u16(), &answer.headers()["retry-after"]), (429, &"7200".parse().unwrap()));
    assert_eq!(stage.messages_in_the_log().await, 1, "all of a request or nothing");
    assert_eq!(stage.send(events(3)).send().await.unwrap().status(), 202);
}

#[actix_web::test]
async fn what_may_be_sent_changes_while_ingest_runs() {
    let stage = limited("1/h burst 1").await;
    assert_eq!(stage.send(events(1)).send().await.unwrap().status(), 202);
    assert_eq!(stage.send(events(1)).send().await.unwrap().status(), 429);
    let broker = Broker::connect(stage.nats.url(), "test", Duration::from_secs(2)).await.unwrap();
    EVENT_LIMITS.set(&broker, stage.shop, None).await.unwrap();
    wait::until("anything may be sent", async || stage.send(events(1)).send().await.unwrap().status() == 202)
        .await;
    assert_eq!(stage.send(events(1_000)).send().await.unwrap().status(), 202);
}

#[actix_web::test]
async fn a_limit_outlives_redis() {
    let stage = limited("1/h burst 2").await;
    stage.redis_wire.cut();
    assert_eq!(stage.send(events(2)).send().await.unwrap().status(), 202);
    assert_eq!(stage.send(events(2)).send().await.unwrap().status(), 429);
}

#[actix_web::test]
async fn pages_of_origins_that_a_project_does_not_list_send_nothing() {
    let stage = Stage::set().await;
    let from = async |origin: &str| answer(stage.send(events(1)).header("Origin", origin)).await;
    assert_eq!(from("https://anywhere.example").await.0, 202, "without a list any page may");
    let broker = Broker::connect(stage.nats.url(), "test", Duration::from_secs(2)).await.unwrap();
    let listed = "https://shop.example".parse().unwrap();
    EVENT_ORIGINS.set(&broker, stage.shop, Some(&listed)).await.unwrap();
    wait::until("ingest knows", async || from("https://anywhere.example").await.0 == 403).await;
    let (_, problem) = from("null").await;
    assert_eq!(problem["code"], "origin_not_allowed");
    assert_eq!(from("https://shop.example").await.0, 202);
    assert_eq!(answer(stage.send(events(1))).await.0, 202, "what is no page names no origin");

    EVENT_ORIGINS.set(&broker, stage.shop, None).await.unwrap();
    wait::until("any page may again", async || from("https://anywhere.example").await.0 == 202).await;
}
