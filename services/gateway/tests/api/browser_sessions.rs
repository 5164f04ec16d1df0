//! How a browser's session goes on, and how it ends.

use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::StreamExt;
use futures_util::future::join_all;
use millrace_domain::ids::AccountId;
use millrace_messaging::subjects;
use millrace_storage::sessions;
use millrace_testkit::wait;
use reqwest::Method;
use serde_json::{Value, json};

use crate::browser::{Answer, Browser, ME};
use crate::gateway::{Gateway, nobody};
use crate::stage::{PASSWORD, Stage};
use crate::upstream::Upstream;

const LOGOUT: &str = "/api/v1/auth/logout";
const SESSIONS: &str = "/api/v1/auth/sessions";

/// Until the browser is told that its session has ended; at most a second.
async fn ended_within_a_second(browser: &Browser<'_>) {
    let ended = Instant::now();
    let answer: Answer = wait::until_some("the cookie is refused", async || {
        let answer = browser.get(ME).await;
        // A service may be the first to know; then the cookie goes with the next request.
        (answer.status == 401 && answer.clears()).then_some(answer)
    })
    .await;
    assert!(ended.elapsed() < Duration::from_secs(1), "it took {:?}", ended.elapsed());
    assert!(answer.body["detail"].as_str().unwrap().contains("sign in again"), "{answer:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn signing_out_ends_the_session_and_clears_the_cookies() {
    let stage = Stage::set().await;
    let gateway = stage.gateway();
    let (email, _) = stage.person("ada").await;
    let (browser, elsewhere) = (Browser::of(&gateway, &email).await, Browser::of(&gateway, &email).await);
    let thief = browser.copy();
    let answer = browser.post(LOGOUT, json!({})).await;
    assert_eq!(answer.status, 204);
    assert!(answer.clears(), "{answer:?}");
    let answer = browser.get(ME).await;
    assert!(answer.status == 401 && answer.set_cookies().is_empty(), "there is nothing to clear: {answer:?}");
    ended_within_a_second(&thief).await;
    assert_eq!(elsewhere.get(ME).await.status, 200, "other sessions go on");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_is_ended_elsewhere_is_over_within_a_second() {
    let stage = Stage::set().await;
    let gateway = stage.gateway();
    let ((ada, _), (bob, _)) = (stage.person("ada").await, stage.person("bob").await);
    let [phone, laptop, other] = [
        Browser::of(&gateway, &ada).await,
        Browser::of(&gateway, &ada).await,
        Browser::of(&gateway, &bob).await,
    ];
    let list = phone.get(SESSIONS).await.body;
    let list = list["data"].as_array().unwrap();
    let id =
        list.iter().find(|session| session["current"] == false).unwrap()["id"].as_str().unwrap().to_owned();
    let request =
        phone.request(Method::DELETE, &format!("{SESSIONS}/{id}")).header("X-CSRF-Token", phone.csrf());
    assert_eq!(request.send().await.unwrap().status(), 204);
    ended_within_a_second(&laptop).await;
    assert_eq!((phone.get(ME).await.status, other.get(ME).await.status), (200, 200));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_password_keeps_the_session_that_chose_it_and_ends_the_others() {
    let stage = Stage::set().await;
    let gateway = stage.gateway();
    let (email, _) = stage.person("ada").await;
    let (browser, elsewhere) = (Browser::of(&gateway, &email).await, Browser::of(&gateway, &email).await);
    let body = json!({"current_password": PASSWORD, "new_password": "seven purple elephants"});
    assert_eq!(browser.post("/api/v1/auth/password", body).await.status, 204);
    ended_within_a_second(&elsewhere).await;
    assert_eq!(browser.get(ME).await.status, 200);
}

impl Stage {
    /// When the account's only session was used last, and when it ends.
    async fn times(&self, account: AccountId) -> (DateTime<Utc>, DateTime<Utc>) {
        let open = sessions::of_account(&mut *self.store().await, account, Utc::now()).await.unwrap();
        assert_eq!(open.len(), 1);
        (open[0].last_used_at, open[0].expires_at)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cookie_that_is_no_longer_young_is_replaced_while_it_is_used() {
    let stage = Stage::with(|auth| auth.cookie_renewal = Duration::ZERO).await;
    let gateway = stage.gateway();
    let (email, ada) = stage.person("ada").await;
    let browser = Browser::before(&gateway);
    browser.sign_in(&email).await;
    let (used, ends) = stage.times(ada).await;
    let (first, csrf, old_tab) = (browser.session(), browser.csrf(), browser.copy());
    let answer =
        wait::until_some("auth answers", async || Some(browser.get(ME).await).filter(|a| a.status != 503))
            .await;
    assert_eq!(answer.status, 200);
    let [session, _] = answer.set_cookies()[..] else { panic!("both are set: {answer:?}") };
    assert!(session.ends_with("; Max-Age=604800; HttpOnly; Path=/; SameSite=Lax"), "{session}");
    assert!(browser.session() != first && browser.csrf() == csrf, "the token is the session's");
    let (used_again, ends_later) = stage.times(ada).await;
    assert!(used_again > used && ends_later > ends);

    // The page in the other tab has the older one, and a token that it read before.
    assert_eq!(old_tab.post("/api/v1/projects", json!({"name": "Shop"})).await.status, 201);
    assert_eq!(browser.post("/api/v1/projects", json!({"name": "Blog"})).await.status, 201);
    let (bearer, _) = (browser.post(LOGOUT, json!({})).await, ());
    assert_eq!(bearer.status, 204);
    ended_within_a_second(&old_tab).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_requests_at_once_are_one_question() {
    let stage = Stage::with(|auth| auth.cookie_renewal = Duration::ZERO).await;
    let gateway = stage.gateway();
    let (email, _) = stage.person("ada").await;
    // The gateway and auth have found each other.
    Browser::of(&gateway, &email).await;
    let tab = Browser::before(&gateway);
    tab.sign_in(&email).await;
    let tabs: Vec<Browser<'_>> = (0..24).map(|_| tab.copy()).collect();

    let broker = stage.broker().await;
    let mut questions = broker.client().subscribe(subjects::OPEN_SESSION).await.unwrap();
    // When this has come back, what comes after it will be seen.
    broker.client().publish(subjects::OPEN_SESSION, "begin".into()).await.unwrap();
    assert_eq!(questions.next().await.unwrap().payload, "begin");
    let answers = join_all(tabs.iter().map(|tab| tab.get(ME))).await;
    assert!(answers.iter().all(|answer| answer.status == 200), "{answers:?}");
    let renewed: std::collections::BTreeSet<String> = tabs.iter().map(Browser::session).collect();
    assert!(renewed.len() == 1 && !renewed.contains(&tab.session()), "all go on with the same: {renewed:?}");
    // Whatever was asked before this has arrived before it.
    broker.client().publish(subjects::OPEN_SESSION, "end".into()).await.unwrap();
    let mut asked = 0;
    while questions.next().await.unwrap().payload != "end" {
        asked += 1;
    }
    assert_eq!(asked, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cookie_outlives_the_key_that_signed_it_and_access_tokens_do_not() {
    let stage = Stage::set().await;
    let gateway = stage.gateway();
    let (email, _) = stage.person("ada").await;
    let browser = Browser::of(&gateway, &email).await;
    let body = json!({"email": email, "password": PASSWORD});
    let granted: Value = crate::gateway::client()
        .post(gateway.url("/api/v1/auth/login"))
        .json(&body)
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    let token = granted["access_token"].as_str().unwrap();
    let bearer = async || {
        crate::gateway::client()
            .get(gateway.url(ME))
            .bearer_auth(token)
            .send()
            .await
            .unwrap()
            .status()
            .as_u16()
    };
    assert_eq!(bearer().await, 200);

    stage.rotate(Some(TimeDelta::days(6))).await;
    wait::until("the old key is not believed for access tokens", async || bearer().await == 401).await;
    let published = browser.get("/.well-known/jwks.json").await.body;
    assert_eq!(published["keys"].as_array().unwrap().len(), 1, "it has left the set");
    // What the gateway remembers is signed with the old key; it is told to forget it.
    wait::until("the session goes on", async || browser.get(ME).await.status == 200).await;

    let client = stage.database.client().await;
    let later = "UPDATE signing_keys SET retired_at = retired_at - interval '2 days'";
    client.execute(later, &[]).await.unwrap();
    stage.rotate(Some(TimeDelta::zero())).await;
    wait::until("after the seven days of its cookies it is forgotten", async || {
        browser.copy().get(ME).await.status == 401
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_stolen_key_has_signed_ends_at_once() {
    let stage = Stage::set().await;
    let gateway = stage.gateway();
    let (email, _) = stage.person("ada").await;
    let browser = Browser::of(&gateway, &email).await;
    stage.rotate(None).await;
    ended_within_a_second(&browser).await;
    assert_eq!(browser.sign_in(&email).await.status, 200);
    wait::until("people sign in again", async || browser.get(ME).await.status == 200).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn with_auth_away_the_cookies_that_are_known_go_on() {
    let stage = Stage::set().await;
    let gateway = stage.gateway();
    let (email, ada) = stage.person("ada").await;
    stage.project_of(ada).await;
    let stats = "/api/v1/stats/dau?from=2026-11-01&to=2026-11-01";
    let (known, unknown) = (Browser::of(&gateway, &email).await, Browser::before(&gateway));
    unknown.sign_in(&email).await;
    assert_eq!(known.get(stats).await.status, 200);
    stage.without_auth();
    wait::until("auth is away", async || {
        let answer = unknown.copy().get(stats).await;
        answer.status == 503 && answer.headers.contains_key("retry-after") && !answer.clears()
    })
    .await;
    assert_eq!(known.get(stats).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_without_a_broker_serves_whoever_shows_no_cookie() {
    let upstream = Upstream::mirror();
    let gateway = Gateway::with({
        let mut settings = crate::gateway::settings(upstream.address);
        settings.nats_url = format!("nats://{}", nobody());
        settings
    });
    let browser = Browser::before(&gateway);
    assert_eq!(browser.get("/api/v1/stats/dau").await.status, 200);
    browser.put("a..b.c.d");
    let answer = browser.get("/api/v1/stats/dau").await;
    assert_eq!((answer.status, answer.code()), (503, "unavailable"));
    assert!(answer.headers.contains_key("retry-after") && !answer.clears(), "{answer:?}");
    let ready = gateway.get("/health/ready").await;
    assert_eq!(ready.status(), 200);
    let report: Value = ready.json().await.unwrap();
    let nats = report["dependencies"].as_array().unwrap().iter().find(|d| d["name"] == "nats").unwrap();
    assert_eq!((&report["status"], &nats["status"]), (&json!("degraded"), &json!("down")));
}
