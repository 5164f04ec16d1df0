//! Who may make an account, and how often.

use millrace_auth::registration::Registration;
use reqwest::header::RETRY_AFTER;
use reqwest::{Method, Response};
use serde_json::{Value, json};

use crate::stage::{PASSWORD, Stage};

impl Stage {
    async fn register_from(&self, address: &str, email: &str) -> Response {
        let body = json!({"email": email, "password": PASSWORD});
        let request = self.to(Method::POST, "/api/v1/auth/register").header("x-forwarded-for", address);
        request.json(&body).send().await.unwrap()
    }
}

#[actix_web::test]
async fn where_registration_is_closed_operators_make_the_accounts() {
    let stage = Stage::with(|config| config.registration = Registration::Closed).await;
    let response = stage.register_from("192.0.2.1", "ada@example.com").await;
    assert_eq!(response.status().as_u16(), 403);
    let problem: Value = response.json().await.unwrap();
    assert_eq!(problem["code"], "registration_closed");
    assert!(problem["detail"].as_str().unwrap().contains("ask whoever runs this installation"), "{problem}");
    let bob = stage.person("bob").await;
    assert_eq!(stage.get("/api/v1/auth/me", &bob).await.0, 200, "whoever has an account signs in");
}

#[actix_web::test]
async fn an_address_makes_no_more_accounts_than_it_may() {
    let stage = Stage::with(|config| config.registration_limit = 3).await;
    for email in ["ada@example.com", "bob@example.com", "ada@example.com"] {
        let status = stage.register_from("192.0.2.9", email).await.status().as_u16();
        assert!([201, 409].contains(&status), "{status}");
    }
    let response = stage.register_from("192.0.2.9", "carol@example.com").await;
    assert_eq!(response.status().as_u16(), 429, "whoever asks who has an account is counted, too");
    let headers = response.headers().clone();
    assert_eq!(headers["ratelimit-policy"], r#""registration";q=3;w=3600"#);
    let wait: u64 = headers[RETRY_AFTER].to_str().unwrap().parse().unwrap();
    assert!((3_500..=3_600).contains(&wait), "{wait}");
    assert_eq!(stage.register_from("192.0.2.8", "carol@example.com").await.status().as_u16(), 201);
}
