//! Whose account it is.

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

use super::browser::Browser;
use super::provider::{Honest, stage_for};
use super::sign_in::ada;
use crate::stage::{PASSWORD, Person, Stage, answer};

const ME: &str = "/api/v1/auth/me";

async fn register(stage: &Stage, email: &str) -> Value {
    let body = json!({"email": email, "password": PASSWORD});
    let (status, registered) = answer(stage.to(Method::POST, "/api/v1/auth/register").json(&body)).await;
    assert_eq!(status, 201, "{registered}");
    registered
}

#[actix_web::test]
async fn somebody_with_a_proved_address_has_one_account_and_two_ways_in() {
    let provider = Honest::start().await;
    let stage = provider.stage().await;
    let before = stage.person("ada").await;
    let after = Person::granted(&Browser::open().travel(&stage, &ada()).await.body);
    let (_, me) = stage.get(ME, &after).await;
    assert_eq!(me, stage.get(ME, &before).await.1, "the same account, still signed in there");
    assert_eq!(stage.login(&before.email, PASSWORD).await.0, 200);
}

// The pre-hijacking of https://www.usenix.org/conference/usenixsecurity22/presentation/sudhodanan.
#[actix_web::test]
async fn whoever_registered_an_address_that_is_not_theirs_loses_it_to_its_owner() {
    let provider = Honest::start().await;
    let stage = provider.stage().await;
    let registered = register(&stage, "ada@example.com").await;
    let squatter = Person::granted(&registered);
    let verifier = stage.verifier().await;
    assert!(verifier.verify(&squatter.access).await.unwrap().is_some());

    let seen = Browser::open().travel(&stage, &ada()).await;
    assert_eq!(seen.status, 200, "{}", seen.body);
    let owner = Person::granted(&seen.body);
    assert_eq!(stage.get(ME, &owner).await.1["id"], registered["id"]);
    assert_eq!(stage.get(ME, &squatter).await.0, 401);
    let body = json!({"refresh_token": squatter.refresh});
    assert_eq!(answer(stage.to(Method::POST, "/api/v1/auth/refresh").json(&body)).await.0, 401);
    assert_eq!(stage.login("ada@example.com", PASSWORD).await.0, 401);
    millrace_testkit::wait::until("the others have heard", async || {
        verifier.verify(&squatter.access).await.unwrap().is_none()
    })
    .await;

    let again = Person::granted(&Browser::open().travel(&stage, &ada()).await.body);
    assert_eq!(stage.get(ME, &owner).await.0, 200, "the address is proved: nobody else is thrown out");
    assert_eq!(stage.get(ME, &again).await.0, 200);
}

#[actix_web::test]
async fn a_squatter_who_keeps_signing_in_is_thrown_out_as_well() {
    let provider = Honest::start().await;
    let stage = provider.stage().await;
    register(&stage, "ada@example.com").await;
    let mut owner = Browser::open();
    let at = owner.begin(&stage).await;
    let callback = owner.sign_in(at, &ada()).await;
    let (seen, squatters) = tokio::join!(
        owner.come_back(&stage, &callback),
        join_all((0..12).map(|_| stage.login("ada@example.com", PASSWORD)))
    );
    assert_eq!(seen.status, 200, "{}", seen.body);
    for (status, granted) in squatters {
        if status == 200 {
            assert_eq!(stage.get(ME, &Person::granted(&granted)).await.0, 401);
        }
    }
    let (_, sessions) = stage.get("/api/v1/auth/sessions", &Person::granted(&seen.body)).await;
    assert_eq!(sessions["data"].as_array().unwrap().len(), 1, "{sessions}");
}

#[actix_web::test]
async fn an_account_without_a_password_is_not_guessed_into() {
    let provider = Honest::start().await;
    let stage = provider.stage().await;
    let ada = Person::granted(&Browser::open().travel(&stage, &ada()).await.body);
    let (status, of_ada) = stage.login("ada@example.com", "").await;
    let (_, of_nobody) = stage.login("nobody@example.com", PASSWORD).await;
    assert_eq!((status, &of_ada["detail"]), (401, &of_nobody["detail"]));
    assert_eq!(stage.login("ada@example.com", PASSWORD).await.0, 401);
    let body = json!({"current_password": "", "new_password": "purple otter juggles"});
    let (status, problem) = stage.post("/api/v1/auth/password", &ada, body).await;
    assert_eq!(status, 409, "{problem}");
    assert!(problem["detail"].as_str().unwrap().contains("password reset"), "{problem}");
}

#[actix_web::test]
async fn a_person_is_known_by_the_providers_name_and_not_by_an_address() {
    let provider = Honest::start().await;
    let stage = provider.stage().await;
    let first = Person::granted(&Browser::open().travel(&stage, &ada()).await.body);
    let moved = json!({"sub": ada()["sub"], "email": "lovelace@example.com", "email_verified": false});
    let second = Person::granted(&Browser::open().travel(&stage, &moved).await.body);
    let (_, me) = stage.get(ME, &second).await;
    assert_eq!((&me, &me["email"]), (&stage.get(ME, &first).await.1, &json!("ada@example.com")));

    let heir = json!({"sub": "somebody-else", "email": "lovelace@example.com", "email_verified": true});
    let heir = Person::granted(&Browser::open().travel(&stage, &heir).await.body);
    assert_ne!(stage.get(ME, &heir).await.1["id"], me["id"]);
}

#[actix_web::test]
async fn accounts_are_made_for_some_domains_and_found_for_all() {
    let provider = Honest::start().await;
    let stage = stage_for(&provider.issuer, "example.org, shop.example").await;
    let seen = Browser::open().travel(&stage, &ada()).await;
    assert_eq!(seen.status, 403, "{}", seen.body);
    assert!(seen.refusal().1.contains("ada@example.com"), "{}", seen.body);
    stage.person("ada").await;
    assert_eq!(
        Browser::open().travel(&stage, &ada()).await.status,
        200,
        "an administrator has made the account"
    );
    let bob = json!({"sub": "bob", "email": "bob@shop.example", "email_verified": true});
    assert_eq!(Browser::open().travel(&stage, &bob).await.status, 200);
}

#[actix_web::test]
async fn whoever_arrives_twice_at_once_has_one_account() {
    let provider = Honest::start().await;
    let stage = provider.stage().await;
    let mut arriving = Vec::new();
    for _ in 0..6 {
        let mut browser = Browser::open();
        let at = browser.begin(&stage).await;
        let callback = browser.sign_in(at, &ada()).await;
        arriving.push((browser, callback));
    }
    let seen =
        join_all(arriving.iter_mut().map(|(browser, callback)| browser.come_back(&stage, callback))).await;
    for seen in &seen {
        assert_eq!(seen.status, 200, "{}", seen.body);
    }
    let rows = stage.database.client().await;
    let rows =
        rows.query_one("SELECT (SELECT count(*) FROM accounts), count(*) FROM external_identities", &[]);
    let rows = rows.await.unwrap();
    assert_eq!((rows.get::<_, i64>(0), rows.get::<_, i64>(1)), (1, 1));
}
