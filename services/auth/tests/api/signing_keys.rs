//! One key succeeds another, and nobody notices.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta, Utc};
use millrace_messaging::revocations::{self, Revoked};
use millrace_security::signing_key::SigningKey;
use millrace_storage::signing_keys::{self, NewSigningKey};
use millrace_testkit::wait;
use reqwest::Method;
use serde_json::{Value, json};

use crate::stage::{MASTER_KEY, PASSWORD, Person, Stage, answer};

/// The key that a token is signed with.
fn kid(person: &Person) -> String {
    let header = URL_SAFE_NO_PAD.decode(person.access.split('.').next().unwrap()).unwrap();
    serde_json::from_slice::<Value>(&header).unwrap()["kid"].as_str().unwrap().to_owned()
}

impl Stage {
    /// A new key signs from then on, or at once and in place of all others. Its name.
    async fn rotate(&self, from: Option<DateTime<Utc>>) -> String {
        let key = SigningKey::generate().unwrap();
        let (public, private_box) = (key.public(), &key.seal(&MASTER_KEY.parse().unwrap()).unwrap());
        let new = NewSigningKey { kid: public.kid(), public_pem: public.pem(), private_box };
        let mut store = self.store().await;
        match from {
            Some(from) => {
                signing_keys::succeed(&mut store, new, from, Utc::now() - TimeDelta::hours(1)).await
            }
            None => signing_keys::replace_all(&mut store, new).await,
        }
        .unwrap();
        self.tell().await;
        public.kid().to_owned()
    }

    async fn tell(&self) {
        revocations::announce(&self.broker().await, &Revoked::SigningKeys).await.unwrap();
    }

    /// The names of the keys that anybody can verify with.
    async fn published(&self) -> BTreeSet<String> {
        let (_, set) = answer(self.to(Method::GET, "/.well-known/jwks.json")).await;
        let keys = set["keys"].as_array().unwrap();
        keys.iter().map(|key| key["kid"].as_str().unwrap().to_owned()).collect()
    }

    async fn publishes(&self, kids: &[&str]) {
        let kids: BTreeSet<String> = kids.iter().map(|kid| (*kid).to_owned()).collect();
        wait::until("the keys are published", async || self.published().await == kids).await;
    }

    async fn sign_in(&self, person: &Person) -> Person {
        Person::granted(&self.login(&person.email, PASSWORD).await.1)
    }

    async fn believes(&self, person: &Person) -> bool {
        self.get("/api/v1/auth/me", person).await.0 == 200
    }
}

#[actix_web::test]
async fn a_key_is_published_before_it_signs_and_believed_after() {
    let stage = Stage::set().await;
    let ada = stage.person("ada").await;
    let old = kid(&ada);
    let new = stage.rotate(Some(Utc::now() + TimeDelta::minutes(10))).await;
    stage.publishes(&[&old, &new]).await;
    let meanwhile = stage.sign_in(&ada).await;
    assert_eq!(kid(&meanwhile), old, "the new key does not sign yet");

    let client = stage.database.client().await;
    let later = "UPDATE signing_keys SET retired_at = retired_at - interval '10 minutes'";
    client.execute(later, &[]).await.unwrap();
    stage.tell().await;
    wait::until("the new key signs", async || kid(&stage.sign_in(&ada).await) == new).await;
    assert!(stage.believes(&ada).await && stage.believes(&meanwhile).await);
    assert_eq!(stage.published().await.len(), 2);

    let quarter_later = "UPDATE signing_keys SET retired_at = retired_at - interval '16 minutes'";
    client.execute(quarter_later, &[]).await.unwrap();
    stage.tell().await;
    stage.publishes(&[&new]).await;
    assert!(!stage.believes(&ada).await, "what the old key signed has expired by then");
    let body = json!({"refresh_token": ada.refresh});
    let (status, granted) = answer(stage.to(Method::POST, "/api/v1/auth/refresh").json(&body)).await;
    assert_eq!((status, kid(&Person::granted(&granted))), (200, new));
}

#[actix_web::test]
async fn a_key_begins_to_sign_by_the_clock() {
    let stage = Stage::set().await;
    let ada = stage.person("ada").await;
    let old = kid(&ada);
    let new = stage.rotate(Some(Utc::now() + TimeDelta::milliseconds(800))).await;
    stage.publishes(&[&old, &new]).await;
    wait::until("the new key signs", async || kid(&stage.sign_in(&ada).await) == new).await;
    assert!(stage.believes(&ada).await);
}

#[actix_web::test]
async fn keys_that_follow_each_other_quickly_sign_in_their_order() {
    let stage = Stage::set().await;
    let ada = stage.person("ada").await;
    let old = kid(&ada);
    let first = stage.rotate(Some(Utc::now() + TimeDelta::minutes(10))).await;
    let second = stage.rotate(Some(Utc::now() + TimeDelta::minutes(20))).await;
    stage.publishes(&[&old, &first, &second]).await;
    assert_eq!(kid(&stage.sign_in(&ada).await), old);
    let client = stage.database.client().await;
    for (pass, signs) in [("11 minutes", first), ("10 minutes", second)] {
        let sql = format!("UPDATE signing_keys SET retired_at = retired_at - interval '{pass}'");
        client.execute(&sql, &[]).await.unwrap();
        stage.tell().await;
        wait::until("the next key signs", async || kid(&stage.sign_in(&ada).await) == signs).await;
    }
}

#[actix_web::test]
async fn what_a_stolen_key_has_signed_is_refused_everywhere_at_once() {
    let stage = Stage::set().await;
    let ada = stage.person("ada").await;
    let verifier = stage.verifier().await;
    assert!(verifier.verify(&ada.access).await.unwrap().is_some());
    let new = stage.rotate(None).await;
    let rotated = Instant::now();
    wait::until("the token is refused", async || verifier.verify(&ada.access).await.unwrap().is_none()).await;
    assert!(rotated.elapsed() < Duration::from_secs(1), "it took {:?}", rotated.elapsed());
    stage.publishes(&[&new]).await;
    assert!(!stage.believes(&ada).await);
    let body = json!({"refresh_token": ada.refresh});
    let (_, granted) = answer(stage.to(Method::POST, "/api/v1/auth/refresh").json(&body)).await;
    assert!(stage.believes(&Person::granted(&granted)).await, "people stay signed in");
}

#[actix_web::test]
async fn with_the_database_away_the_keys_stay_what_they_were() {
    let stage = Stage::set().await;
    let ada = stage.person("ada").await;
    stage.database_wire.cut();
    stage.tell().await;
    wait::until("the failure is counted", async || {
        let metrics = stage.to(Method::GET, "/metrics").send().await.unwrap().text().await.unwrap();
        metrics.contains("auth_key_reloads_failed_total")
    })
    .await;
    assert_eq!(stage.published().await, BTreeSet::from([kid(&ada)]));
    stage.database_wire.mend();
}
