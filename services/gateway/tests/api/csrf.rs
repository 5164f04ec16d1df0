//! What changes something must come from a page of ours.

use reqwest::Method;
use serde_json::json;

use crate::browser::{Browser, ME};
use crate::stage::{PASSWORD, Stage};

const PROJECTS: &str = "/api/v1/projects";

#[tokio::test(flavor = "multi_thread")]
async fn a_change_must_carry_the_csrf_token_of_its_session() {
    let stage = Stage::set().await;
    let gateway = stage.gateway();
    let (email, _) = stage.person("ada").await;
    let (browser, other) = (Browser::of(&gateway, &email).await, Browser::of(&gateway, &email).await);
    let right = browser.csrf();
    let wrong = [String::new(), "x".repeat(43), right[..42].to_owned(), format!("{right}x"), other.csrf()];
    let try_with = async |csrf: Option<&String>| {
        let mut request = browser.request(Method::POST, PROJECTS).json(&json!({"name": "Shop"}));
        if let Some(csrf) = csrf {
            request = request.header("X-CSRF-Token", csrf);
        }
        browser.take(request.send().await.unwrap()).await
    };
    for csrf in wrong.iter().map(Some).chain([None]) {
        let answer = try_with(csrf).await;
        assert_eq!((answer.status, answer.code()), (403, "csrf"), "{csrf:?}");
        assert_eq!(answer.body["type"], "urn:millrace:problem:csrf");
        assert!(!answer.clears(), "the session goes on");
    }
    assert!(browser.get(PROJECTS).await.body["data"].as_array().unwrap().is_empty(), "nothing was made");
    assert_eq!(try_with(Some(&right)).await.status, 201);

    for method in [Method::PUT, Method::PATCH, Method::DELETE, Method::from_bytes(b"PURGE").unwrap()] {
        let answer = browser.take(browser.request(method, PROJECTS).send().await.unwrap()).await;
        assert_eq!((answer.status, answer.code()), (403, "csrf"));
    }
    assert_eq!(browser.request(Method::HEAD, ME).send().await.unwrap().status(), 200, "reads pass");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_sites_page_changes_nothing_even_with_the_token() {
    let stage = Stage::set().await;
    let gateway = stage.gateway();
    let (email, _) = stage.person("ada").await;
    let browser = Browser::of(&gateway, &email).await;
    let ours = gateway.url("");
    for (name, value, status) in [
        ("Origin", "https://evil.example", 403),
        ("Origin", "null", 403),
        ("Sec-Fetch-Site", "cross-site", 403),
        ("Sec-Fetch-Site", "same-site", 403),
        ("Sec-Fetch-Site", "same-origin", 201),
        ("Origin", ours.as_str(), 201),
    ] {
        let request = browser.request(Method::POST, PROJECTS).header("X-CSRF-Token", browser.csrf());
        let answer = request.header(name, value).json(&json!({"name": "Shop"})).send().await.unwrap();
        assert_eq!(answer.status(), status, "{name}: {value}");
    }
    // It may link to ours, and cannot read what it gets.
    let linked = browser.request(Method::GET, ME).header("Sec-Fetch-Site", "cross-site");
    assert_eq!(linked.send().await.unwrap().status(), 200);
    // A WebSocket is opened with a GET, and whoever opens it reads it.
    let socket = browser.request(Method::GET, ME).header("Origin", "https://evil.example");
    let socket = socket.header("Connection", "Upgrade").header("Upgrade", "websocket");
    assert_eq!(socket.send().await.unwrap().status(), 403);
}

#[tokio::test(flavor = "multi_thread")]
async fn programs_are_not_asked_for_it() {
    let stage = Stage::set().await;
    let gateway = stage.gateway();
    let (email, _) = stage.person("ada").await;
    let browser = Browser::of(&gateway, &email).await;
    let body = json!({"email": email, "password": PASSWORD});
    let login = browser.request(Method::POST, "/api/v1/auth/login").json(&body).send().await.unwrap();
    let granted: serde_json::Value = login.json().await.unwrap();
    let token = granted["access_token"].as_str().unwrap();
    // With the cookie of a session beside it, and from wherever.
    let request = browser.request(Method::POST, PROJECTS).header("Origin", "https://elsewhere.example");
    let request = request.bearer_auth(token).json(&json!({"name": "Shop"}));
    assert_eq!(request.send().await.unwrap().status(), 201);
    let request =
        browser.request(Method::POST, PROJECTS).header("X-Api-Key", "mr_x").json(&json!({"name": "Shop"}));
    assert_eq!(request.send().await.unwrap().status(), 401, "the key decides, not the cookie beside it");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_can_ask_for_its_token_again() {
    let stage = Stage::set().await;
    let gateway = stage.gateway();
    let (email, _) = stage.person("ada").await;
    let browser = Browser::of(&gateway, &email).await;
    let answer = browser.get("/api/v1/auth/csrf").await;
    assert_eq!((answer.status, &answer.body), (200, &json!({"csrf_token": browser.csrf()})));
    assert_eq!(answer.headers["cache-control"], "no-store");
    assert_eq!(Browser::before(&gateway).get("/api/v1/auth/csrf").await.status, 401);
}
