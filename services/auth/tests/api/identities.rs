//! The ways to sign in to an account.

use serde_json::{Value, json};

use crate::openid::browser::Browser;
use crate::openid::provider::Honest;
use crate::openid::sign_in::ada;
use crate::stage::{PASSWORD, Person, Stage, answer};

const IDENTITIES: &str = "/api/v1/auth/identities";

async fn linked(stage: &Stage, person: &Person) -> Vec<Value> {
    let (status, list) = stage.get(IDENTITIES, person).await;
    assert_eq!(status, 200, "{list}");
    list["data"].as_array().unwrap().clone()
}

fn path(identity: &Value) -> String {
    format!("{IDENTITIES}/{}", identity["id"].as_str().unwrap())
}

#[actix_web::test]
async fn people_see_who_may_sign_in_to_their_account() {
    let provider = Honest::start().await;
    let stage = provider.stage().await;
    let password = stage.person("ada").await;
    let (_, list) = stage.get(IDENTITIES, &password).await;
    assert_eq!(list, json!({"data": [], "has_password": true}));
    Browser::open().travel(&stage, &ada()).await;
    let first = linked(&stage, &password).await;
    assert_eq!((first.len(), &first[0]["issuer"]), (1, &json!(provider.issuer)));
    assert_eq!((&first[0]["email"], &first[0]["subject"]), (&json!("ada@example.com"), &Value::Null));
    Browser::open().travel(&stage, &ada()).await;
    let then = linked(&stage, &password).await;
    assert_eq!(then[0]["created_at"], first[0]["created_at"]);
    assert_ne!(then[0]["last_used_at"], first[0]["last_used_at"]);
    assert_eq!(answer(stage.to(reqwest::Method::GET, IDENTITIES)).await.0, 401);
}

#[actix_web::test]
async fn an_identity_is_unlinked_by_its_owner_and_signs_in_no_more() {
    let provider = Honest::start().await;
    let stage = provider.stage().await;
    let (password, bob) = (stage.person("ada").await, stage.person("bob").await);
    Browser::open().travel(&stage, &ada()).await;
    let identity = linked(&stage, &password).await.remove(0);
    assert_eq!(stage.delete(&path(&identity), &bob).await, 404, "it is Ada's");
    assert_eq!(stage.delete(&format!("{IDENTITIES}/nonsense"), &password).await, 404);
    assert_eq!(stage.delete(&path(&identity), &password).await, 204);
    assert_eq!(stage.delete(&path(&identity), &password).await, 404);
    assert!(linked(&stage, &password).await.is_empty());
    let elsewhere = json!({"sub": ada()["sub"], "email": "lovelace@example.com", "email_verified": true});
    let other = Person::granted(&Browser::open().travel(&stage, &elsewhere).await.body);
    assert_eq!(stage.get("/api/v1/auth/me", &other).await.1["email"], "lovelace@example.com");
}

#[actix_web::test]
async fn the_last_way_to_sign_in_stays() {
    let provider = Honest::start().await;
    let stage = provider.stage().await;
    let person = Person::granted(&Browser::open().travel(&stage, &ada()).await.body);
    let identity = linked(&stage, &person).await.remove(0);
    assert_eq!(stage.delete(&path(&identity), &person).await, 409);

    let second =
        json!({"sub": "her second account there", "email": "ada@example.com", "email_verified": true});
    Browser::open().travel(&stage, &second).await;
    let both = linked(&stage, &person).await;
    assert_eq!(both.len(), 2);
    let (one, other) = (&path(&both[0]), &path(&both[1]));
    let (one, other) = tokio::join!(stage.delete(one, &person), stage.delete(other, &person));
    let mut outcomes = [one, other];
    outcomes.sort_unstable();
    assert_eq!(outcomes, [204, 409], "one of them stays");
    assert_eq!(stage.login("ada@example.com", PASSWORD).await.0, 401);
}
