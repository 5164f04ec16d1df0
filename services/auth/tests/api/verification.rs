//! Proving to read mail at an address.

use chrono::{DateTime, TimeDelta, Utc};
use reqwest::Method;
use serde_json::{Value, json};

use crate::mail_server::{MailServer, token};
use crate::stage::{PASSWORD, Person, Stage, answer};

const REGISTER: &str = "/api/v1/auth/register";
const RESEND: &str = "/api/v1/auth/email/verify/resend";

#[actix_web::test]
async fn whoever_registers_proves_the_address_with_a_mail() {
    let (mut server, stage) = MailServer::with_stage().await;
    let ada = stage.newcomer("ada").await;
    assert!(!stage.is_verified(&ada).await);
    let mail = server.mail().await;
    assert_eq!((&mail["from"], &mail["to"]), (&json!("millrace@example.com"), &json!([ada.email])));
    let text = mail["text"].as_str().unwrap();
    let token = token(&mail);
    let call = "curl -X POST 'http://127.0.0.1:8080/api/v1/auth/email/verify'";
    assert!(text.lines().any(|line| line.starts_with(call)), "{text}");
    assert!(mail["html"].as_str().unwrap().contains(&format!("/verify-email#token={token}\"")));

    let (status, answer) = stage.verify(&token).await;
    assert_eq!(status, 204, "{answer}");
    assert!(stage.is_verified(&ada).await);
    let (status, problem) = stage.verify(&token).await;
    let error = &problem["errors"][0];
    assert_eq!((status, &error["field"], &error["code"]), (422, &json!("token"), &json!("invalid")));
    assert_eq!(stage.post(RESEND, &ada, json!({})).await.0, 409, "there is nothing left to prove");
}

#[actix_web::test]
async fn a_mail_is_what_mail_programs_expect() {
    let (mut server, stage) = MailServer::with_stage().await;
    stage.newcomer("ada").await;
    let mail = server.mail().await;
    let headers = &mail["headers"];
    assert_eq!(headers["from"], "Millrace <millrace@example.com>");
    assert_eq!(headers["to"], "ada@example.com", "nobody's words reach an address that they have not proved");
    assert_eq!(headers["subject"], "Verify your e-mail address for Millrace");
    assert_eq!(headers["auto-submitted"], "auto-generated");
    assert_eq!(mail["type"], "multipart/alternative");
    let id = headers["message-id"].as_str().unwrap();
    assert!(id.starts_with('<') && id.ends_with("@example.com>") && id.len() > 40, "{id}");
    let date: DateTime<Utc> = mail["date"].as_str().unwrap().parse().unwrap();
    assert!((Utc::now() - date).abs() < TimeDelta::minutes(1), "{date}");
    assert_eq!(mail["defects"], json!([]));
}

#[actix_web::test]
async fn a_mail_can_be_asked_for_again_and_the_newest_counts() {
    let (mut server, stage) = MailServer::with_stage().await;
    let ada = stage.newcomer("ada").await;
    let first = token(&server.mail().await);
    stage.no_mail_waits().await;
    let (status, answer) = stage.post(RESEND, &ada, json!({})).await;
    assert_eq!((status, answer["message"].is_string()), (202, true));
    let second = token(&server.mail().await);
    assert_eq!(stage.verify(&first).await.0, 422);
    assert_eq!(stage.verify(&second).await.0, 204);
}

#[actix_web::test]
async fn a_token_is_good_for_its_time_its_account_and_its_purpose() {
    let (mut server, stage) = MailServer::with_stage().await;
    let (ada, bob) = (stage.newcomer("ada").await, stage.newcomer("bob").await);
    let mut mails = [server.mail().await, server.mail().await];
    mails.sort_by_key(|mail| mail["to"].to_string());
    let [adas, bobs] = mails.map(|mail| token(&mail));
    let (status, problem) = stage.reset(&adas, "purple otter juggles").await;
    assert_eq!((status, &problem["errors"][0]["field"]), (422, &json!("token")), "it resets nothing");
    assert_eq!(stage.verify(&bobs).await.0, 204);
    assert!(stage.is_verified(&bob).await && !stage.is_verified(&ada).await);
    stage.a_day_later().await;
    assert_eq!(stage.verify(&adas).await.0, 422);
    for nonsense in ["", "mrm_", &ada.refresh, &"x".repeat(5_000)] {
        assert_eq!(stage.verify(nonsense).await.0, 422);
    }
    assert!(!stage.is_verified(&ada).await);
}

#[actix_web::test]
async fn where_only_verified_accounts_may_nobody_else_signs_in() {
    let mut server = MailServer::start(&["plain"]).await;
    let stage = Stage::with_mail(&server, |config| config.require_verified_email = true).await;
    let body = json!({"email": "ada@example.com", "password": PASSWORD});
    let (status, registered) = answer(stage.to(Method::POST, REGISTER).json(&body)).await;
    assert_eq!((status, &registered["email_verified"]), (201, &json!(false)));
    assert_eq!(registered["access_token"], Value::Null);
    let mail = server.mail().await;
    stage.no_mail_waits().await;

    assert_eq!(stage.login("ada@example.com", "wrong horse battery").await.0, 401, "a guess learns nothing");
    let (status, problem) = stage.login("ada@example.com", PASSWORD).await;
    assert_eq!((status, &problem["code"]), (403, &json!("email_not_verified")));
    let again = server.mail().await;
    assert_ne!(token(&again), token(&mail), "whoever lost the first mail gets another");

    assert_eq!(stage.verify(&token(&again)).await.0, 204);
    let (status, granted) = stage.login("ada@example.com", PASSWORD).await;
    assert_eq!(status, 200, "{granted}");
    assert!(stage.is_verified(&Person::granted(&granted)).await);
}

#[actix_web::test]
async fn an_installation_without_mail_says_so_to_whoever_is_signed_in() {
    let stage = Stage::set().await;
    let ada = stage.newcomer("ada").await;
    let (status, problem) = stage.post(RESEND, &ada, json!({})).await;
    assert_eq!((status, &problem["code"]), (409, &json!("conflict")));
    assert!(problem["detail"].as_str().unwrap().contains("sends no mail"), "{problem}");
    stage.mail_was("verify", "unconfigured").await;
}
