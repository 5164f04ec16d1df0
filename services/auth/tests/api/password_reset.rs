//! Getting in again without the password.

use millrace_storage::sessions as stored;
use reqwest::Method;
use reqwest::header::RETRY_AFTER;
use serde_json::json;

use crate::mail_server::{MailServer, token};
use crate::sessions::refused_within_a_second;
use crate::stage::{PASSWORD, Stage, answer};

const ANOTHER: &str = "purple otter juggles";

#[actix_web::test]
async fn a_forgotten_password_is_replaced_by_mail() {
    let (mut server, stage) = MailServer::with_stage().await;
    let ada = stage.person("ada").await;
    let verifier = stage.verifier().await;
    assert!(verifier.verify(&ada.access).await.unwrap().is_some());
    for host in 0..5 {
        let body = json!({"email": ada.email, "password": "wrong"});
        let address = format!("192.0.2.{host}");
        let login = stage.to(Method::POST, "/api/v1/auth/login").header("x-forwarded-for", address);
        assert_eq!(answer(login.json(&body)).await.0, 401);
    }
    assert_eq!(stage.login(&ada.email, PASSWORD).await.0, 429, "somebody tries to guess it");

    assert_eq!(stage.forgot(" ADA@example.com ").await.0, 202);
    let mail = server.mail().await;
    assert_eq!(mail["header_to"], json!({"name": "ada", "address": "ada@example.com"}));
    assert_eq!(mail["headers"]["subject"], "Reset your Millrace password");
    let token = token(&mail);
    let (status, answer) = stage.reset(&token, ANOTHER).await;
    assert_eq!(status, 204, "{answer}");
    refused_within_a_second(&verifier, &ada).await;
    assert_eq!(stage.get("/api/v1/auth/me", &ada).await.0, 401);
    assert_eq!(stage.login(&ada.email, ANOTHER).await.0, 200, "the lock is lifted");
    assert_eq!(stage.login(&ada.email, PASSWORD).await.0, 401);
    assert_eq!(stage.reset(&token, "green heron whistles").await.0, 422, "a token is used once");
    assert_eq!(stage.login(&ada.email, ANOTHER).await.0, 200);
}

#[actix_web::test]
async fn nobody_learns_who_has_an_account() {
    let (mut server, stage) = MailServer::with_stage().await;
    let ada = stage.person("ada").await;
    let mut answers = Vec::new();
    for email in ["nobody@example.com", &ada.email] {
        let request = stage.to(Method::POST, "/api/v1/auth/password/forgot").json(&json!({"email": email}));
        let response = request.send().await.unwrap();
        let mut headers = response.headers().clone();
        for name in ["date", "x-request-id"] {
            headers.remove(name);
        }
        answers.push((response.status(), headers, response.text().await.unwrap()));
        stage.no_mail_waits().await;
    }
    assert_eq!((answers[0].0.as_u16(), &answers[0]), (202, &answers[1]));
    assert_eq!(server.mail().await["to"], json!([ada.email]), "the only mail is hers");
    stage.mail_was("reset", "nobody").await;
    let (status, problem) = stage.forgot("not an address").await;
    assert_eq!((status, &problem["errors"][0]["field"]), (422, &json!("email")));
}

#[actix_web::test]
async fn a_refused_password_does_not_use_the_token_up() {
    let (mut server, stage) = MailServer::with_stage().await;
    let ada = stage.person("ada").await;
    stage.forgot(&ada.email).await;
    let token = token(&server.mail().await);
    for weak in ["short", "iloveyou"] {
        let (status, problem) = stage.reset(&token, weak).await;
        assert_eq!((status, &problem["errors"][0]["field"]), (422, &json!("password")));
    }
    assert_eq!(stage.get("/api/v1/auth/me", &ada).await.0, 200);
    assert_eq!(stage.reset(&token, ANOTHER).await.0, 204);
}

#[actix_web::test]
async fn a_token_that_is_old_or_replaced_resets_nothing() {
    let (mut server, stage) = MailServer::with_stage().await;
    let ada = stage.person("ada").await;
    stage.forgot(&ada.email).await;
    let replaced = token(&server.mail().await);
    stage.no_mail_waits().await;
    stage.forgot(&ada.email).await;
    let newest = token(&server.mail().await);
    assert_eq!(stage.reset(&replaced, ANOTHER).await.0, 422);
    assert_eq!(stage.verify(&newest).await.0, 422, "it verifies nothing");
    stage.a_day_later().await;
    assert_eq!(stage.reset(&newest, ANOTHER).await.0, 422);
    assert_eq!(stage.login(&ada.email, PASSWORD).await.0, 200);
}

#[actix_web::test]
async fn ten_uses_at_once_are_one() {
    let (mut server, stage) = MailServer::with_stage().await;
    let ada = stage.person("ada").await;
    stage.forgot(&ada.email).await;
    let token = token(&server.mail().await);
    let uses = (0..10).map(|_| stage.reset(&token, ANOTHER));
    let statuses: Vec<u16> =
        futures_util::future::join_all(uses).await.into_iter().map(|(status, _)| status).collect();
    let done = statuses.iter().filter(|status| **status == 204).count();
    assert!(done == 1 && statuses.iter().all(|status| [204, 422, 503].contains(status)), "{statuses:?}");
}

#[actix_web::test]
async fn who_resets_a_password_has_proved_the_address() {
    let (mut server, stage) = MailServer::with_stage().await;
    let ada = stage.newcomer("ada").await;
    let verification = token(&server.mail().await);
    stage.forgot(&ada.email).await;
    let reset = token(&server.mail().await);
    assert_eq!(stage.reset(&reset, ANOTHER).await.0, 204);
    let mut store = stage.store().await;
    let sessions = stored::of_account(&mut store, ada.id, chrono::Utc::now()).await.unwrap();
    assert!(sessions.is_empty(), "{sessions:?}");
    let ada = crate::stage::Person::granted(&stage.login(&ada.email, ANOTHER).await.1);
    assert!(stage.is_verified(&ada).await);
    assert_eq!(stage.verify(&verification).await.0, 204, "to prove it once more does no harm");
}

#[actix_web::test]
async fn a_changed_password_makes_older_mails_worthless() {
    let (mut server, stage) = MailServer::with_stage().await;
    let ada = stage.person("ada").await;
    stage.forgot(&ada.email).await;
    let token = token(&server.mail().await);
    let body = json!({"current_password": PASSWORD, "new_password": ANOTHER});
    assert_eq!(stage.post("/api/v1/auth/password", &ada, body).await.0, 204);
    assert_eq!(stage.reset(&token, "green heron whistles").await.0, 422);
}

#[actix_web::test]
async fn a_mailbox_is_not_flooded() {
    let (mut server, stage) = MailServer::with_stage().await;
    let (ada, bob) = (stage.person("ada").await, stage.person("bob").await);
    for host in 0..5 {
        assert_eq!(stage.forgot_from(&format!("192.0.2.{host}"), &ada.email).await, 202);
        assert_eq!(server.mail().await["to"], json!([ada.email]));
        stage.no_mail_waits().await;
    }
    for host in 5..9 {
        assert_eq!(stage.forgot_from(&format!("192.0.2.{host}"), &ada.email).await, 202, "nobody is told");
    }
    stage.mail_was("reset", "limited").await;
    stage.forgot(&bob.email).await;
    assert_eq!(server.mail().await["to"], json!([bob.email]), "there was no sixth to Ada");
}

#[actix_web::test]
async fn an_address_that_asks_for_everybody_is_told_to_wait() {
    let stage = Stage::set().await;
    for who in 0..20 {
        assert_eq!(stage.forgot_from("192.0.2.9", &format!("somebody{who}@example.com")).await, 202);
    }
    let body = json!({"email": "ada@example.com"});
    let request =
        stage.to(Method::POST, "/api/v1/auth/password/forgot").header("x-forwarded-for", "192.0.2.9");
    let response = request.json(&body).send().await.unwrap();
    assert_eq!(response.status().as_u16(), 429);
    let headers = response.headers();
    assert_eq!(headers["ratelimit-policy"], r#""mail";q=20;w=3600"#);
    let wait: u64 = headers[RETRY_AFTER].to_str().unwrap().parse().unwrap();
    assert!((3_500..=3_600).contains(&wait), "{wait}");
    assert_eq!(stage.forgot_from("192.0.2.8", "ada@example.com").await, 202);
}

#[actix_web::test]
async fn without_a_mail_server_the_answer_is_the_same() {
    let stage = Stage::set().await;
    let ada = stage.person("ada").await;
    for email in [ada.email.as_str(), "nobody@example.com"] {
        assert_eq!(stage.forgot(email).await.0, 202);
    }
    stage.mail_was("reset", "unconfigured").await;
    stage.no_mail_waits().await;
}
