//! Having another address.

use millrace_testkit::wait;
use serde_json::json;

use crate::mail_server::{MailServer, token};
use crate::stage::{PASSWORD, Stage};

const EMAIL: &str = "/api/v1/auth/email";

#[actix_web::test]
async fn another_address_is_the_accounts_when_it_is_proved() {
    let (mut server, stage) = MailServer::with_stage().await;
    let ada = stage.person("ada").await;
    let body = json!({"email": " Ada@Example.ORG", "password": PASSWORD});
    assert_eq!(stage.post(EMAIL, &ada, body).await.0, 202);
    let mail = server.mail().await;
    assert_eq!(
        (&mail["to"], &mail["headers"]["to"]),
        (&json!(["ada@example.org"]), &json!("ada@example.org"))
    );
    let (_, me) = stage.get("/api/v1/auth/me", &ada).await;
    assert_eq!(me["email"], "ada@example.com", "nothing has changed yet");

    assert_eq!(stage.verify(&token(&mail)).await.0, 204);
    let (_, me) = stage.get("/api/v1/auth/me", &ada).await;
    assert_eq!((&me["email"], &me["email_verified"]), (&json!("ada@example.org"), &json!(true)));
    assert_eq!(stage.login("ada@example.org", PASSWORD).await.0, 200);
    assert_eq!(stage.login("ada@example.com", PASSWORD).await.0, 401);
    let notice = server.mail().await;
    assert_eq!(notice["to"], json!(["ada@example.com"]));
    assert!(notice["text"].as_str().unwrap().contains("ada@example.org"), "{notice}");
    assert!(!notice["text"].as_str().unwrap().contains("token"), "{notice}");
}

#[actix_web::test]
async fn it_takes_the_password_and_an_address_that_is_another() {
    let (_server, stage) = MailServer::with_stage().await;
    let ada = stage.person("ada").await;
    for (email, password, field) in [
        ("ada@example.org", "wrong horse battery", "password"),
        ("ADA@example.com", PASSWORD, "email"),
        ("ada", PASSWORD, "email"),
    ] {
        let (status, problem) = stage.post(EMAIL, &ada, json!({"email": email, "password": password})).await;
        assert_eq!((status, &problem["errors"][0]["field"]), (422, &json!(field)), "{problem}");
    }
}

#[actix_web::test]
async fn an_address_that_somebody_has_stays_theirs() {
    let (mut server, stage) = MailServer::with_stage().await;
    let (ada, bob) = (stage.person("ada").await, stage.person("bob").await);
    let wish = |email: &str| json!({"email": email, "password": PASSWORD});
    assert_eq!(stage.post(EMAIL, &ada, wish(&bob.email)).await.0, 202, "it is not told who has an account");
    stage.mail_was("change", "nobody").await;
    stage.no_mail_waits().await;

    assert_eq!(stage.post(EMAIL, &ada, wish("carol@example.com")).await.0, 202);
    let token = token(&server.mail().await);
    stage.person("carol").await;
    let (status, problem) = stage.verify(&token).await;
    assert_eq!((status, &problem["code"]), (409, &json!("conflict")), "Carol was first");
    assert_eq!(stage.login(&ada.email, PASSWORD).await.0, 200);
}

#[actix_web::test]
async fn who_resets_the_password_undoes_what_a_thief_asked_for() {
    let (mut server, stage) = MailServer::with_stage().await;
    let ada = stage.person("ada").await;
    let body = json!({"email": "eve@example.com", "password": PASSWORD});
    assert_eq!(stage.post(EMAIL, &ada, body).await.0, 202);
    let eves = token(&server.mail().await);
    stage.forgot(&ada.email).await;
    let adas = token(&server.mail().await);
    assert_eq!(stage.reset(&adas, "purple otter juggles").await.0, 204);
    assert_eq!(stage.verify(&eves).await.0, 422);
    assert_eq!(stage.login(&ada.email, "purple otter juggles").await.0, 200);
}

#[actix_web::test]
async fn a_mail_to_an_address_that_the_account_had_is_worth_nothing() {
    let (mut server, stage) = MailServer::with_stage().await;
    let ada = stage.newcomer("ada").await;
    let verification = token(&server.mail().await);
    let body = json!({"email": "ada@example.org", "password": PASSWORD});
    assert_eq!(stage.post(EMAIL, &ada, body).await.0, 202);
    let change = token(&server.mail().await);
    stage.forgot(&ada.email).await;
    let reset = token(&server.mail().await);
    stage.no_mail_waits().await;
    assert_eq!(stage.verify(&change).await.0, 204);
    assert_eq!(stage.reset(&reset, "purple otter juggles").await.0, 422);
    assert_eq!(stage.verify(&verification).await.0, 422);
    wait::until("the address is verified", async || stage.is_verified(&ada).await).await;
}

#[actix_web::test]
async fn without_mail_an_address_cannot_be_changed() {
    let stage = Stage::set().await;
    let ada = stage.person("ada").await;
    let body = json!({"email": "ada@example.org", "password": PASSWORD});
    assert_eq!(stage.post(EMAIL, &ada, body).await.0, 409);
}
