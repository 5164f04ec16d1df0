use futures_util::future::join_all;
use millrace_security::password::Cost;
use millrace_storage::accounts;
use reqwest::Method;
use reqwest::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use serde_json::{Value, json};

use crate::stage::{PASSWORD, Stage, answer};

const LOGIN: &str = "/api/v1/auth/login";

#[actix_web::test]
async fn the_right_password_lets_in_however_the_address_is_written() {
    let stage = Stage::set().await;
    let ada = stage.person("ada").await;
    for email in [ada.email.as_str(), " Ada@Example.COM "] {
        let body = json!({"email": email, "password": PASSWORD});
        let response = stage.to(Method::POST, LOGIN).json(&body).send().await.unwrap();
        assert_eq!(
            (response.status().as_u16(), &response.headers()[CACHE_CONTROL]),
            (200, &"no-store".parse().unwrap())
        );
        let body: Value = response.json().await.unwrap();
        assert_eq!((&body["token_type"], &body["expires_in"]), (&json!("bearer"), &json!(900)));
        assert_eq!(body["access_token"].as_str().unwrap().split('.').count(), 3);
    }
}

#[actix_web::test]
async fn oauth_clients_sign_in_with_a_form() {
    let stage = Stage::set().await;
    stage.person("ada").await;
    let form = |body: &'static str| {
        stage
            .to(Method::POST, LOGIN)
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded; charset=UTF-8")
            .body(body)
    };
    let right = "grant_type=password&username=ada%40example.com&password=correct+horse%20battery&scope=";
    let (status, body) = answer(form(right)).await;
    assert_eq!((status, &body["token_type"]), (200, &json!("bearer")));
    assert_eq!(answer(form("username=ada%40example.com&password=wrong")).await.0, 401);
    let (status, problem) = answer(form("username=ada%40example.com")).await;
    assert_eq!((status, &problem["errors"][0]["field"]), (422, &json!("password")));
}

#[actix_web::test]
async fn a_wrong_password_and_an_unknown_address_get_the_same_answer() {
    let stage = Stage::set().await;
    let ada = stage.person("ada").await;
    let mut answers = Vec::new();
    for (email, password) in [
        (ada.email.as_str(), "wrong horse battery"),
        (ada.email.as_str(), ""),
        (ada.email.as_str(), &"p".repeat(500)),
        ("nobody@example.com", PASSWORD),
        ("not an address", PASSWORD),
    ] {
        let body = json!({"email": email, "password": password});
        let response = stage.to(Method::POST, LOGIN).json(&body).send().await.unwrap();
        assert_eq!(
            (response.status().as_u16(), &response.headers()[WWW_AUTHENTICATE]),
            (401, &"Bearer".parse().unwrap())
        );
        let mut problem: Value = response.json().await.unwrap();
        problem["request_id"].take();
        answers.push(problem);
    }
    assert!(answers.windows(2).all(|pair| pair[0] == pair[1]), "{answers:?}");
}

#[actix_web::test]
async fn a_body_that_is_something_else_is_told_so() {
    let stage = Stage::set().await;
    for (media_type, body, status, field) in [
        ("application/json", "{", 400, Value::Null),
        ("application/json", r#"{"email":"a@b.c"}"#, 422, json!("password")),
        ("application/json", r#"{"email":5,"password":"x"}"#, 422, json!("email")),
        ("application/json", r#"{"email":"a@b.c","password":"x","otp":"1"}"#, 422, json!("otp")),
        ("text/plain", "hello", 415, Value::Null),
    ] {
        let request = stage.to(Method::POST, LOGIN).header(CONTENT_TYPE, media_type).body(body);
        let (found, problem) = answer(request).await;
        assert_eq!((found, &problem["errors"][0]["field"]), (status, &field), "{body}");
    }
    let long = json!({"email": "a".repeat(20_000), "password": "x"});
    assert_eq!(answer(stage.to(Method::POST, LOGIN).json(&long)).await.0, 413);
}

#[actix_web::test]
async fn a_changed_password_replaces_the_old_one() {
    let stage = Stage::set().await;
    let ada = stage.person("ada").await;
    let hash = millrace_security::password::Password::parse("another horse")
        .unwrap()
        .hash(millrace_security::password::Cost::new(4).unwrap())
        .unwrap();
    let mut store = stage.store().await;
    assert!(accounts::set_password(&mut store, ada.id, &hash).await.unwrap());
    assert_eq!(stage.login(&ada.email, PASSWORD).await.0, 401);
    assert_eq!(stage.login(&ada.email, "another horse").await.0, 200);
}

#[actix_web::test]
async fn a_storm_of_logins_is_told_to_come_again() {
    // Each takes tens of milliseconds, and all arrive within a few.
    let stage = Stage::with_cost(9).await;
    let cores = std::thread::available_parallelism().unwrap().get();
    let storm = (0..cores * 48).map(|who| {
        let body = json!({"email": format!("nobody{who}@example.com"), "password": PASSWORD});
        let address = format!("192.0.{}.{}", who / 256, who % 256);
        stage.to(Method::POST, LOGIN).header("x-forwarded-for", address).json(&body).send()
    });
    let (mut refused, mut busy) = (0, 0);
    for response in join_all(storm).await {
        let response = response.unwrap();
        match response.status().as_u16() {
            401 => refused += 1,
            503 if response.headers().contains_key(RETRY_AFTER) => busy += 1,
            other => panic!("{other}"),
        }
    }
    assert!(refused > 0 && busy > 0, "{refused} refused, {busy} told to come again");
}

#[actix_web::test]
async fn a_hash_of_another_cost_gets_that_of_the_service_when_its_person_signs_in() {
    let stage = Stage::with_cost(5).await;
    let ada = stage.person("ada").await;
    let mut store = stage.store().await;
    let renewed = accounts::find(&mut store, ada.id).await.unwrap().unwrap().password_hash;
    let nobodys = millrace_auth::passwords::Passwords::new(Cost::new(5).unwrap()).cost();
    assert_eq!(
        Cost::of(renewed.as_ref().unwrap()),
        Some(nobodys),
        "it was made with 4, and nobody's takes 5"
    );
    assert_eq!(stage.login(&ada.email, PASSWORD).await.0, 200);
    assert_eq!(stage.login(&ada.email, "wrong horse battery").await.0, 401);
    let after = accounts::find(&mut store, ada.id).await.unwrap().unwrap().password_hash;
    assert_eq!(after, renewed, "once is enough");
    assert_eq!(stage.get("/api/v1/auth/me", &ada).await.0, 200, "no session has ended");
}

#[actix_web::test]
async fn every_outcome_is_counted() {
    let stage = Stage::set().await;
    let ada = stage.person("ada").await;
    stage.login(&ada.email, "wrong").await;
    let metrics = stage.to(Method::GET, "/metrics").send().await.unwrap().text().await.unwrap();
    for result in ["success", "failure"] {
        let line = format!("auth_logins_total{{result=\"{result}\"}} ");
        assert!(metrics.lines().any(|found| found.starts_with(&line)), "{metrics}");
    }
}
