//! The cookie of a browser session, as somebody sees it who did not make it.

use chrono::Utc;
use millrace_security::browser_session::LIFETIME;
use millrace_testkit::peers;
use reqwest::Method;
use reqwest::header::SET_COOKIE;
use serde_json::{Value, json};

use crate::stage::{MASTER_KEY, PASSWORD, Stage, answer};

impl Stage {
    /// The value of the cookie that a browser is given.
    async fn cookie(&self, email: &str) -> String {
        let body = json!({"email": email, "password": PASSWORD});
        let login = self.to(Method::POST, "/api/v1/auth/login?session=cookie").json(&body);
        let response = login.send().await.unwrap();
        assert_eq!(response.status(), 200);
        let line = response.headers()[SET_COOKIE].to_str().unwrap();
        line.split(';').next().unwrap().strip_prefix("millrace_session=").unwrap().to_owned()
    }
}

#[actix_web::test]
async fn a_cookie_opens_by_the_standards_for_whoever_has_the_master_key() {
    let stage = Stage::set().await;
    let ada = stage.person("ada").await;
    let cookie = stage.cookie(&ada.email).await;
    let (_, jwks) = answer(stage.to(Method::GET, "/.well-known/jwks.json")).await;
    let question = json!({"cookie": cookie, "master_key": MASTER_KEY, "jwks": jwks});
    let opened: Value =
        serde_json::from_str(&peers::run("open_cookie.mjs", &question.to_string()).await).unwrap();
    let (outer, inner, claims) = (&opened["outer"], &opened["inner"], &opened["claims"]);
    let mut members: Vec<_> = outer.as_object().unwrap().keys().map(String::as_str).collect();
    members.sort_unstable();
    assert_eq!(members, ["alg", "cty", "enc", "kid"]);
    assert_eq!(
        (&outer["alg"], &outer["enc"], &outer["cty"]),
        (&json!("dir"), &json!("A256GCM"), &json!("JWT"))
    );
    assert_eq!((&inner["alg"], &inner["kid"]), (&json!("RS256"), &jwks["keys"][0]["kid"]));
    assert_eq!((&claims["iss"], &claims["sub"]), (&json!("test"), &json!(ada.id)));
    let (from, until) = (claims["iat"].as_i64().unwrap(), claims["exp"].as_i64().unwrap());
    assert_eq!(u64::try_from(until - from).unwrap(), LIFETIME.as_secs());
    assert!((Utc::now().timestamp() - from).abs() < 60);
    let (_, sessions) = stage.get("/api/v1/auth/sessions", &ada).await;
    let ids: Vec<&Value> =
        sessions["data"].as_array().unwrap().iter().map(|session| &session["id"]).collect();
    assert!(ids.contains(&&claims["sid"]), "{claims} {ids:?}");
}
