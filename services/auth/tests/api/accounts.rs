//! Creating an account, and changing its password.

use millrace_domain::access::Role;
use reqwest::Method;
use reqwest::header::CACHE_CONTROL;
use serde_json::{Value, json};

use crate::stage::{PASSWORD, Person, Stage, answer};

const REGISTER: &str = "/api/v1/auth/register";
const CHANGE: &str = "/api/v1/auth/password";
const ANOTHER: &str = "purple otter juggles";

#[actix_web::test]
async fn whoever_registers_is_signed_in() {
    let stage = Stage::set().await;
    let body = json!({"email": " Ada@Example.COM ", "password": PASSWORD, "full_name": " Ada Lovelace "});
    let response = stage.to(Method::POST, REGISTER).json(&body).send().await.unwrap();
    assert_eq!(
        (response.status().as_u16(), &response.headers()[CACHE_CONTROL]),
        (201, &"no-store".parse().unwrap())
    );
    let registered: Value = response.json().await.unwrap();
    assert_eq!((&registered["email"], &registered["admin"]), (&json!("ada@example.com"), &json!(false)));
    let ada = Person::granted(&registered);
    let (status, me) = stage.get("/api/v1/auth/me", &ada).await;
    assert_eq!((status, &me["id"], &me["full_name"]), (200, &registered["id"], &json!("Ada Lovelace")));
    assert_eq!(stage.login("ada@example.com", PASSWORD).await.0, 200);
    let (_, projects) = stage.get("/api/v1/projects", &ada).await;
    assert_eq!(projects["data"], json!([]));
}

#[actix_web::test]
async fn an_address_has_one_account_however_it_is_written() {
    let stage = Stage::set().await;
    let ada = stage.person("ada").await;
    let body = json!({"email": "ADA@example.com", "password": ANOTHER});
    let (status, problem) = answer(stage.to(Method::POST, REGISTER).json(&body)).await;
    assert_eq!((status, &problem["code"]), (409, &json!("conflict")));
    assert_eq!(stage.login(&ada.email, ANOTHER).await.0, 401, "the account is as it was");
    assert_eq!(stage.login(&ada.email, PASSWORD).await.0, 200);
}

#[actix_web::test]
async fn an_account_that_breaks_a_law_is_refused_by_field() {
    let stage = Stage::set().await;
    let email = "tamsin.oyelaran@example.com";
    for (body, field, said) in [
        (json!({"email": email}), "password", "missing field"),
        (json!({"email": "tamsin", "password": PASSWORD}), "email", "must be an e-mail address"),
        (json!({"email": email, "password": "k8!Zq"}), "password", "at least 8 bytes"),
        (json!({"email": email, "password": "ü".repeat(37)}), "password", "at most 72 bytes, has 74"),
        (json!({"email": email, "password": "password"}), "password", "top-10 common password"),
        (json!({"email": email, "password": "TamsinOyelaran"}), "password", "too easy to guess"),
        (json!({"email": email, "password": PASSWORD, "full_name": " "}), "full_name", "must not be empty"),
        (json!({"email": email, "password": PASSWORD, "admin": true}), "admin", "unknown field"),
    ] {
        let (status, problem) = answer(stage.to(Method::POST, REGISTER).json(&body)).await;
        let error = &problem["errors"][0];
        assert_eq!((status, &error["field"]), (422, &json!(field)), "{body} {problem}");
        assert!(error["message"].as_str().unwrap().contains(said), "{problem}");
    }
    assert_eq!(stage.login(email, PASSWORD).await.0, 401, "nothing was made");
}

#[actix_web::test]
async fn a_changed_password_ends_the_other_sessions() {
    let stage = Stage::set().await;
    let (ada, bob) = (stage.person("ada").await, stage.person("bob").await);
    let project = stage.project_of(&ada, Role::Owner).await;
    let phone = Person::granted(&stage.login(&ada.email, PASSWORD).await.1);
    let body = json!({"current_password": PASSWORD, "new_password": ANOTHER});
    assert_eq!(stage.post(CHANGE, &ada, body).await.0, 204);
    assert_eq!(stage.get("/api/v1/auth/me", &phone).await.0, 401);
    let body = json!({"refresh_token": phone.refresh});
    assert_eq!(answer(stage.to(Method::POST, "/api/v1/auth/refresh").json(&body)).await.0, 401);
    assert_eq!(stage.get(&format!("/api/v1/projects/{project}"), &ada).await.0, 200, "this one goes on");
    assert_eq!(stage.get("/api/v1/auth/me", &bob).await.0, 200);
    assert_eq!(stage.login(&ada.email, PASSWORD).await.0, 401);
    assert_eq!(stage.login(&ada.email, ANOTHER).await.0, 200);
}

#[actix_web::test]
async fn a_password_is_changed_only_to_a_good_one_by_whoever_knows_it() {
    let stage = Stage::set().await;
    let ada = stage.person("ada").await;
    for (current, new, field, code) in [
        ("wrong horse battery", ANOTHER, "current_password", "wrong"),
        (PASSWORD, "short", "new_password", "invalid"),
        (PASSWORD, "iloveyou", "new_password", "weak"),
    ] {
        let body = json!({"current_password": current, "new_password": new});
        let (status, problem) = stage.post(CHANGE, &ada, body).await;
        let error = &problem["errors"][0];
        assert_eq!(
            (status, &error["field"], &error["code"]),
            (422, &json!(field), &json!(code)),
            "{problem}"
        );
    }
    assert_eq!(answer(stage.to(Method::POST, CHANGE).json(&json!({}))).await.0, 401);
    assert_eq!(stage.login(&ada.email, PASSWORD).await.0, 200);
}

#[actix_web::test]
async fn the_short_names_of_routes_do_the_same() {
    let stage = Stage::set().await;
    let body = json!({"email": "ada@example.com", "password": PASSWORD});
    assert_eq!(answer(stage.to(Method::POST, "/auth/signup").json(&body)).await.0, 201);
    let (status, granted) = answer(stage.to(Method::POST, "/auth/login").json(&body)).await;
    assert_eq!(status, 200, "{granted}");
    let ada = Person::granted(&granted);
    for name in ["me", "verify"] {
        let long = stage.get(&format!("/api/v1/auth/{name}"), &ada).await;
        assert_eq!((long.0, &stage.get(&format!("/auth/{name}"), &ada).await), (200, &long));
        assert_eq!(answer(stage.to(Method::GET, &format!("/auth/{name}"))).await.0, 401);
    }
}
