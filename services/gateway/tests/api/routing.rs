//! Who answers what.

use actix_web::{HttpRequest, web};
use millrace_gateway::browser_session::FOR_ANYBODY;
use serde_json::Value;

use crate::gateway::{Gateway, client, nobody, settings};
use crate::upstream::Upstream;

fn named(name: &'static str) -> Upstream {
    Upstream::start(move |service| {
        let answer = move |request: HttpRequest| async move {
            format!("{name}: {} {}", request.method(), request.uri())
        };
        service.default_service(web::to(answer));
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn each_path_goes_to_its_service() {
    let (auth, ingest, analytics) = (named("auth"), named("ingest"), named("analytics"));
    let mut settings = settings(nobody());
    settings.origins.auth = format!("http://{}", auth.address).parse().unwrap();
    settings.origins.ingest = format!("http://{}", ingest.address).parse().unwrap();
    settings.origins.analytics = format!("http://{}", analytics.address).parse().unwrap();
    let gateway = Gateway::with(settings);
    for (name, method, path) in [
        ("ingest", "POST", "/api/v1/events?strict=true"),
        ("auth", "POST", "/api/v1/auth/login"),
        ("auth", "DELETE", "/api/v1/projects/7/keys/8"),
        ("auth", "GET", "/.well-known/jwks.json"),
        ("analytics", "GET", "/api/v1/stats/top-events?from=2026-11-01"),
        ("analytics", "POST", "/api/v1/stats"),
        ("analytics", "GET", "/api/v1/stats/a%2Fb%20c/events"),
        ("analytics", "OPTIONS", "/api/v1/event-types"),
    ] {
        let request = client().request(method.parse().unwrap(), gateway.url(path));
        let answer = request.send().await.unwrap().text().await.unwrap();
        assert_eq!(answer, format!("{name}: {method} {path}"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_path_that_a_service_publishes_goes_to_it() {
    let (auth, ingest, analytics) = (named("auth"), named("ingest"), named("analytics"));
    let mut settings = settings(nobody());
    settings.origins.auth = format!("http://{}", auth.address).parse().unwrap();
    settings.origins.ingest = format!("http://{}", ingest.address).parse().unwrap();
    settings.origins.analytics = format!("http://{}", analytics.address).parse().unwrap();
    let gateway = Gateway::with(settings);
    for service in ["auth", "ingest", "analytics"] {
        let file = format!("{}/../../docs/openapi/{service}.json", env!("CARGO_MANIFEST_DIR"));
        let document: Value = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
        let paths = document["paths"].as_object().unwrap();
        assert!(!paths.is_empty(), "{service} publishes something");
        for path in paths.keys() {
            let path = path.replace(['{', '}'], "");
            let answer = gateway.get(&path).await.text().await.unwrap();
            assert_eq!(answer, format!("{service}: GET {path}"));
        }
    }
}

/// Or whoever holds a cookie that has ended could not sign in.
#[test]
fn a_cookie_is_not_looked_at_where_nobody_is_asked_who_they_are() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/openapi/auth.json");
    let document: Value = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    let mut checked = 0;
    for (path, operations) in document["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            let for_anybody = operation.get("security").is_none();
            assert_eq!(FOR_ANYBODY.contains(&path.as_str()), for_anybody, "{method} {path}");
            checked += 1;
        }
    }
    assert!(checked > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_path_that_is_nobodys_is_not_found() {
    let gateway = Gateway::before(nobody());
    for path in ["/api/v1/eventsx", "/api/v2/events", "/api", "/admin"] {
        let answer = gateway.get(path).await;
        assert_eq!(answer.status(), 404);
        assert_eq!(answer.headers()["content-type"], "application/problem+json");
        let id = answer.headers()["x-request-id"].to_str().unwrap().to_owned();
        let problem: Value = answer.json().await.unwrap();
        assert_eq!(problem["code"], "not_found");
        assert_eq!(problem["request_id"], id);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_its_own_can_be_asked_for_its_head_and_for_nothing_else() {
    let gateway = Gateway::before(nobody());
    for path in ["/", "/docs/", "/api/v1/openapi.json", "/health", "/health/live", "/metrics"] {
        let whole = gateway.get(path).await;
        let (status, length) = (whole.status(), whole.headers().get("content-length").cloned());
        let head = client().head(gateway.url(path)).send().await.unwrap();
        assert_eq!(head.status(), status, "{path}");
        if path != "/health" && path != "/metrics" {
            assert!(length.is_some(), "{path}");
            assert_eq!(head.headers().get("content-length"), length.as_ref(), "{path}");
        }
        assert_eq!(head.bytes().await.unwrap().len(), 0, "{path}");
    }
    for (method, path, allow) in [
        ("POST", "/", "GET, HEAD"),
        ("DELETE", "/api/v1/openapi.json", "GET, HEAD"),
        ("PUT", "/api/v1/notifications", "GET, HEAD"),
        ("GET", "/api/v1/live/tickets", "POST"),
        ("HEAD", "/api/v1/live", "GET"),
    ] {
        let refused = client().request(method.parse().unwrap(), gateway.url(path)).send().await.unwrap();
        assert_eq!(
            (refused.status().as_u16(), refused.headers()["allow"].to_str().unwrap()),
            (405, allow),
            "{path}"
        );
        assert_eq!(refused.headers()["content-type"], "application/problem+json", "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_for_the_head_alone_is_passed_on_as_that() {
    let analytics = Upstream::start(|service| {
        service.default_service(web::to(|request: HttpRequest| async move {
            actix_web::HttpResponse::Ok()
                .insert_header(("x-method", request.method().as_str()))
                .body("a body")
        }));
    });
    let gateway = Gateway::before(analytics.address);
    let head = client().head(gateway.url("/api/v1/stats/dau")).send().await.unwrap();
    assert_eq!(
        (&head.headers()["x-method"], &head.headers()["content-length"]),
        (&"HEAD".parse().unwrap(), &"6".parse().unwrap())
    );
    assert_eq!(head.bytes().await.unwrap().len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_bare_address_says_what_this_is() {
    let gateway = Gateway::before(nobody());
    let welcome: Value = gateway.get("/").await.json().await.unwrap();
    assert_eq!(welcome["name"], "millrace");
    assert_eq!(welcome["links"]["health"], "/health");
}
