//! What browsers are told.

use actix_web::{HttpResponse, web};
use reqwest::{Method, Response};

use crate::gateway::{Gateway, client, nobody, settings};
use crate::upstream::Upstream;

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_says_what_browsers_must_not_do_with_it() {
    let upstream = Upstream::mirror();
    let gateway = Gateway::before(upstream.address);
    for (path, status) in [("/api/v1/stats", 200), ("/nowhere", 404), ("/", 200), ("/api/v1/a/../b", 404)] {
        let answer = gateway.get(path).await;
        assert_eq!(answer.status(), status);
        let headers = answer.headers();
        let policy = headers["content-security-policy"].to_str().unwrap();
        assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"));
        assert!(!policy.contains("unsafe"));
        assert_eq!(headers["x-content-type-options"], "nosniff");
        assert_eq!(headers["referrer-policy"], "no-referrer");
        assert!(headers.contains_key("permissions-policy"));
        assert!(!headers.contains_key("strict-transport-security"), "there is no TLS here");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_knows_better_is_left_alone() {
    let upstream = Upstream::start(|service| {
        let page =
            || async { HttpResponse::Ok().insert_header(("content-security-policy", "theirs")).finish() };
        service.default_service(web::to(page));
    });
    let answer = Gateway::before(upstream.address).get("/api/v1/stats").await;
    assert_eq!(answer.headers().get_all("content-security-policy").iter().collect::<Vec<_>>(), ["theirs"]);
}

async fn preflight(gateway: &Gateway, path: &str, origin: &str) -> Response {
    client()
        .request(Method::OPTIONS, gateway.url(path))
        .header("origin", origin)
        .header("access-control-request-method", "POST")
        .header("access-control-request-headers", "authorization,content-type")
        .send()
        .await
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_other_origins_may_do_what_their_list_says() {
    let mut settings = settings(nobody());
    settings.cors_ingest = "*".parse().unwrap();
    settings.cors_api = "https://console.example".parse().unwrap();
    let gateway = Gateway::with(settings);
    let allowed = |answer: &Response| {
        answer.headers().get("access-control-allow-origin").map(|origin| origin.to_str().unwrap().to_owned())
    };
    for (path, origin, told) in [
        ("/api/v1/events", "https://shop.example", Some("https://shop.example")),
        ("/sourceConfig/", "https://shop.example", Some("https://shop.example")),
        ("/api/v1/stats/dau", "https://console.example", Some("https://console.example")),
        ("/api/v1/live/tickets", "https://console.example", Some("https://console.example")),
        ("/api/v1/live/tickets", "https://shop.example", None),
        ("/api/v1/stats/dau", "https://shop.example", None),
        ("/api/v1/auth/login", "https://console.example.evil.example", None),
        ("/api/v1/auth/login", "null", None),
    ] {
        let answer = preflight(&gateway, path, origin).await;
        assert_eq!(allowed(&answer).as_deref(), told, "{path} {origin}");
        assert_eq!(answer.status().is_success(), told.is_some(), "{path} {origin}");
        let credentials = answer.headers().contains_key("access-control-allow-credentials");
        // With cookies, which nobody looks at in ingest: some SDKs do not send without.
        assert_eq!(credentials, told.is_some());
    }
    let request = client().get(gateway.url("/api/v1/stats")).header("origin", "https://console.example");
    let answer = request.send().await.unwrap();
    assert_eq!(
        (answer.status().as_u16(), allowed(&answer).as_deref()),
        (503, Some("https://console.example"))
    );
    let exposed = answer.headers()["access-control-expose-headers"].to_str().unwrap();
    assert!(exposed.contains("ratelimit") && exposed.contains("x-request-id"), "{exposed}");
    assert!(answer.headers()["vary"].to_str().unwrap().to_lowercase().contains("origin"));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_list_no_page_of_another_origin_may_do_anything() {
    let upstream = Upstream::mirror();
    let gateway = Gateway::before(upstream.address);
    let answer = preflight(&gateway, "/api/v1/events", "https://shop.example").await;
    assert!(!answer.headers().contains_key("access-control-allow-origin"));
}
