//! Signing in, staying signed in, and signing out.

use std::time::{Duration, Instant};

use millrace_domain::ids::SessionId;
use millrace_messaging::tokens::TokenVerifier;
use millrace_testkit::wait;
use reqwest::Method;
use reqwest::header::{CACHE_CONTROL, CONTENT_TYPE, USER_AGENT};
use serde_json::{Value, json};

use crate::stage::{PASSWORD, Person, Stage, answer};

const REFRESH: &str = "/api/v1/auth/refresh";
const SESSIONS: &str = "/api/v1/auth/sessions";

impl Stage {
    /// The same person, signed in once more.
    async fn again(&self, person: &Person) -> Person {
        let (status, granted) = self.login(&person.email, PASSWORD).await;
        assert_eq!(status, 200, "{granted}");
        Person { id: person.id, email: person.email.clone(), ..Person::granted(&granted) }
    }

    async fn refresh(&self, token: &str) -> (u16, Value) {
        answer(self.to(Method::POST, REFRESH).json(&json!({"refresh_token": token}))).await
    }

    /// The id of the session that the person speaks from.
    async fn session_of(&self, person: &Person) -> SessionId {
        let (status, list) = self.get(SESSIONS, person).await;
        assert_eq!(status, 200, "{list}");
        let current = list["data"].as_array().unwrap().iter().find(|one| one["current"] == true).unwrap();
        current["id"].as_str().unwrap().parse().unwrap()
    }

    async fn may(&self, person: &Person) -> bool {
        let (status, _) = self.get("/api/v1/auth/verify", person).await;
        assert!([200, 401].contains(&status), "{status}");
        status == 200
    }

    /// Backdates what was replaced, as if time had passed.
    async fn an_hour_later(&self) {
        let client = self.database.client().await;
        let sql = "UPDATE refresh_tokens SET replaced_at = replaced_at - interval '1 hour'";
        client.execute(sql, &[]).await.unwrap();
    }
}

/// Until another service, which remembers what auth says, refuses the token; at most a second.
pub(crate) async fn refused_within_a_second(verifier: &TokenVerifier, person: &Person) {
    let ended = Instant::now();
    let refused = async || verifier.verify(&person.access).await.unwrap().is_none();
    wait::until("the token is refused", refused).await;
    assert!(ended.elapsed() < Duration::from_secs(1), "it took {:?}", ended.elapsed());
}

#[actix_web::test]
async fn a_refresh_token_gets_the_next_two() {
    let stage = Stage::set().await;
    let ada = stage.person("ada").await;
    let body = json!({"refresh_token": ada.refresh});
    let response = stage.to(Method::POST, REFRESH).json(&body).send().await.unwrap();
    assert_eq!(
        (response.status().as_u16(), &response.headers()[CACHE_CONTROL]),
        (200, &"no-store".parse().unwrap())
    );
    let granted: Value = response.json().await.unwrap();
    assert_eq!((&granted["token_type"], &granted["expires_in"]), (&json!("bearer"), &json!(900)));
    assert_eq!(granted["refresh_expires_in"], 7 * 24 * 3600);
    let next = Person::granted(&granted);
    assert!(next.access != ada.access && next.refresh != ada.refresh);
    assert_eq!(stage.session_of(&next).await, stage.session_of(&ada).await);
    let (_, me) = stage.get("/api/v1/auth/me", &next).await;
    assert_eq!(me["id"], json!(ada.id));
}

#[actix_web::test]
async fn oauth_clients_refresh_with_a_form() {
    let stage = Stage::set().await;
    let ada = stage.person("ada").await;
    let form = format!("grant_type=refresh_token&refresh_token={}&scope=", ada.refresh);
    let request =
        stage.to(Method::POST, REFRESH).header(CONTENT_TYPE, "application/x-www-form-urlencoded").body(form);
    assert_eq!(answer(request).await.0, 200);
}

#[actix_web::test]
async fn a_stolen_refresh_token_ends_the_session_for_both() {
    let stage = Stage::set().await;
    let ada = stage.person("ada").await;
    let verifier = stage.verifier().await;
    let thief = Person::granted(&stage.refresh(&ada.refresh).await.1);
    assert!(verifier.verify(&thief.access).await.unwrap().is_some());
    stage.an_hour_later().await;
    let (status, problem) = stage.refresh(&ada.refresh).await;
    assert_eq!((status, &problem["code"]), (401, &json!("unauthenticated")));
    refused_within_a_second(&verifier, &thief).await;
    assert!(!stage.may(&thief).await && !stage.may(&ada).await);
    assert_eq!(stage.refresh(&thief.refresh).await.0, 401);
    let metrics = stage.to(Method::GET, "/metrics").send().await.unwrap().text().await.unwrap();
    assert!(metrics.contains("auth_refresh_tokens_reused_total"), "{metrics}");
}

#[actix_web::test]
async fn whatever_is_wrong_with_a_refresh_token_the_answer_is_the_same() {
    let stage = Stage::set().await;
    let ada = stage.person("ada").await;
    stage.refresh(&ada.refresh).await;
    stage.an_hour_later().await;
    let unknown = millrace_security::refresh_token::RefreshToken::generate().unwrap();
    let mut answers = Vec::new();
    for token in [ada.refresh.as_str(), &ada.refresh, unknown.reveal(), &ada.access, "", "mrr_"] {
        let (status, mut problem) = stage.refresh(token).await;
        assert_eq!(status, 401, "{problem}");
        problem["request_id"].take();
        answers.push(problem);
    }
    assert!(answers.windows(2).all(|pair| pair[0] == pair[1]), "{answers:?}");
    let (status, problem) = answer(stage.to(Method::POST, REFRESH).json(&json!({}))).await;
    assert_eq!((status, &problem["errors"][0]["field"]), (422, &json!("refresh_token")));
}

#[actix_web::test]
async fn signing_out_takes_the_tokens_away_everywhere() {
    let stage = Stage::set().await;
    let ada = stage.person("ada").await;
    let elsewhere = stage.again(&ada).await;
    let verifier = stage.verifier().await;
    assert!(verifier.verify(&ada.access).await.unwrap().is_some());
    let (status, _) = stage.post("/api/v1/auth/logout", &ada, json!({})).await;
    assert_eq!(status, 204);
    refused_within_a_second(&verifier, &ada).await;
    for path in ["/api/v1/auth/me", "/api/v1/auth/verify", "/api/v1/projects", SESSIONS] {
        let (status, problem) = stage.get(path, &ada).await;
        assert_eq!((status, &problem["code"]), (401, &json!("unauthenticated")), "{path}");
    }
    assert_eq!(stage.refresh(&ada.refresh).await.0, 401);
    assert!(stage.may(&elsewhere).await, "other sessions go on");
    assert!(verifier.verify(&elsewhere.access).await.unwrap().is_some());
}

#[actix_web::test]
async fn a_session_that_has_ended_stays_ended_over_a_restart() {
    let mut stage = Stage::set().await;
    let (ada, bob) = (stage.person("ada").await, stage.person("bob").await);
    stage.post("/api/v1/auth/logout", &ada, json!({})).await;
    stage.restart().await;
    assert!(!stage.may(&ada).await && stage.may(&bob).await);
    assert_eq!(stage.refresh(&ada.refresh).await.0, 401);
    assert_eq!(stage.refresh(&bob.refresh).await.0, 200);
}

#[actix_web::test]
async fn people_see_and_end_their_own_sessions() {
    let stage = Stage::set().await;
    let (ada, bob) = (stage.person("ada").await, stage.person("bob").await);
    let body = json!({"email": ada.email, "password": PASSWORD});
    let agent = "x".repeat(300);
    let request = stage
        .to(Method::POST, "/api/v1/auth/login")
        .header(USER_AGENT, &agent)
        .header("x-forwarded-for", "192.0.2.7")
        .json(&body);
    let phone = Person::granted(&answer(request).await.1);
    let (_, list) = stage.get(SESSIONS, &ada).await;
    let list = list["data"].as_array().unwrap();
    assert_eq!(list.len(), 2);
    assert_eq!((&list[0]["current"], &list[1]["current"]), (&json!(false), &json!(true)));
    assert_eq!((&list[0]["address"], &list[1]["address"]), (&json!("192.0.2.7"), &json!("127.0.0.1")));
    assert_eq!(list[0]["user_agent"].as_str().unwrap().len(), 200);

    let path = format!("{SESSIONS}/{}", stage.session_of(&phone).await);
    assert_eq!(stage.delete(&path, &bob).await, 404, "it is not Bob's");
    assert!(stage.may(&phone).await);
    assert_eq!(stage.delete(&path, &ada).await, 204);
    assert!(!stage.may(&phone).await && stage.may(&ada).await);
    assert_eq!(stage.delete(&path, &ada).await, 404);
    assert_eq!(stage.delete(&format!("{SESSIONS}/nonsense"), &ada).await, 404);
}

#[actix_web::test]
async fn with_the_broker_away_a_session_ends_all_the_same() {
    let stage = Stage::set().await;
    let ada = stage.person("ada").await;
    stage.nats_wire.cut();
    assert!(stage.may(&ada).await);
    assert_eq!(stage.post("/api/v1/auth/logout", &ada, json!({})).await.0, 204);
    assert!(!stage.may(&ada).await);
    stage.nats_wire.mend();
}

#[actix_web::test]
async fn what_one_replica_ends_the_other_refuses() {
    let stage = Stage::set().await;
    let ada = stage.person("ada").await;
    let other = stage.replica().await;
    let verify = async || {
        let path = format!("{}/api/v1/auth/verify", other.url);
        answer(stage.client.get(path).bearer_auth(&ada.access)).await.0
    };
    assert_eq!(verify().await, 200);
    stage.nats_wire.cut();
    // A replica that is on another wire hears of it by Redis alone.
    assert_eq!(stage.post("/api/v1/auth/logout", &ada, json!({})).await.0, 204);
    let ended = Instant::now();
    wait::until("the token is refused", async || verify().await == 401).await;
    assert!(ended.elapsed() < Duration::from_secs(1), "it took {:?}", ended.elapsed());
    stage.nats_wire.mend();
}
