//! How often a client may ask, and how it is told.

use actix_web::{HttpResponse, web};
use millrace_domain::rate::{Limit, Period, Rate};
use millrace_gateway::config::Config;
use millrace_security::api_key::ApiKey;
use millrace_testkit::redis::TestRedis;
use reqwest::Response;
use serde_json::Value;

use crate::gateway::{Gateway, client, nobody, settings};
use crate::upstream::Upstream;

/// So slow that nothing comes back while a test is running.
fn slow(burst: u32) -> Limit {
    Limit(Rate::new(1, Period::Hour, burst))
}

fn limited(upstream: &Upstream, redis: &TestRedis) -> Config {
    Config { redis_url: Some(redis.url().to_owned()), api_limit: slow(5), ..settings(upstream.address) }
}

async fn ask(gateway: &Gateway, path: &str, key: &ApiKey) -> Response {
    client().get(gateway.url(path)).bearer_auth(key.reveal()).send().await.unwrap()
}

/// The first so many answers, as statuses.
async fn statuses(gateway: &Gateway, times: u32, key: &ApiKey) -> Vec<u16> {
    let mut statuses = Vec::new();
    for _ in 0..times {
        statuses.push(ask(gateway, "/api/v1/stats", key).await.status().as_u16());
    }
    statuses
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_sees_what_is_left_and_is_refused_when_nothing_is() {
    let (upstream, redis) = (Upstream::mirror(), TestRedis::isolated().await);
    let gateway = Gateway::with(limited(&upstream, &redis));
    let key = ApiKey::generate().unwrap();
    for left in [4, 3, 2, 1, 0] {
        let answer = ask(&gateway, "/api/v1/stats", &key).await;
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.headers()["ratelimit-policy"], r#""api";q=5;w=18000"#);
        assert_eq!(answer.headers()["ratelimit"], format!(r#""api";r={left};t=3600"#));
    }
    let answer = ask(&gateway, "/api/v1/stats", &key).await;
    assert_eq!(answer.status(), 429);
    assert_eq!(answer.headers()["ratelimit"], r#""api";r=0;t=3600"#);
    assert_eq!(answer.headers()["retry-after"], "3600");
    let problem: Value = answer.json().await.unwrap();
    assert_eq!(problem["code"], "too_many_requests");

    let other = ApiKey::generate().unwrap();
    assert_eq!(statuses(&gateway, 1, &other).await, [200], "others are none the worse for it");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_none_tells_what_is_left_too() {
    let gateway = Gateway::with(Config { api_limit: slow(5), ..settings(nobody()) });
    let answer = gateway.get("/api/v1/stats").await;
    assert_eq!(answer.status(), 503);
    assert_eq!(answer.headers()["ratelimit"], r#""api";r=4;t=3600"#);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_gateways_count_together() {
    let (upstream, redis) = (Upstream::mirror(), TestRedis::isolated().await);
    let gateways = [0, 1].map(|_| Gateway::with(limited(&upstream, &redis)));
    let key = ApiKey::generate().unwrap();
    assert_eq!(statuses(&gateways[0], 3, &key).await, [200; 3]);
    assert_eq!(statuses(&gateways[1], 3, &key).await, [200, 200, 429]);
    assert_eq!(statuses(&gateways[0], 1, &key).await, [429]);
}

#[tokio::test(flavor = "multi_thread")]
async fn with_redis_away_each_counts_for_itself() {
    let upstream = Upstream::mirror();
    let away = || {
        let redis_url = Some("redis://127.0.0.1:1".to_owned());
        Gateway::with(Config { redis_url, api_limit: slow(2), ..settings(upstream.address) })
    };
    let key = ApiKey::generate().unwrap();
    for gateway in [away(), away()] {
        assert_eq!(statuses(&gateway, 3, &key).await, [200, 200, 429]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn made_up_credentials_are_of_no_use() {
    let (upstream, redis) = (Upstream::mirror(), TestRedis::isolated().await);
    let gateway = Gateway::with(Config { address_limit: slow(7), ..limited(&upstream, &redis) });
    for asked in 0..9 {
        let answer = ask(&gateway, "/api/v1/stats", &ApiKey::generate().unwrap()).await;
        assert_eq!(answer.status(), if asked < 7 { 200 } else { 429 });
        if asked >= 7 {
            assert_eq!(answer.headers()["ratelimit-policy"], r#""address";q=7;w=25200"#);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_shows_nothing_is_an_address() {
    let (upstream, redis) = (Upstream::mirror(), TestRedis::isolated().await);
    let trusted_proxies = "127.0.0.0/8".parse().unwrap();
    let gateway = Gateway::with(Config { trusted_proxies, ..limited(&upstream, &redis) });
    let from = async |address: &str| {
        let request = client().get(gateway.url("/api/v1/stats")).header("x-forwarded-for", address);
        request.send().await.unwrap().status().as_u16()
    };
    for _ in 0..5 {
        assert_eq!(from("203.0.113.7").await, 200);
        assert_eq!(from("2001:db8::1").await, 200);
    }
    assert_eq!(from("203.0.113.7").await, 429);
    assert_eq!(from("2001:db8::2").await, 429, "it has the whole network");
    assert_eq!(from("203.0.113.8").await, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn people_who_share_an_address_are_told_apart_by_their_cookies() {
    let gateway = Gateway::with(Config { api_limit: slow(5), ..settings(nobody()) });
    for (cookie, left) in [("ada", 4), ("ada", 3), ("bob", 4)] {
        let request = client().get(gateway.url("/api/v1/stats"));
        let answer = request.header("cookie", format!("millrace_session={cookie}")).send().await.unwrap();
        assert_eq!(answer.headers()["ratelimit"], format!(r#""api";r={left};t=3600"#));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_counted_elsewhere_is_not_counted_here() {
    let upstream = Upstream::start(|service| {
        let locked =
            || async { HttpResponse::TooManyRequests().insert_header(("ratelimit", "theirs")).finish() };
        service.route("/api/v1/auth/login", web::post().to(locked));
        service.default_service(web::to(|| async { "fine" }));
    });
    let gateway = Gateway::with(Config { api_limit: slow(1), ..settings(upstream.address) });
    for _ in 0..3 {
        assert_eq!(gateway.get("/health/live").await.status(), 200);
        assert_eq!(gateway.get("/metrics").await.status(), 200);
        assert_eq!(gateway.get("/api/v1/events").await.status(), 200);
        let login = client().post(gateway.url("/api/v1/auth/login")).send().await.unwrap();
        assert_eq!(login.headers()["ratelimit"], "theirs");
    }
    assert_eq!(gateway.get("/api/v1/stats").await.status(), 200);
    assert_eq!(gateway.get("/api/v1/stats").await.status(), 429);
}
