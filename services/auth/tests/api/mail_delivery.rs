//! The way to the mail server, and what may happen on it.

use std::io;
use std::sync::{Mutex, OnceLock};
use std::time::{Duration, Instant};

use millrace_testkit::proxy::ChaosProxy;
use reqwest::Method;
use serde_json::{Value, json};
use tracing_subscriber::fmt::MakeWriter;

use crate::mail_server::{MailServer, mail, mail_with_tls, token};
use crate::stage::{PASSWORD, Stage, answer};

#[actix_web::test]
async fn with_the_mail_server_away_the_mail_comes_when_it_is_back() {
    let mut server = MailServer::start(&["plain"]).await;
    let wire = ChaosProxy::before(&server.url("smtp", "")).await;
    let url = wire.url(&server.url("smtp", ""));
    let stage = Stage::with(|config| config.mail = Some(mail(&url))).await;
    let ada = stage.person("ada").await;
    wire.cut();
    assert_eq!(stage.forgot(&ada.email).await.0, 202);
    stage.a_mail_has_to_wait().await;
    wire.mend();
    assert_eq!(stage.reset(&token(&server.mail().await), "purple otter juggles").await.0, 204);
    stage.mail_was("reset", "sent").await;
}

#[actix_web::test]
async fn a_mail_that_waits_outlives_a_restart() {
    let mut server = MailServer::start(&["plain"]).await;
    let wire = ChaosProxy::before(&server.url("smtp", "")).await;
    let url = wire.url(&server.url("smtp", ""));
    let mut stage = Stage::with(|config| config.mail = Some(mail(&url))).await;
    let ada = stage.person("ada").await;
    wire.cut();
    stage.forgot(&ada.email).await;
    stage.a_mail_has_to_wait().await;
    wire.mend();
    stage.restart_with(|config| config.mail = Some(mail(&url))).await;
    assert_eq!(server.mail().await["to"], json!([ada.email]));
}

#[actix_web::test]
async fn a_mail_server_that_hangs_holds_nobody_up() {
    let server = MailServer::start(&["hanging"]).await;
    let mut config = mail(&server.url("smtp", ""));
    config.patience = Duration::from_millis(300);
    let stage = Stage::with(|settings| settings.mail = Some(config)).await;
    let ada = stage.person("ada").await;
    let started = Instant::now();
    for _ in 0..3 {
        assert_eq!(stage.forgot(&ada.email).await.0, 202);
    }
    stage.mail_was("reset", "postponed").await;
    assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
    assert_eq!(stage.login(&ada.email, PASSWORD).await.0, 200);
}

#[actix_web::test]
async fn a_mailbox_that_does_not_exist_is_given_up_at_once() {
    let server = MailServer::start(&["refusing"]).await;
    let stage = Stage::with_mail(&server, |_| {}).await;
    let ada = stage.person("ada").await;
    assert_eq!(stage.forgot(&ada.email).await.0, 202);
    stage.mail_was("reset", "refused").await;
    stage.no_mail_waits().await;
}

#[actix_web::test]
async fn a_mail_server_that_is_busy_is_asked_again() {
    let mut server = MailServer::start(&["busy"]).await;
    let stage = Stage::with_mail(&server, |_| {}).await;
    let ada = stage.person("ada").await;
    stage.forgot(&ada.email).await;
    let mail = server.mail().await;
    stage.mail_was("reset", "postponed").await;
    assert_eq!(stage.reset(&token(&mail), "purple otter juggles").await.0, 204, "the newest token was sent");
}

#[actix_web::test]
async fn over_tls_it_takes_the_certificate_and_the_password() {
    for (mode, scheme, parameter) in [("starttls", "smtp", "?tls=required"), ("smtps", "smtps", "")] {
        let folder = tempfile::tempdir().unwrap();
        let authority = folder.path().join("ca.pem");
        let arguments = [mode, authority.to_str().unwrap(), "mailer@example.com", "p@ss word"];
        let mut server = MailServer::start(&arguments).await;
        let url = |user: &str| format!("{}{parameter}", server.url(scheme, user));
        let right = url("mailer%40example.com:p%40ss%20word@");
        let good = mail_with_tls(&right, authority.clone());
        let strangers = mail(&right);
        let wrong = mail_with_tls(&url("mailer%40example.com:guess@"), authority.clone());
        for refused in [strangers, wrong] {
            let stage = Stage::with(|config| config.mail = Some(refused)).await;
            let bob = stage.person("bob").await;
            stage.forgot(&bob.email).await;
            stage.mail_was("reset", "postponed").await;
        }
        let stage = Stage::with(|config| config.mail = Some(good)).await;
        let ada = stage.person("ada").await;
        stage.forgot(&ada.email).await;
        let mail = server.mail().await;
        assert_eq!(mail["to"], json!([ada.email]), "Bob's mails never arrived");
        assert_eq!((&mail["tls"], &mail["user"]), (&json!(true), &json!("mailer@example.com")));
    }
}

#[actix_web::test]
async fn a_server_without_the_tls_that_is_required_gets_nothing() {
    let server = MailServer::start(&["plain"]).await;
    let folder = tempfile::tempdir().unwrap();
    let authority = folder.path().join("ca.pem");
    let _another = MailServer::start(&["starttls", authority.to_str().unwrap(), "u", "p"]).await;
    let url = server.url("smtp", "mailer:secret@") + "?tls=required";
    let stage = Stage::with(|config| config.mail = Some(mail_with_tls(&url, authority))).await;
    let ada = stage.person("ada").await;
    stage.forgot(&ada.email).await;
    stage.mail_was("reset", "postponed").await;
}

#[actix_web::test]
async fn names_and_addresses_are_spelled_as_they_are_and_add_no_header() {
    let (mut server, stage) = MailServer::with_stage().await;
    let (plain, evil) = (stage.person("ada").await, stage.person("eve").await);
    let client = stage.database.client().await;
    let rename = "UPDATE accounts SET full_name = $2 WHERE id = $1";
    let name = "Ada\r\nBcc: victim@example.com\r\n\r\nClick here";
    client.execute(rename, &[&evil.id.0, &name]).await.unwrap();
    client.execute(rename, &[&plain.id.0, &"Zoë Ñandú, 株式会社"]).await.unwrap();
    client
        .execute("UPDATE accounts SET email = 'zoë@münchen.example' WHERE id = $1", &[&plain.id.0])
        .await
        .unwrap();

    stage.forgot("Zoë@MÜNCHEN.example").await;
    let mail = server.mail().await;
    assert_eq!((&mail["to"], &mail["utf8"]), (&json!(["zoë@xn--mnchen-3ya.example"]), &json!(true)));
    assert_eq!(mail["header_to"]["name"], "Zoë Ñandú, 株式会社");
    assert!(mail["text"].as_str().unwrap().starts_with("Hello Zoë Ñandú, 株式会社,"), "{mail}");
    let headers = mail["header_lines"].clone();

    stage.forgot(&evil.email).await;
    let mail = server.mail().await;
    assert_eq!(mail["to"], json!([evil.email]));
    assert_eq!((&mail["header_lines"], &mail["headers"]["bcc"]), (&headers, &Value::Null));
    assert_eq!(mail["header_to"]["name"], "Ada Bcc: victim@example.com Click here");
    assert_eq!(mail["defects"], json!([]));
}

#[actix_web::test]
async fn no_secret_is_in_the_log() {
    let log = Log::start();
    let folder = tempfile::tempdir().unwrap();
    let authority = folder.path().join("ca.pem");
    let arguments = ["starttls", authority.to_str().unwrap(), "mailer", "sesame-opens"];
    let mut server = MailServer::start(&arguments).await;
    let url = server.url("smtp", "mailer:sesame-opens@") + "?tls=required";
    let stage = Stage::with(|config| config.mail = Some(mail_with_tls(&url, authority))).await;
    let ada = stage.newcomer("ada").await;
    let verification = token(&server.mail().await);
    stage.verify(&verification).await;
    stage.forgot(&ada.email).await;
    let reset = token(&server.mail().await);
    assert_eq!(stage.reset(&reset, "purple otter juggles").await.0, 204);
    assert_eq!(answer(stage.to(Method::GET, "/health")).await.0, 200);
    stage.no_mail_waits().await;

    let said = log.text();
    assert!(said.contains("a mail is sent") && said.contains("password.reset"), "{said}");
    let encoded = "bWFpbGVyAHNlc2FtZS1vcGVucw"; // mailer\0sesame-opens, as AUTH PLAIN has it
    for secret in [&verification, &reset, "sesame-opens", encoded, "purple otter", &ada.email] {
        assert!(!said.contains(secret), "{secret} is in the log");
    }
}

/// Everything that is logged in this process, whatever its level.
#[derive(Clone, Copy)]
struct Log;

static LOGGED: Mutex<Vec<u8>> = Mutex::new(Vec::new());

impl Log {
    fn start() -> Self {
        static STARTED: OnceLock<()> = OnceLock::new();
        STARTED.get_or_init(|| {
            let subscriber = tracing_subscriber::fmt()
                .with_max_level(tracing::Level::TRACE)
                .with_writer(Self)
                .with_ansi(false)
                .finish();
            tracing::subscriber::set_global_default(subscriber).unwrap();
        });
        Self
    }

    fn text(self) -> String {
        String::from_utf8_lossy(&LOGGED.lock().unwrap()).into_owned()
    }
}

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        LOGGED.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Log {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        Self
    }
}
