//! The way to a provider and back.

use millrace_auth::registration::Registration;
use reqwest::Method;
use reqwest::header::{CACHE_CONTROL, SET_COOKIE};
use serde_json::{Value, json};

use super::browser::{Browser, PUBLIC, parameter};
use super::provider::{Honest, settings, stage_for};
use crate::stage::{Person, Stage, answer};

pub(crate) fn ada() -> Value {
    json!({"sub": "ada-at-the-provider", "email": "Ada@Example.com", "email_verified": true, "name": "Ada Lovelace"})
}

#[actix_web::test]
async fn whoever_signs_in_with_the_provider_has_an_account_from_then_on() {
    let provider = Honest::start().await;
    let stage = provider.stage().await;
    let mut browser = Browser::open();
    let first = browser.travel(&stage, &ada()).await;
    assert_eq!((first.status, &first.body["token_type"]), (200, &json!("bearer")), "{}", first.body);
    assert!(browser.cookies().is_empty(), "what bound the sign-in is forgotten");

    let signed_in = Person::granted(&first.body);
    let (_, me) = stage.get("/api/v1/auth/me", &signed_in).await;
    assert_eq!((&me["email"], &me["full_name"]), (&json!("ada@example.com"), &json!("Ada Lovelace")));
    let again = Person::granted(&Browser::open().travel(&stage, &ada()).await.body);
    assert_eq!(stage.get("/api/v1/auth/me", &again).await.1, me, "the same account");

    let (_, sessions) = stage.get("/api/v1/auth/sessions", &again).await;
    assert_eq!(sessions["data"].as_array().unwrap().len(), 2);
    let body = json!({"refresh_token": again.refresh});
    assert_eq!(answer(stage.to(Method::POST, "/api/v1/auth/refresh").json(&body)).await.0, 200);
    let metrics = stage.to(Method::GET, "/metrics").send().await.unwrap().text().await.unwrap();
    assert!(metrics.contains("auth_logins_total{result=\"success\"}"), "{metrics}");
    assert!(metrics.contains("auth_provider_logins_total{result=\"success\"}"), "{metrics}");
}

#[actix_web::test]
async fn the_provider_is_asked_as_the_standards_say() {
    let provider = Honest::start().await;
    let stage = provider.stage().await;
    let response = Browser::open().ask(&stage, "/api/v1/auth/google?return_to=/projects").await;
    let kept = response.headers()[CACHE_CONTROL].to_str().unwrap();
    assert_eq!((response.status().as_u16(), kept), (302, "no-store"));
    let cookie = response.headers()[SET_COOKIE].to_str().unwrap();
    for part in ["millrace_oidc=", "; HttpOnly", "; SameSite=Lax", "; Max-Age=600"] {
        assert!(cookie.contains(part), "{cookie}");
    }
    let at = response.headers()["location"].to_str().unwrap().parse().unwrap();
    for (name, value) in [
        ("response_type", "code"),
        ("client_id", "millrace"),
        ("scope", "openid email profile"),
        ("code_challenge_method", "S256"),
        ("redirect_uri", "http://millrace.test/api/v1/auth/oidc/callback"),
    ] {
        assert_eq!(parameter(&at, name).as_deref(), Some(value), "{at}");
    }
    let mut secrets = ["state", "nonce", "code_challenge"].map(|name| parameter(&at, name).unwrap());
    assert!(secrets.iter().all(|secret| secret.len() == 43), "256 bits each: {at}");
    secrets.sort();
    assert!(secrets.windows(2).all(|pair| pair[0] != pair[1]));
    assert!(!secrets.iter().any(|secret| cookie.contains(secret.as_str())));
    let another = Browser::open().begin(&stage).await;
    assert_ne!(parameter(&another, "state"), parameter(&at, "state"));
}

#[actix_web::test]
async fn every_name_of_the_routes_does_the_same() {
    let provider = Honest::start().await;
    let stage = provider.stage().await;
    for (begin, end) in [
        ("/api/v1/auth/google", "/api/v1/auth/google/callback"),
        ("/auth/google", "/auth/google/callback"),
        ("/api/v1/auth/oidc", "/api/v1/auth/oidc/callback"),
    ] {
        let mut browser = Browser::open();
        let at = browser.begin_at(&stage, begin).await;
        let callback = browser.sign_in(at, &ada()).await;
        let seen = browser.look(&stage, &format!("{end}?{}", callback.query().unwrap())).await;
        assert_eq!(seen.status, 200, "{begin}: {}", seen.body);
    }
}

#[actix_web::test]
async fn a_browser_ends_where_it_wanted_to_go_with_a_session_in_a_cookie() {
    let provider = Honest::start().await;
    let stage = provider.stage().await;
    let mut browser = Browser::open();
    let at = browser.begin_at(&stage, "/api/v1/auth/google?session=cookie&return_to=/projects").await;
    let callback = browser.sign_in(at, &ada()).await;
    let response = browser.ask(&stage, callback.as_str().strip_prefix(PUBLIC).unwrap()).await;
    assert_eq!(response.status(), 303);
    assert_eq!(response.headers()["location"], "/projects");
    assert_eq!(response.text().await.unwrap(), "", "what is in the cookie is nowhere else");
    assert_eq!(browser.cookies(), ["millrace_csrf", "millrace_session"]);

    let seen = browser.look(&stage, "/api/v1/auth/google?session=tab").await;
    assert_eq!((seen.status, &seen.body["errors"][0]["field"]), (422, &json!("session")));
}

#[actix_web::test]
async fn where_registration_is_closed_a_provider_opens_it_for_nobody() {
    let provider = Honest::start().await;
    let mut stage = provider.stage().await;
    let settings = settings(&provider.issuer, Default::default());
    stage
        .restart_with(|config| {
            config.openid = Some(settings);
            config.registration = Registration::Closed;
        })
        .await;
    let seen = Browser::open().travel(&stage, &ada()).await;
    assert_eq!((seen.status, &seen.body["code"]), (403, &json!("registration_closed")));
    stage.person("ada").await;
    assert_eq!(Browser::open().travel(&stage, &ada()).await.status, 200, "who has an account may sign in");
}

#[actix_web::test]
async fn whoever_wanted_to_go_somewhere_is_told_where_and_never_elsewhere() {
    let provider = Honest::start().await;
    let stage = provider.stage().await;
    let mut browser = Browser::open();
    let at = browser.begin_at(&stage, "/api/v1/auth/oidc?return_to=%2Fprojects%3Ftab%3Dkeys").await;
    assert!(!at.as_str().contains("projects"), "it is none of the provider's business");
    let callback = browser.sign_in(at, &ada()).await;
    let seen = browser.come_back(&stage, &callback).await;
    assert_eq!((seen.status, &seen.body["return_to"]), (200, &json!("/projects?tab=keys")));
    for elsewhere in ["//evil.com", "https://evil.com", "/%5Cevil.com", "/%09/evil.com", "evil", "/%0d%0aX:y"]
    {
        let seen = browser.look(&stage, &format!("/api/v1/auth/oidc?return_to={elsewhere}")).await;
        assert_eq!(
            (seen.status, &seen.body["errors"][0]["field"]),
            (422, &json!("return_to")),
            "{elsewhere}"
        );
    }
}

#[actix_web::test]
async fn every_algorithm_with_a_public_half_will_do() {
    for alg in ["ES256", "EdDSA"] {
        let provider = Honest::with(json!({"alg": alg})).await;
        let stage = provider.stage().await;
        let seen = Browser::open().travel(&stage, &ada()).await;
        assert_eq!(seen.status, 200, "{alg}: {}", seen.body);
    }
}

#[actix_web::test]
async fn a_provider_may_keep_addresses_out_of_its_tokens() {
    let provider = Honest::with(json!({"claims_in_id_token": false})).await;
    let stage = provider.stage().await;
    let seen = Browser::open().travel(&stage, &ada()).await;
    assert_eq!(seen.status, 200, "{}", seen.body);
    let (_, me) = stage.get("/api/v1/auth/me", &Person::granted(&seen.body)).await;
    assert_eq!((&me["email"], &me["full_name"]), (&json!("ada@example.com"), &json!("Ada Lovelace")));
}

#[actix_web::test]
async fn whoever_changes_their_mind_is_not_signed_in() {
    let provider = Honest::start().await;
    let stage = provider.stage().await;
    let mut browser = Browser::open();
    let at = browser.begin(&stage).await;
    let callback = browser.decline(at).await;
    assert_eq!(parameter(&callback, "error").as_deref(), Some("access_denied"));
    let seen = browser.come_back(&stage, &callback).await;
    assert_eq!(seen.refusal(), (403, "the sign-in was cancelled"));
    assert_eq!(browser.travel(&stage, &ada()).await.status, 200, "and may change it again");
}

#[actix_web::test]
async fn people_are_told_which_provider_there_is() {
    let nowhere = "http://127.0.0.1:1";
    let stage = stage_for(nowhere, "").await;
    let (status, shown) = answer(stage.to(Method::GET, "/api/v1/auth/oidc/provider")).await;
    assert_eq!((status, shown), (200, json!({"name": "The provider", "issuer": nowhere})));
    let unconfigured = Stage::set().await;
    for path in ["google", "google/callback?state=a&code=b", "oidc", "oidc/callback", "oidc/provider"] {
        let (status, problem) = answer(unconfigured.to(Method::GET, &format!("/api/v1/auth/{path}"))).await;
        assert_eq!((status, &problem["code"]), (404, &json!("not_found")));
        assert!(problem["detail"].as_str().unwrap().contains("not configured"), "{problem}");
    }
}

#[actix_web::test]
async fn with_redis_away_nobody_begins_and_passwords_go_on() {
    let provider = Honest::start().await;
    let stage = provider.stage().await;
    let bob = stage.person("bob").await;
    let mut browser = Browser::open();
    let at = browser.begin(&stage).await;
    let callback = browser.sign_in(at, &ada()).await;
    stage.redis_wire.cut();
    for path in ["/api/v1/auth/oidc", callback.as_str().strip_prefix(super::browser::PUBLIC).unwrap()] {
        let seen = browser.look(&stage, path).await;
        assert_eq!((seen.status, seen.retry_after), (503, true), "{}", seen.body);
    }
    assert_eq!(stage.login(&bob.email, crate::stage::PASSWORD).await.0, 200);
    stage.redis_wire.mend();
    millrace_testkit::wait::until("people can sign in", async || {
        Browser::open().look(&stage, "/api/v1/auth/oidc").await.status == 302
    })
    .await;
    assert_eq!(browser.come_back(&stage, &callback).await.status, 200, "what was begun can be finished");
}

#[actix_web::test]
async fn with_the_provider_away_everything_else_goes_on() {
    let provider = Honest::start().await;
    let stage = provider.stage().await;
    let bob = stage.person("bob").await;
    let mut browser = Browser::open();
    let at = browser.begin(&stage).await;
    let callback = browser.sign_in(at, &ada()).await;
    drop(provider);
    millrace_testkit::wait::until("the provider is gone", async || {
        let probe = browser_probe(&callback).await;
        probe.is_err()
    })
    .await;
    let seen = browser.come_back(&stage, &callback).await;
    assert_eq!((seen.status, seen.retry_after), (503, true), "{}", seen.body);
    assert!(!seen.body.to_string().contains("127.0.0.1"), "the cause is for the log: {}", seen.body);
    assert_eq!(stage.login(&bob.email, crate::stage::PASSWORD).await.0, 200);
    assert_eq!(answer(stage.to(Method::GET, "/health/ready")).await.0, 200);
}

/// Whether whoever sent this answer still listens.
async fn browser_probe(callback: &oauth2::url::Url) -> std::io::Result<tokio::net::TcpStream> {
    let issuer: oauth2::url::Url = parameter(callback, "iss").unwrap().parse().unwrap();
    tokio::net::TcpStream::connect((issuer.host_str().unwrap(), issuer.port().unwrap())).await
}
