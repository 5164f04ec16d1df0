//! What somebody can do who has a browser, an account at the provider, and patience. The provider is honest.

use oauth2::url::Url;
use serde_json::{Value, json};

use super::browser::{Browser, parameter, with};
use super::provider::Honest;
use super::sign_in::ada;
use crate::stage::{Person, Stage};

const BEGIN_AGAIN: &str =
    "this sign-in was not begun in this browser, is finished already, or took too long: begin again";
const NOT_THE_PROVIDER: &str = "the answer is not from the provider that was asked: begin again";
const BAD_CODE: &str = "the provider does not accept the code of this sign-in: begin again";

fn mallory() -> Value {
    json!({"sub": "mallory-at-the-provider", "email": "mallory@example.com", "email_verified": true})
}

/// Somebody who has signed in at the provider and is about to come back.
struct OnTheWay {
    browser: Browser,
    callback: Url,
}

impl OnTheWay {
    async fn with(stage: &Stage, claims: &Value) -> Self {
        let mut browser = Browser::open();
        let at = browser.begin(stage).await;
        let callback = browser.sign_in(at, claims).await;
        Self { browser, callback }
    }

    fn code(&self) -> String {
        parameter(&self.callback, "code").unwrap()
    }

    async fn arrives(&mut self, stage: &Stage) -> Person {
        let seen = self.browser.come_back(stage, &self.callback).await;
        assert_eq!(seen.status, 200, "{}", seen.body);
        Person::granted(&seen.body)
    }
}

async fn accounts(stage: &Stage) -> i64 {
    stage.database.client().await.query_one("SELECT count(*) FROM accounts", &[]).await.unwrap().get(0)
}

#[actix_web::test]
async fn a_callback_is_good_once() {
    let provider = Honest::start().await;
    let stage = provider.stage().await;
    let mut ada = OnTheWay::with(&stage, &ada()).await;
    let callback = ada.callback.clone();
    let (browser, copy) = (&mut ada.browser, callback.clone());
    assert_eq!(browser.come_back(&stage, &copy).await.status, 200);
    assert_eq!(browser.come_back(&stage, &callback).await.refusal(), (400, BEGIN_AGAIN));
}

#[actix_web::test]
async fn a_code_is_good_once_whatever_it_is_shown_with() {
    let provider = Honest::start().await;
    let stage = provider.stage().await;
    let mut used = OnTheWay::with(&stage, &ada()).await;
    used.arrives(&stage).await;
    let mut thief = OnTheWay::with(&stage, &mallory()).await;
    let replayed = with(&thief.callback, "code", Some(&used.code()));
    assert_eq!(thief.browser.come_back(&stage, &replayed).await.refusal(), (401, BAD_CODE));
}

// Code injection: RFC 9700, 4.5. The verifier that is kept with the state is not the one that the code was asked with.
#[actix_web::test]
async fn a_stolen_code_is_of_no_use_in_the_thiefs_browser() {
    let provider = Honest::start().await;
    let stage = provider.stage().await;
    let (victim, mut thief) =
        (OnTheWay::with(&stage, &ada()).await, OnTheWay::with(&stage, &mallory()).await);
    let injected = with(&thief.callback, "code", Some(&victim.code()));
    assert_eq!(thief.browser.come_back(&stage, &injected).await.refusal(), (401, BAD_CODE));
    assert_eq!(accounts(&stage).await, 0);
}

#[actix_web::test]
async fn nobody_is_made_to_use_the_attackers_account() {
    let provider = Honest::start().await;
    let stage = provider.stage().await;
    let (mut victim, mut attacker) =
        (OnTheWay::with(&stage, &ada()).await, OnTheWay::with(&stage, &mallory()).await);
    // The attacker's code in the victim's own sign-in.
    let injected = with(&victim.callback, "code", Some(&attacker.code()));
    assert_eq!(victim.browser.come_back(&stage, &injected).await.refusal(), (401, BAD_CODE));
    // The attacker's whole callback, as a link, in browsers that have begun a sign-in of their own or none.
    let mut begun = Browser::open();
    begun.begin(&stage).await;
    for browser in [&mut begun, &mut Browser::open()] {
        let seen = browser.come_back(&stage, &attacker.callback).await;
        assert_eq!(seen.refusal(), (400, BEGIN_AGAIN));
    }
    assert_eq!(accounts(&stage).await, 0);
    attacker.arrives(&stage).await;
}

#[actix_web::test]
async fn a_link_does_not_spoil_the_sign_in_that_somebody_is_about_to_finish() {
    let provider = Honest::start().await;
    let stage = provider.stage().await;
    let mut victim = OnTheWay::with(&stage, &ada()).await;
    for path in ["?state=guessed&code=x", "?state=&code=x", "?error=access_denied", "?code=x", ""] {
        let seen = victim.browser.look(&stage, &format!("/api/v1/auth/oidc/callback{path}")).await;
        assert_eq!(seen.status, 400, "{path}: {}", seen.body);
    }
    let doubled = format!("/api/v1/auth/oidc/callback?{0}&{0}", victim.callback.query().unwrap());
    assert_eq!(victim.browser.look(&stage, &doubled).await.status, 422);
    victim.arrives(&stage).await;
}

// Mix-up: RFC 9207. The provider says in its description that it names itself.
#[actix_web::test]
async fn an_answer_of_another_provider_is_not_taken() {
    let provider = Honest::start().await;
    let stage = provider.stage().await;
    let other = Honest::start().await;
    let close = format!("{}/", provider.issuer);
    for iss in [Some(other.issuer.as_str()), Some(&close), Some(""), None] {
        let mut victim = OnTheWay::with(&stage, &ada()).await;
        assert_eq!(parameter(&victim.callback, "iss").as_ref(), Some(&provider.issuer));
        let mixed = with(&victim.callback, "iss", iss);
        assert_eq!(
            victim.browser.come_back(&stage, &mixed).await.refusal(),
            (400, NOT_THE_PROVIDER),
            "{iss:?}"
        );
        let seen = victim.browser.come_back(&stage, &victim.callback).await;
        assert_eq!(seen.refusal(), (400, BEGIN_AGAIN), "the sign-in is over");
    }
    // An error from elsewhere does not pass for the provider's either.
    let mut victim = OnTheWay::with(&stage, &ada()).await;
    let denied = with(&with(&victim.callback, "error", Some("access_denied")), "iss", Some(&other.issuer));
    assert_eq!(victim.browser.come_back(&stage, &denied).await.refusal(), (400, NOT_THE_PROVIDER));
    assert_eq!(accounts(&stage).await, 0);
}

#[actix_web::test]
async fn a_code_of_another_provider_is_not_taken() {
    let (provider, other) = (Honest::start().await, Honest::start().await);
    let (stage, elsewhere) = (provider.stage().await, other.stage().await);
    let (mut victim, foreign) =
        (OnTheWay::with(&stage, &ada()).await, OnTheWay::with(&elsewhere, &mallory()).await);
    let mixed = with(&victim.callback, "code", Some(&foreign.code()));
    assert_eq!(victim.browser.come_back(&stage, &mixed).await.refusal(), (401, BAD_CODE));
}

#[actix_web::test]
async fn what_redis_keeps_tells_neither_state_nor_cookie() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    let provider = Honest::start().await;
    let stage = provider.stage().await;
    let at = Browser::open().begin(&stage).await;
    let redis: Url = stage.redis.url().parse().unwrap();
    let mut wire =
        tokio::net::TcpStream::connect((redis.host_str().unwrap(), redis.port().unwrap())).await.unwrap();
    let ask = format!("SELECT {}\r\nKEYS *\r\nQUIT\r\n", redis.path().trim_start_matches('/'));
    wire.write_all(ask.as_bytes()).await.unwrap();
    let mut names = String::new();
    wire.read_to_string(&mut names).await.unwrap();
    assert!(names.contains("mr:sign-in:"), "{names}");
    assert!(!names.contains(&parameter(&at, "state").unwrap()), "{names}");
}
