//! A provider that lies, hangs, or points elsewhere.

use oauth2::url::Url;
use serde_json::{Value, json};

use super::browser::{Browser, Seen, parameter, with};
use super::provider::Hostile;
use crate::stage::{Person, Stage};

/// A sign-in with whatever the provider does.
async fn sign_in(stage: &Stage) -> Seen {
    let mut browser = Browser::open();
    let callback = callback(&mut browser, stage).await;
    browser.come_back(stage, &callback).await
}

async fn callback(browser: &mut Browser, stage: &Stage) -> Url {
    let at = browser.begin(stage).await;
    browser.sign_in(at, &Value::Null).await
}

async fn accounts(stage: &Stage) -> i64 {
    stage.database.client().await.query_one("SELECT count(*) FROM accounts", &[]).await.unwrap().get(0)
}

#[actix_web::test]
async fn a_token_that_lies_lets_nobody_in() {
    let provider = Hostile::start().await;
    let stage = provider.stage().await;
    let long_ago = 1_700_000_000;
    for lie in [
        json!({"claims": {"nonce": "another"}}),
        json!({"claims": {"nonce": null}}),
        json!({"claims": {"aud": "somebody else"}}),
        json!({"claims": {"aud": ["millrace", "somebody else"]}}),
        json!({"claims": {"azp": "somebody else"}}),
        json!({"claims": {"iss": "https://accounts.google.com"}}),
        json!({"claims": {"iss": null}}),
        json!({"claims": {"iat": long_ago, "exp": long_ago + 300}}),
        json!({"claims": {"iat": 33_000_000_000_u64, "exp": 33_000_000_300_u64}}),
        json!({"claims": {"exp": null}}),
        json!({"claims": {"sub": null}}),
        json!({"sign": "none"}),
        json!({"sign": "HS256"}),
        json!({"sign": "stranger"}),
        json!({"kid": "unknown"}),
    ] {
        provider.behaves(lie.clone()).await;
        let seen = sign_in(&stage).await;
        let expected = (401, "what the provider says is not to be believed: begin again");
        assert_eq!(seen.refusal(), expected, "{lie}");
    }
    assert_eq!(accounts(&stage).await, 0);
    provider.behaves(json!({})).await;
    assert_eq!(sign_in(&stage).await.status, 200, "without a lie it would have been let in");
}

#[actix_web::test]
async fn an_address_that_the_provider_has_not_verified_is_nobodys() {
    let provider = Hostile::start().await;
    let stage = provider.stage().await;
    let bob = stage.person("bob").await;
    for claims in [
        json!({"email": bob.email, "email_verified": false}),
        json!({"email": bob.email, "email_verified": null}),
        json!({"email": bob.email, "email_verified": "false"}),
        json!({"email": "new@example.com", "email_verified": false}),
        json!({"email": "no address", "email_verified": true}),
    ] {
        provider.behaves(json!({"claims": claims})).await;
        let seen = sign_in(&stage).await;
        assert_eq!(seen.status, 403, "{claims}: {}", seen.body);
        assert!(seen.refusal().1.contains("has not verified your e-mail address"), "{}", seen.body);
    }
    assert_eq!(accounts(&stage).await, 1);
    let (_, identities) = stage.get("/api/v1/auth/identities", &bob).await;
    assert_eq!(identities["data"], json!([]));
}

#[actix_web::test]
async fn what_is_told_apart_from_the_token_is_about_the_same_person() {
    let provider = Hostile::start().await;
    let stage = provider.stage().await;
    let silent = json!({"email": null, "email_verified": null});
    for (told, status) in [
        (json!({"sub": "mallory"}), 403),
        (json!({"sub": "mallory", "email": "m@example.com"}), 403),
        (json!({"sub": "somebody else", "email": "m@example.com", "email_verified": true}), 502),
        (json!({"email": "m@example.com", "email_verified": true}), 502),
        (json!("nonsense"), 502),
        (json!({"sub": "mallory", "email": "m@example.com", "email_verified": true}), 200),
    ] {
        provider.behaves(json!({"claims": silent, "user_info": told})).await;
        let seen = sign_in(&stage).await;
        assert_eq!(seen.status, status, "{told}: {}", seen.body);
    }
}

#[actix_web::test]
async fn nobody_is_followed_elsewhere() {
    let provider = Hostile::start().await;
    let stage = provider.stage().await;
    for where_to in ["token", "keys"] {
        provider.behaves(json!({where_to: "redirect"})).await;
        let seen = sign_in(&stage).await;
        assert_eq!((seen.status, &seen.body["code"]), (502, &json!("bad_gateway")), "{}", seen.body);
        assert!(!seen.body.to_string().contains("elsewhere"), "{}", seen.body);
    }
    assert_eq!(provider.seen("/elsewhere").await, 0);
}

#[actix_web::test]
async fn a_token_endpoint_that_fails_is_told_by_how() {
    let provider = Hostile::start().await;
    let stage = provider.stage().await;
    for (how, status) in [("garbage", 502), ("giant", 502), ("error", 503), ("silent", 503)] {
        provider.behaves(json!({"token": how})).await;
        let seen = sign_in(&stage).await;
        assert_eq!((seen.status, seen.retry_after), (status, status == 503), "{how}: {}", seen.body);
        assert!(!seen.body.to_string().contains("127.0.0.1"), "{}", seen.body);
    }
}

#[actix_web::test]
async fn keys_without_end_are_not_read_to_the_end() {
    let provider = Hostile::start().await;
    let stage = provider.stage().await;
    provider.behaves(json!({"keys": "giant"})).await;
    let seen = sign_in(&stage).await;
    assert_eq!((seen.status, &seen.body["code"]), (502, &json!("bad_gateway")), "{}", seen.body);
    let (status, _) = crate::stage::answer(stage.to(reqwest::Method::GET, "/health/ready")).await;
    assert_eq!(status, 200);
}

#[actix_web::test]
async fn keys_may_change_at_any_time_and_are_not_asked_for_all_the_time() {
    let provider = Hostile::start().await;
    let stage = provider.stage().await;
    for _ in 0..3 {
        assert_eq!(sign_in(&stage).await.status, 200);
    }
    assert_eq!(provider.seen("/keys").await, 1);
    assert_eq!(provider.seen("/.well-known/openid-configuration").await, 1);
    provider.behaves(json!({"kid": "next", "kid_published": "next"})).await;
    assert_eq!(sign_in(&stage).await.status, 200);
    assert_eq!(provider.seen("/keys").await, 2);
    for kid in ["a", "b", "c"] {
        provider.behaves(json!({"kid": kid, "kid_published": "next"})).await;
        assert_eq!(sign_in(&stage).await.status, 401);
    }
    assert_eq!(provider.seen("/keys").await, 2, "whoever makes names up does not make us ask");
}

#[actix_web::test]
async fn a_description_of_somebody_else_is_not_believed() {
    for described in [
        json!({"issuer": "https://accounts.google.com"}),
        json!({"token_endpoint": "http://169.254.169.254/token"}),
        json!({"jwks_uri": "file:///etc/passwd"}),
        json!({"authorization_endpoint": "javascript:alert(1)"}),
        json!({"jwks_uri": null}),
    ] {
        let provider = Hostile::start().await;
        let stage = provider.stage().await;
        provider.behaves(json!({"described": described})).await;
        let seen = Browser::open().look(&stage, "/api/v1/auth/oidc").await;
        assert_eq!(
            (seen.status, &seen.body["code"]),
            (502, &json!("bad_gateway")),
            "{described}: {}",
            seen.body
        );
    }
}

#[actix_web::test]
async fn an_error_in_the_callback_is_told_by_its_kind() {
    let provider = Hostile::start().await;
    let stage = provider.stage().await;
    for (error, status) in [
        ("access_denied", 403),
        ("temporarily_unavailable", 503),
        ("server_error", 503),
        ("invalid_scope", 502),
        ("<script>", 502),
    ] {
        // A code beside an error is not looked at.
        provider.behaves(json!({"callback": {"error": error}})).await;
        let seen = sign_in(&stage).await;
        assert_eq!(seen.status, status, "{error}: {}", seen.body);
        assert!(!seen.body.to_string().contains("script"), "{}", seen.body);
    }
    assert_eq!(provider.seen("/token").await, 0);
    provider.behaves(json!({"callback": {"code": null}})).await;
    assert_eq!(sign_in(&stage).await.status, 400);
}

// This provider does not say that it names itself; if it does, the name must be right.
#[actix_web::test]
async fn a_name_that_nobody_asked_for_is_looked_at_as_well() {
    let provider = Hostile::start().await;
    let stage = provider.stage().await;
    let mut browser = Browser::open();
    let unnamed = callback(&mut browser, &stage).await;
    assert_eq!(parameter(&unnamed, "iss"), None);
    let misnamed = with(&unnamed, "iss", Some("https://accounts.google.com"));
    assert_eq!(browser.come_back(&stage, &misnamed).await.status, 400);
    let unnamed = callback(&mut browser, &stage).await;
    let named = with(&unnamed, "iss", Some(&provider.issuer));
    let seen = browser.come_back(&stage, &named).await;
    assert_eq!(seen.status, 200, "{}", seen.body);
    let mallory = Person::granted(&seen.body);
    assert_eq!(stage.get("/api/v1/auth/me", &mallory).await.1["email"], "mallory@example.com");
}
