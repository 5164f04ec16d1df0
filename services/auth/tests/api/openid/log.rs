//! What the log tells of a sign-in, at its most talkative.

use std::io::{self, Write};
use std::sync::Mutex;

use oauth2::url::Url;
use serde_json::{Value, json};

use super::browser::{Browser, parameter};
use super::provider::{Honest, Hostile};
use super::sign_in::ada;

static LOG: Mutex<Vec<u8>> = Mutex::new(Vec::new());

/// Writes to [`LOG`]. Other tests of the process may write there as well.
struct Log;

impl Write for Log {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        LOG.lock().unwrap().write(line)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn listen() {
    let everything = tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE);
    // The other of the two tests may have been first.
    let _ = tracing::subscriber::set_global_default(everything.with_writer(|| Log).finish());
}

fn logged() -> String {
    String::from_utf8(LOG.lock().unwrap().clone()).unwrap()
}

fn secrets(at: &Url, callback: &Url) -> Vec<String> {
    let sent = ["state", "nonce"].map(|name| parameter(at, name).unwrap());
    sent.into_iter().chain(parameter(callback, "code")).collect()
}

#[actix_web::test]
async fn a_sign_in_leaves_no_secrets_there() {
    listen();
    let provider = Honest::start().await;
    let stage = provider.stage().await;
    let mut browser = Browser::open();
    let at = browser.begin(&stage).await;
    let mut secrets_of_it = browser.kept();
    let callback = browser.sign_in(at.clone(), &ada()).await;
    let seen = browser.come_back(&stage, &callback).await;
    assert_eq!(seen.status, 200, "{}", seen.body);
    secrets_of_it.extend(secrets(&at, &callback));
    secrets_of_it
        .extend(["access_token", "refresh_token"].map(|name| seen.body[name].as_str().unwrap().to_owned()));
    secrets_of_it.push("a secret & a half".to_owned());
    secrets_of_it.push("a+secret".to_owned());
    let logged = logged();
    assert!(logged.contains("an identity of a provider signs in to an account from now on"), "{logged}");
    for secret in secrets_of_it {
        assert!(!logged.contains(&secret), "{secret} is in the log:\n{logged}");
    }
}

#[actix_web::test]
async fn a_sign_in_that_fails_leaves_none_either() {
    listen();
    let provider = Hostile::start().await;
    let stage = provider.stage().await;
    for (how, said) in [
        (json!({"token": "garbage"}), "the token endpoint's answer"),
        (json!({"claims": {"aud": "somebody else"}}), "an ID token was refused"),
        (
            json!({"claims": {"email": null}, "user_info": {"sub": "mallory", "email": 7}}),
            "not as expected at line",
        ),
        (json!({"callback": {"error": "invalid_scope"}}), "invalid_scope"),
    ] {
        provider.behaves(how).await;
        let mut browser = Browser::open();
        let at = browser.begin(&stage).await;
        let callback = browser.sign_in(at.clone(), &Value::Null).await;
        assert_ne!(browser.come_back(&stage, &callback).await.status, 200);
        let logged = logged();
        assert!(logged.contains(said), "{said}:\n{logged}");
        for secret in
            secrets(&at, &callback).into_iter().chain(browser.kept()).chain(["not-for-the-log".to_owned()])
        {
            assert!(!logged.contains(&secret), "{secret} is in the log:\n{logged}");
        }
    }
}
