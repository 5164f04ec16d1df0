//! The ways in which a token can lie.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::TimeDelta;
use jsonwebtoken::EncodingKey;
use serde_json::{Value, json};

use super::*;

const NAME: &str = "millrace";

struct House {
    issuer: Issuer,
    verifier: Verifier,
}

fn house() -> House {
    let key = SigningKey::generate().unwrap();
    let verifier = Verifier::new(NAME, [key.public().clone()]);
    House { issuer: Issuer::new(NAME, key), verifier }
}

impl House {
    fn token(&self, now: DateTime<Utc>) -> String {
        self.issuer.issue(holder(), now).unwrap()
    }

    fn header(&self) -> Value {
        json!({"alg": "RS256", "typ": "JWT", "kid": self.issuer.key.public().kid()})
    }

    /// Signs whatever it is given with the house's own key.
    fn sign(&self, header: &Value, claims: &Value) -> String {
        let message = format!("{}.{}", encoded(header), encoded(claims));
        let signature =
            jsonwebtoken::crypto::sign(message.as_bytes(), &self.issuer.key.encoding, Algorithm::RS256)
                .unwrap();
        format!("{message}.{signature}")
    }

    fn refusal(&self, token: &str) -> TokenError {
        self.verifier.verify(token).expect_err("this token must not be believed")
    }
}

fn holder() -> Holder {
    Holder {
        account: AccountId::new(),
        session: SessionId::new(),
        admin: false,
        roles: BTreeMap::from([(ProjectId::new(), Role::Editor)]),
    }
}

fn encoded(value: &Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}

/// Claims that an honest token has.
fn claims() -> Value {
    let now = Utc::now().timestamp();
    json!({
        "iss": NAME, "aud": AUDIENCE, "sub": AccountId::new(), "sid": SessionId::new(), "jti": Uuid::now_v7(),
        "iat": now, "nbf": now, "exp": now + 900, "admin": false, "roles": {},
    })
}

#[test]
fn what_is_issued_is_believed() {
    let house = house();
    let holder = Holder { admin: true, ..holder() };
    let token = house.issuer.issue(holder.clone(), Utc::now()).unwrap();
    let claims = house.verifier.verify(&token).unwrap();
    assert_eq!((claims.sub, claims.sid, claims.admin), (holder.account, holder.session, true));
    assert_eq!(claims.roles, holder.roles);
    assert_eq!((claims.exp - claims.iat).to_std().unwrap(), LIFETIME);
    assert_eq!((claims.iss.as_str(), claims.aud.as_str(), claims.nbf), (NAME, AUDIENCE, claims.iat));
    let header: Value =
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(token.split_once('.').unwrap().0).unwrap()).unwrap();
    assert_eq!(header, house.header());
}

#[test]
fn tokens_made_by_hand_are_believed_when_they_are_honest() {
    // Shows that the refusals below are for what they change.
    let house = house();
    assert!(house.verifier.verify(&house.sign(&house.header(), &claims())).is_ok());
}

#[test]
fn no_signature_is_no_signature() {
    let house = house();
    for alg in ["none", "None", "NONE", "nOnE"] {
        let header = json!({"alg": alg, "typ": "JWT", "kid": house.issuer.key.public().kid()});
        let message = format!("{}.{}", encoded(&header), encoded(&claims()));
        assert!(matches!(house.refusal(&format!("{message}.")), TokenError::Invalid(_)));
        assert!(matches!(house.refusal(&message), TokenError::Invalid(_)));
    }
    let bare = format!("{}.{}.", encoded(&house.header()), encoded(&claims()));
    assert!(matches!(house.refusal(&bare), TokenError::Invalid(_)));
}

#[test]
fn the_public_key_is_not_a_shared_secret() {
    let house = house();
    let public = house.issuer.key.public();
    for algorithm in [Algorithm::HS256, Algorithm::HS384, Algorithm::HS512] {
        let mut header = Header::new(algorithm);
        header.kid = Some(public.kid().to_owned());
        for secret in [public.pem().as_bytes(), public.pem().trim().as_bytes()] {
            let token = encode(&header, &claims(), &EncodingKey::from_secret(secret)).unwrap();
            assert!(matches!(house.refusal(&token), TokenError::Invalid(_)));
        }
    }
}

#[test]
fn other_rsa_algorithms_are_refused_even_with_our_key() {
    let house = house();
    for algorithm in [Algorithm::RS384, Algorithm::RS512, Algorithm::PS256] {
        let mut header = Header::new(algorithm);
        header.kid = Some(house.issuer.key.public().kid().to_owned());
        let token = encode(&header, &claims(), &house.issuer.key.encoding).unwrap();
        assert!(matches!(house.refusal(&token), TokenError::Invalid(_)));
    }
}

#[test]
fn a_strangers_key_is_refused_under_any_name() {
    let (house, stranger) = (house(), house());
    let own_name = stranger.token(Utc::now());
    assert!(matches!(house.refusal(&own_name), TokenError::UnknownKey));
    let our_name = stranger.sign(&house.header(), &claims());
    assert!(matches!(house.refusal(&our_name), TokenError::Invalid(_)));
    let brought_along = json!({
        "alg": "RS256", "kid": house.issuer.key.public().kid(),
        "jwk": crate::signing_key::jwks([stranger.issuer.key.public()]).keys[0],
    });
    assert!(matches!(house.refusal(&stranger.sign(&brought_along, &claims())), TokenError::Invalid(_)));
}

#[test]
fn a_token_without_a_kid_is_refused() {
    let house = house();
    let token = house.sign(&json!({"alg": "RS256", "typ": "JWT"}), &claims());
    assert!(matches!(house.refusal(&token), TokenError::UnknownKey));
}

#[test]
fn extensions_that_must_be_understood_are_not() {
    let house = house();
    let mut header = house.header();
    header["crit"] = json!(["exp"]);
    assert!(matches!(house.refusal(&house.sign(&header, &claims())), TokenError::Invalid(_)));
}

#[test]
fn every_claim_is_required_and_must_be_right() {
    let house = house();
    for claim in ["iss", "aud", "sub", "sid", "jti", "iat", "nbf", "exp", "admin", "roles"] {
        let mut lacking = claims();
        lacking.as_object_mut().unwrap().remove(claim);
        assert!(
            matches!(house.refusal(&house.sign(&house.header(), &lacking)), TokenError::Invalid(_)),
            "{claim}"
        );
    }
    for (claim, wrong) in [
        ("iss", json!("elsewhere")),
        ("aud", json!("elsewhere")),
        ("aud", json!([])),
        ("sub", json!("root")),
        ("exp", json!("tomorrow")),
        ("exp", json!(null)),
        ("nbf", json!(null)),
        ("roles", json!({ProjectId::new().to_string(): "emperor"})),
    ] {
        let mut changed = claims();
        changed[claim] = wrong.clone();
        let token = house.sign(&house.header(), &changed);
        assert!(matches!(house.refusal(&token), TokenError::Invalid(_)), "{claim} {wrong}");
    }
}

#[test]
fn a_token_is_good_for_its_fifteen_minutes_only() {
    let house = house();
    let lifetime = TimeDelta::from_std(LIFETIME).unwrap();
    let slack = TimeDelta::from_std(LEEWAY).unwrap() + TimeDelta::seconds(2);
    let issued = |ago: TimeDelta| house.verifier.verify(&house.token(Utc::now() - ago));
    assert!(issued(lifetime - slack).is_ok());
    assert!(matches!(issued(lifetime + slack), Err(TokenError::Expired)));
    assert!(matches!(issued(-slack), Err(TokenError::NotYetValid)));
}

#[test]
fn no_character_can_be_changed() {
    let house = house();
    let token = house.token(Utc::now());
    for (at, character) in token.char_indices().step_by(7) {
        let other = if character == 'A' { 'Q' } else { 'A' };
        let changed = format!("{}{other}{}", &token[..at], &token[at + 1..]);
        assert!(house.verifier.verify(&changed).is_err(), "character {at}");
    }
    let [header, _, signature] = token.split('.').collect::<Vec<_>>()[..] else { panic!("three parts") };
    let mut admin = claims();
    admin["admin"] = json!(true);
    assert!(house.verifier.verify(&format!("{header}.{}.{signature}", encoded(&admin))).is_err());
}

#[test]
fn garbage_is_not_a_token() {
    let house = house();
    for text in ["", ".", "..", "a.b.c", "a.b.c.d", "eyJhbGciOiJSUzI1NiJ9..", "\0.\0.\0"] {
        assert!(house.verifier.verify(text).is_err(), "{text:?}");
    }
}
