use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use millrace_domain::access::Role;
use millrace_domain::ids::SessionId;
use millrace_security::signing_key::SigningKey;
use millrace_security::token::{AUDIENCE, Holder, Issuer};
use millrace_testkit::peers;
use reqwest::Method;
use serde_json::{Value, json};

use crate::stage::{Person, Stage, answer};

#[actix_web::test]
async fn a_token_tells_whose_it_is() {
    let stage = Stage::set().await;
    let ada = stage.person("ada").await;
    let (status, me) = stage.get("/api/v1/auth/me", &ada).await;
    assert_eq!(status, 200);
    assert_eq!((&me["id"], &me["email"]), (&json!(ada.id), &json!(ada.email)));
    assert_eq!((&me["full_name"], &me["admin"]), (&json!("ada"), &json!(false)));
    assert!(!me.to_string().contains("$2b$"), "the hash stays where it is: {me}");
}

#[actix_web::test]
async fn verify_tells_the_roles_of_the_moment() {
    let stage = Stage::set().await;
    let ada = stage.person("ada").await;
    let project = stage.project_of(&ada, Role::Viewer).await;
    let role = async || stage.get("/api/v1/auth/verify", &ada).await.1["roles"][project.to_string()].clone();
    assert_eq!(role().await, "viewer", "the token was issued before there was a project");
    let boss = stage.system_admin("boss").await;
    let member = format!("/api/v1/projects/{project}/members/{}", ada.id);
    let changed = stage.to(Method::PATCH, &member).bearer_auth(&boss.access).json(&json!({"role": "editor"}));
    assert_eq!(answer(changed).await.0, 200);
    assert_eq!(role().await, "editor");
    let (_, claims) = stage.get("/api/v1/auth/verify", &ada).await;
    assert_eq!((&claims["account_id"], &claims["admin"]), (&json!(ada.id), &json!(false)));
}

#[actix_web::test]
async fn nothing_but_a_token_of_this_house_is_believed() {
    let stage = Stage::set().await;
    let ada = stage.person("ada").await;
    let [header, claims, signature] = ada.access.split('.').collect::<Vec<_>>()[..] else {
        panic!("three parts")
    };
    let mut forged: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).unwrap()).unwrap();
    forged["admin"] = json!(true);
    let forged = URL_SAFE_NO_PAD.encode(forged.to_string());
    let none = URL_SAFE_NO_PAD.encode(r#"{"alg":"none","typ":"JWT"}"#);
    let stranger = Issuer::new("test", SigningKey::generate().unwrap());
    let strange = stranger
        .issue(
            Holder { account: ada.id, session: SessionId::new(), admin: true, roles: Default::default() },
            chrono::Utc::now(),
        )
        .unwrap();
    for token in [
        format!("{header}.{forged}.{signature}"),
        format!("{none}.{forged}."),
        strange,
        "a.b.c".to_owned(),
        "nonsense".to_owned(),
    ] {
        for path in ["/api/v1/auth/me", "/api/v1/auth/verify", "/api/v1/projects"] {
            let (status, problem) = answer(stage.to(Method::GET, path).bearer_auth(&token)).await;
            assert_eq!((status, &problem["code"]), (401, &json!("unauthenticated")), "{path} {token}");
        }
    }
    assert_eq!(answer(stage.to(Method::GET, "/api/v1/auth/me")).await.0, 401);
}

/// What PyJWT makes of a token, given the JWK set that is published.
async fn outsider(stage: &Stage, token: &str, audience: &str) -> Value {
    let (status, jwks) = answer(stage.to(Method::GET, "/.well-known/jwks.json")).await;
    assert_eq!(status, 200);
    let asked = json!({"token": token, "jwks": jwks, "issuer": "test", "audience": audience});
    serde_json::from_str(&peers::run("verify_token.py", &asked.to_string()).await).unwrap()
}

#[actix_web::test]
async fn a_program_that_knows_only_the_jwk_set_believes_our_tokens_and_no_others() {
    let stage = Stage::set().await;
    let ada = stage.person("ada").await;
    let claims = outsider(&stage, &ada.access, AUDIENCE).await;
    assert_eq!(claims["sub"], json!(ada.id));
    assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 900);
    let [header, body, _] = ada.access.split('.').collect::<Vec<_>>()[..] else { panic!("three parts") };
    let unsigned = format!("{header}.{body}.{}", URL_SAFE_NO_PAD.encode([0; 256]));
    assert_eq!(outsider(&stage, &unsigned, AUDIENCE).await["refused"], "InvalidSignatureError");
    assert_eq!(outsider(&stage, &ada.access, "another").await["refused"], "InvalidAudienceError");
}

#[actix_web::test]
async fn a_token_outlives_its_account_in_vain() {
    let stage = Stage::set().await;
    let ada = stage.person("ada").await;
    let client = stage.database.client().await;
    client.execute("DELETE FROM accounts WHERE id = $1", &[&ada.id.0]).await.unwrap();
    assert_eq!(stage.get("/api/v1/auth/verify", &ada).await.0, 401);
}

#[actix_web::test]
async fn an_api_key_is_not_a_person() {
    let stage = Stage::set().await;
    let key = millrace_security::api_key::ApiKey::generate().unwrap();
    let program = Person::granted(&json!({"access_token": key.reveal(), "refresh_token": ""}));
    assert_eq!(stage.get("/api/v1/auth/me", &program).await.0, 403);
}

#[actix_web::test]
async fn anybody_can_verify_a_token_with_the_published_key() {
    let stage = Stage::set().await;
    let ada = stage.person("ada").await;
    let (status, set) = answer(stage.to(Method::GET, "/.well-known/jwks.json")).await;
    assert_eq!(status, 200);
    let header = URL_SAFE_NO_PAD.decode(ada.access.split('.').next().unwrap()).unwrap();
    let header: Value = serde_json::from_slice(&header).unwrap();
    let key = &set["keys"][0];
    assert_eq!((&key["kid"], &key["alg"], &key["use"]), (&header["kid"], &json!("RS256"), &json!("sig")));
    assert!(key["d"].is_null(), "the private half stays where it is");

    let number = |name: &str| URL_SAFE_NO_PAD.decode(key[name].as_str().unwrap()).unwrap();
    let public = aws_lc_rs::rsa::PublicKeyComponents { n: number("n"), e: number("e") };
    let (message, signature) = ada.access.rsplit_once('.').unwrap();
    let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
    let algorithm = &aws_lc_rs::signature::RSA_PKCS1_2048_8192_SHA256;
    public.verify(algorithm, message.as_bytes(), &signature).unwrap();
}
