//! A real mail server to send to, and what it gets.

use std::path::PathBuf;
use std::time::Duration;

use millrace_auth::config::{Config, MailConfig};
use millrace_testkit::peers::Peer;
use millrace_testkit::wait;
use reqwest::Method;
use serde_json::{Value, json};

use crate::stage::{PASSWORD, Person, Stage, answer};

const FORGOT: &str = "/api/v1/auth/password/forgot";

pub(crate) struct MailServer {
    peer: Peer,
}

impl MailServer {
    /// In one of the modes of `deploy/peers/smtp.py`.
    pub(crate) async fn start(arguments: &[&str]) -> Self {
        Self { peer: Peer::start("smtp.py", arguments).await }
    }

    /// That takes every mail, with auth beside it.
    pub(crate) async fn with_stage() -> (Self, Stage) {
        let server = Self::start(&["plain"]).await;
        let url = server.url("smtp", "");
        let stage = Stage::with(|config| config.mail = Some(mail(&url))).await;
        (server, stage)
    }

    /// Where it is. `user`: `name:password@`, or nothing.
    pub(crate) fn url(&self, scheme: &str, user: &str) -> String {
        format!("{scheme}://{user}127.0.0.1:{}", self.peer.ready)
    }

    /// The next mail.
    pub(crate) async fn mail(&mut self) -> Value {
        serde_json::from_str(&self.peer.line().await).unwrap()
    }
}

/// Settings for this mail server.
pub(crate) fn mail(url: &str) -> MailConfig {
    MailConfig {
        url: url.parse().unwrap(),
        authorities: None,
        from: "Millrace <millrace@example.com>".parse().unwrap(),
        patience: Duration::from_secs(10),
    }
}

/// The same, over TLS, where this file has the certificate.
pub(crate) fn mail_with_tls(url: &str, authorities: PathBuf) -> MailConfig {
    MailConfig { authorities: Some(authorities), ..mail(url) }
}

/// The token that a mail carries, from the link in its text.
pub(crate) fn token(mail: &Value) -> String {
    let text = mail["text"].as_str().unwrap();
    let link = text.lines().find(|line| line.starts_with("http://127.0.0.1:8080/")).unwrap();
    link.split_once("#token=").unwrap().1.to_owned()
}

impl Stage {
    pub(crate) async fn with_mail(server: &MailServer, change: impl FnOnce(&mut Config)) -> Self {
        let url = server.url("smtp", "");
        Self::with(|config| {
            config.mail = Some(mail(&url));
            change(config);
        })
        .await
    }

    /// Somebody who made an account and has not looked at their mail yet.
    pub(crate) async fn newcomer(&self, name: &str) -> Person {
        let email = format!("{name}@example.com");
        let body = json!({"email": email, "password": PASSWORD, "full_name": name});
        let (status, registered) = answer(self.to(Method::POST, "/api/v1/auth/register").json(&body)).await;
        assert_eq!(status, 201, "{registered}");
        let id = registered["id"].as_str().unwrap().parse().unwrap();
        Person { id, email, ..Person::granted(&registered) }
    }

    /// Asks for a mail to reset the password of `email`.
    pub(crate) async fn forgot(&self, email: &str) -> (u16, Value) {
        answer(self.to(Method::POST, FORGOT).json(&json!({"email": email}))).await
    }

    /// The same, from this address.
    pub(crate) async fn forgot_from(&self, address: &str, email: &str) -> u16 {
        let body = json!({"email": email});
        answer(self.to(Method::POST, FORGOT).header("x-forwarded-for", address).json(&body)).await.0
    }

    pub(crate) async fn reset(&self, token: &str, password: &str) -> (u16, Value) {
        let body = json!({"token": token, "password": password});
        answer(self.to(Method::POST, "/api/v1/auth/password/reset").json(&body)).await
    }

    pub(crate) async fn verify(&self, token: &str) -> (u16, Value) {
        answer(self.to(Method::POST, "/api/v1/auth/email/verify").json(&json!({"token": token}))).await
    }

    pub(crate) async fn is_verified(&self, person: &Person) -> bool {
        let (status, me) = self.get("/api/v1/auth/me", person).await;
        assert_eq!(status, 200, "{me}");
        me["email_verified"].as_bool().unwrap()
    }

    /// Until every mail that was asked for is sent, or never will be.
    pub(crate) async fn no_mail_waits(&self) {
        let client = self.database.client().await;
        wait::until("no mail waits", async || {
            client.query_one("SELECT count(*) FROM mails", &[]).await.unwrap().get::<_, i64>(0) == 0
        })
        .await;
    }

    /// Until a mail was tried in vain and is put back.
    pub(crate) async fn a_mail_has_to_wait(&self) {
        let client = self.database.client().await;
        // One in hand is due much later.
        let sql = "SELECT 1 FROM mails WHERE attempts > 0 AND due_at < now() + interval '15 seconds'";
        wait::until("a mail has to wait", async || client.query_opt(sql, &[]).await.unwrap().is_some()).await;
    }

    /// Until this became of a mail.
    pub(crate) async fn mail_was(&self, kind: &str, result: &str) {
        let line = format!(r#"auth_mails_total{{kind="{kind}",result="{result}"}} "#);
        wait::until(&line, async || {
            let metrics = self.to(Method::GET, "/metrics").send().await.unwrap().text().await.unwrap();
            metrics.lines().any(|found| found.starts_with(&line))
        })
        .await;
    }

    /// As if all mails had been sent a day earlier.
    pub(crate) async fn a_day_later(&self) {
        let client = self.database.client().await;
        let sql = "UPDATE mail_tokens SET expires_at = expires_at - interval '1 day'";
        assert!(client.execute(sql, &[]).await.unwrap() > 0);
    }
}
