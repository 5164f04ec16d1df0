//! Wrong passwords, and what comes of too many.

use futures_util::future::join_all;
use reqwest::Method;
use reqwest::header::RETRY_AFTER;
use serde_json::{Value, json};

use crate::stage::{PASSWORD, Person, Stage, answer};

const LOGIN: &str = "/api/v1/auth/login";

impl Stage {
    /// A sign-in through the gateway, from this address.
    async fn login_from(&self, address: &str, email: &str, password: &str) -> u16 {
        let body = json!({"email": email, "password": password});
        answer(self.to(Method::POST, LOGIN).header("x-forwarded-for", address).json(&body)).await.0
    }
}

#[actix_web::test]
async fn the_sixth_wrong_password_of_a_minute_is_told_to_wait() {
    let stage = Stage::set().await;
    let ada = stage.person("ada").await;
    for host in 0..5 {
        assert_eq!(stage.login_from(&format!("192.0.2.{host}"), &ada.email, "wrong").await, 401);
    }
    let body = json!({"email": " ADA@example.com", "password": PASSWORD});
    let response = stage.to(Method::POST, LOGIN).json(&body).send().await.unwrap();
    let headers = response.headers().clone();
    assert_eq!(
        response.status().as_u16(),
        429,
        "the right one does not help, however the address is written"
    );
    let wait: u64 = headers[RETRY_AFTER].to_str().unwrap().parse().unwrap();
    assert!((50..=60).contains(&wait), "{wait}");
    assert_eq!(headers["ratelimit-policy"], r#""login";q=5;w=60"#);
    assert_eq!(headers["ratelimit"], format!(r#""login";r=0;t={wait}"#).as_str());
    let problem: Value = response.json().await.unwrap();
    assert_eq!(problem["code"], "too_many_requests");

    assert_eq!(stage.get("/api/v1/auth/me", &ada).await.0, 200, "sessions go on");
    let bob = stage.person("bob").await;
    assert_eq!(stage.login(&bob.email, PASSWORD).await.0, 200, "others sign in");
    let metrics = stage.to(Method::GET, "/metrics").send().await.unwrap().text().await.unwrap();
    for line in [r#"auth_logins_total{result="locked"} "#, r#"rate_limit_exceeded_total{scope="login"} "#] {
        assert!(metrics.lines().any(|found| found.starts_with(line)), "{metrics}");
    }
}

#[actix_web::test]
async fn an_address_that_tries_everybody_is_told_to_wait() {
    let stage = Stage::set().await;
    let ada = stage.person("ada").await;
    for name in ["a", "b", "c", "d", "not an address"] {
        assert_eq!(stage.login_from("192.0.2.9", name, PASSWORD).await, 401);
    }
    assert_eq!(stage.login_from("192.0.2.9", &ada.email, PASSWORD).await, 429);
    assert_eq!(stage.login_from("1.2.3.4, 192.0.2.9", &ada.email, PASSWORD).await, 429, "it made 1.2.3.4 up");
    assert_eq!(stage.login_from("192.0.2.8", &ada.email, PASSWORD).await, 200);
}

#[actix_web::test]
async fn an_account_that_does_not_exist_is_locked_like_one_that_does() {
    let stage = Stage::set().await;
    for host in 0..5 {
        assert_eq!(stage.login_from(&format!("192.0.2.{host}"), "nobody@example.com", "x").await, 401);
    }
    assert_eq!(stage.login_from("192.0.2.7", "nobody@example.com", "x").await, 429);
}

#[actix_web::test]
async fn the_right_password_forgives_typing_errors() {
    let stage = Stage::set().await;
    let ada = stage.person("ada").await;
    for _ in 0..3 {
        for host in 0..4 {
            assert_eq!(stage.login_from(&format!("192.0.2.{host}"), &ada.email, "wrong").await, 401);
        }
        assert_eq!(stage.login_from("192.0.2.99", &ada.email, PASSWORD).await, 200);
    }
}

#[actix_web::test]
async fn a_hundred_guesses_at_once_are_five() {
    let stage = Stage::set().await;
    let ada = stage.person("ada").await;
    let guesses = (0..100).map(|host| {
        let (stage, email) = (&stage, ada.email.as_str());
        async move { stage.login_from(&format!("192.0.2.{host}"), email, "wrong").await }
    });
    let statuses = join_all(guesses).await;
    let (tried, locked): (Vec<u16>, Vec<u16>) = statuses.into_iter().partition(|status| *status == 401);
    assert_eq!((tried.len(), locked), (5, vec![429; 95]));
}

#[actix_web::test]
async fn a_stolen_session_does_not_guess_the_password() {
    let stage = Stage::set().await;
    let ada = stage.person("ada").await;
    let change = async |person: &Person, current: &str| {
        let body = json!({"current_password": current, "new_password": "purple otter juggles"});
        stage.post("/api/v1/auth/password", person, body).await.0
    };
    for _ in 0..5 {
        assert_eq!(change(&ada, "wrong").await, 422);
    }
    assert_eq!(change(&ada, PASSWORD).await, 429);
    assert_eq!(stage.login_from("192.0.2.1", &ada.email, PASSWORD).await, 429);
}

#[actix_web::test]
async fn a_lock_survives_a_restart() {
    let mut stage = Stage::set().await;
    let ada = stage.person("ada").await;
    for host in 0..5 {
        stage.login_from(&format!("192.0.2.{host}"), &ada.email, "wrong").await;
    }
    stage.restart().await;
    assert_eq!(stage.login_from("192.0.2.7", &ada.email, PASSWORD).await, 429);
}

#[actix_web::test]
async fn with_redis_away_people_sign_in_and_wrong_passwords_are_still_counted() {
    let stage = Stage::set().await;
    let ada = stage.person("ada").await;
    stage.redis_wire.cut();
    assert_eq!(stage.login_from("192.0.2.1", &ada.email, PASSWORD).await, 200);
    for host in 0..5 {
        assert_eq!(stage.login_from(&format!("192.0.2.{host}"), &ada.email, "wrong").await, 401);
    }
    assert_eq!(stage.login_from("192.0.2.7", &ada.email, PASSWORD).await, 429);
    let (status, health) = answer(stage.to(Method::GET, "/health/ready")).await;
    assert_eq!((status, &health["status"]), (200, &json!("degraded")), "{health}");
}

#[actix_web::test]
async fn with_the_database_away_nothing_is_counted() {
    let stage = Stage::set().await;
    let ada = stage.person("ada").await;
    stage.database_wire.cut();
    for _ in 0..6 {
        assert_eq!(stage.login(&ada.email, PASSWORD).await.0, 503);
    }
    stage.database_wire.mend();
    millrace_testkit::wait::until("people can sign in", async || {
        stage.login(&ada.email, PASSWORD).await.0 == 200
    })
    .await;
}
