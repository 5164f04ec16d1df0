//! What the service and the client see of each other.

use actix_web::{HttpResponse, web};

use crate::gateway::{Gateway, client, settings};
use crate::raw::Wire;
use crate::upstream::Upstream;

#[tokio::test(flavor = "multi_thread")]
async fn what_concerns_a_connection_stays_on_it() {
    let upstream = Upstream::mirror();
    let gateway = Gateway::before(upstream.address);
    let mut client = Wire::to(gateway.address).await;
    client
        .send(
            "GET /api/v1/stats?limit=3&q=a%20b HTTP/1.1\r\nHost: events.example\r\nConnection: keep-alive, X-Hop\r\n\
             X-Hop: 1\r\nKeep-Alive: timeout=5\r\nTE: trailers\r\nProxy-Authorization: Basic eA==\r\n\
             Authorization: Bearer t\r\nX-Kept: a\r\nX-Kept: b\r\n\r\n",
        )
        .await;
    client.read_head().await;
    let seen = client.read_to("\n\n").await;
    assert!(seen.starts_with("GET /api/v1/stats?limit=3&q=a%20b\n"), "{seen}");
    for gone in [
        "connection:",
        "x-hop",
        "keep-alive",
        "te:",
        "proxy-authorization",
        "transfer-encoding",
        "content-length",
    ] {
        assert!(!seen.contains(&format!("\n{gone}")), "{gone} in {seen}");
    }
    for kept in ["authorization: Bearer t", "x-kept: a", "x-kept: b", &format!("host: {}", upstream.address)]
    {
        assert!(seen.contains(&format!("\n{kept}\n")), "{kept} not in {seen}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_service_is_told_where_a_request_came_from() {
    let upstream = Upstream::mirror();
    let spoofed = |gateway: &Gateway| {
        client()
            .get(gateway.url("/api/v1/stats"))
            .header("x-forwarded-for", "1.2.3.4")
            .header("x-forwarded-proto", "https")
            .header("forwarded", "for=1.2.3.4")
            .send()
    };
    let gateway = Gateway::before(upstream.address);
    let seen = spoofed(&gateway).await.unwrap().text().await.unwrap();
    let host = gateway.address;
    for line in [
        "x-forwarded-for: 127.0.0.1",
        "x-forwarded-proto: http",
        &format!("x-forwarded-host: {host}"),
        &format!("forwarded: for=127.0.0.1;host=\"{host}\";proto=http"),
    ] {
        assert!(seen.contains(&format!("\n{line}\n")), "{line} not in {seen}");
    }

    let mut trusting = settings(upstream.address);
    trusting.trusted_proxies = "127.0.0.0/8".parse().unwrap();
    let seen = spoofed(&Gateway::with(trusting)).await.unwrap().text().await.unwrap();
    for line in ["x-forwarded-for: 1.2.3.4, 127.0.0.1", "x-forwarded-proto: https"] {
        assert!(seen.contains(&format!("\n{line}\n")), "{line} not in {seen}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_id_names_the_request_on_both_sides() {
    let upstream = Upstream::mirror();
    let gateway = Gateway::before(upstream.address);
    for (sent, taken_over) in [("checkout-7", true), ("not well formed", false)] {
        let answer =
            client().get(gateway.url("/api/v1/stats")).header("x-request-id", sent).send().await.unwrap();
        let id = answer.headers()["x-request-id"].to_str().unwrap().to_owned();
        assert_eq!(id == sent, taken_over);
        let seen = answer.text().await.unwrap();
        assert_eq!(seen.matches("x-request-id: ").count(), 1);
        assert!(seen.contains(&format!("x-request-id: {id}\n")), "{seen}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_trace_goes_on() {
    let upstream = Upstream::mirror();
    let gateway = Gateway::before(upstream.address);
    let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let request =
        client().get(gateway.url("/api/v1/stats")).header("traceparent", trace).header("tracestate", "a=b");
    let seen = request.send().await.unwrap().text().await.unwrap();
    assert!(
        seen.contains(&format!("traceparent: {trace}\n")) && seen.contains("tracestate: a=b\n"),
        "{seen}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_of_the_service_is_passed_back_as_it_is() {
    const BODY: &str = r#"{"code":"invalid","errors":[{"field":"from"}]}"#;
    let upstream = Upstream::start(|service| {
        let refuse = || async {
            HttpResponse::UnprocessableEntity()
                .content_type("application/problem+json")
                .insert_header(("retry-after", "7"))
                .append_header(("set-cookie", "a=1"))
                .append_header(("set-cookie", "b=2"))
                .insert_header(("connection", "keep-alive, x-hop"))
                .insert_header(("x-hop", "1"))
                .body(BODY)
        };
        service.default_service(web::to(refuse));
    });
    let gateway = Gateway::before(upstream.address);
    let answer = gateway.get("/api/v1/stats/dau").await;
    assert_eq!(answer.status(), 422);
    assert_eq!(answer.headers()["content-type"], "application/problem+json");
    assert_eq!(answer.headers()["retry-after"], "7");
    let cookies: Vec<_> = answer.headers().get_all("set-cookie").iter().collect();
    assert_eq!(cookies, ["a=1", "b=2"]);
    assert!(answer.headers().contains_key("date"));
    assert_eq!(answer.text().await.unwrap(), BODY);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_waits_to_be_asked_is_asked_here() {
    let upstream = Upstream::mirror();
    let gateway = Gateway::before(upstream.address);
    let mut client = Wire::to(gateway.address).await;
    client
        .send("POST /api/v1/events HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 4\r\n\r\n")
        .await;
    assert!(client.read_head().await.starts_with("http/1.1 100"));
    client.send("body").await;
    assert!(client.read_head().await.starts_with("http/1.1 200"));
    let seen = client.read_to("body").await;
    assert!(seen.ends_with("\n\nbody") && !seen.contains("expect"), "{seen}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_for_another_protocol_is_answered_in_this_one() {
    let upstream = Upstream::mirror();
    let gateway = Gateway::before(upstream.address);
    let mut client = Wire::to(gateway.address).await;
    client
        .send("GET /api/v1/stats HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n")
        .await;
    assert!(client.read_head().await.starts_with("http/1.1 200"));
    let seen = client.read_to("\n\n").await;
    assert!(!seen.contains("upgrade") && !seen.contains("transfer-encoding"), "{seen}");
}
