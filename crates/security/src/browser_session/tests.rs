//! What a cookie may not be taken for, and when it ends.

use std::collections::BTreeMap;

use chrono::TimeDelta;

use super::*;
use crate::signing_key::SigningKey;
use crate::token::{self, Holder};

const NAME: &str = "millrace";

struct House {
    key: CookieKey,
    issuer: Issuer,
    cookies: Verifier<Claims>,
    tokens: Verifier,
}

fn house() -> House {
    let signing = SigningKey::generate().unwrap();
    let public = signing.public().clone();
    House {
        key: CookieKey::derive(&"a".repeat(64).parse().unwrap()).unwrap(),
        issuer: Issuer::new(NAME, signing),
        cookies: Verifier::new(NAME, [public.clone()]),
        tokens: Verifier::new(NAME, [public]),
    }
}

impl House {
    fn cookie(&self, now: DateTime<Utc>) -> String {
        seal(&self.key, &self.issuer, (AccountId::new(), SessionId::new()), now).unwrap()
    }

    fn refusal(&self, cookie: &str) -> CookieError {
        open(&self.key, &self.cookies, cookie).expect_err("this cookie must not be believed")
    }
}

#[test]
fn a_cookie_tells_its_session_to_us_alone() {
    let house = house();
    let (account, session, now) = (AccountId::new(), SessionId::new(), Utc::now());
    let cookie = seal(&house.key, &house.issuer, (account, session), now).unwrap();
    let claims = open(&house.key, &house.cookies, &cookie).unwrap();
    assert_eq!((claims.sub, claims.sid, claims.iss.as_str()), (account, session, NAME));
    assert_eq!((claims.exp - claims.iat).to_std().unwrap(), LIFETIME);
    assert!(!cookie.contains(&account.to_string()) && !cookie.contains(&session.to_string()));
    assert!(
        cookie.len() < 3000,
        "browsers keep 4096 bytes with name and attributes; these are {}",
        cookie.len()
    );
}

#[test]
fn neither_kind_of_token_is_taken_for_the_other() {
    let house = house();
    let holder =
        Holder { account: AccountId::new(), session: SessionId::new(), admin: true, roles: BTreeMap::new() };
    let access = house.issuer.issue(holder, Utc::now()).unwrap();
    assert!(house.tokens.verify(&access).is_ok());
    assert!(matches!(house.refusal(&access), CookieError::Encryption(JweError::Form)), "as it is");
    let sealed = house.key.0.seal(&access).unwrap();
    assert!(
        matches!(house.refusal(&sealed), CookieError::Token(TokenError::Invalid(_))),
        "encrypted like a cookie"
    );

    let cookie = house.cookie(Utc::now());
    let inner = house.key.0.open(&cookie).unwrap();
    assert!(house.cookies.verify(&inner).is_ok());
    for shown in [&cookie, &inner] {
        assert!(matches!(house.tokens.verify(shown), Err(TokenError::Invalid(_))), "{shown}");
    }
    assert!(
        matches!(house.refusal(&inner), CookieError::Encryption(JweError::Form)),
        "without its encryption"
    );
}

#[test]
fn a_token_for_another_audience_is_refused_with_all_claims_of_a_cookie() {
    let house = house();
    let now = Utc::now();
    let honest = |aud: &str| Claims {
        iss: NAME.to_owned(),
        aud: aud.to_owned(),
        sub: AccountId::new(),
        sid: SessionId::new(),
        iat: now,
        exp: now + LIFETIME,
    };
    let sealed = |claims: &Claims| house.key.0.seal(&house.issuer.sign(claims).unwrap()).unwrap();
    assert!(open(&house.key, &house.cookies, &sealed(&honest(AUDIENCE))).is_ok());
    for aud in [token::AUDIENCE, "", "millrace"] {
        assert!(
            matches!(house.refusal(&sealed(&honest(aud))), CookieError::Token(TokenError::Invalid(_))),
            "{aud}"
        );
    }
    let strange = Claims { iss: "elsewhere".to_owned(), ..honest(AUDIENCE) };
    assert!(matches!(house.refusal(&sealed(&strange)), CookieError::Token(TokenError::Invalid(_))));
}

#[test]
fn a_cookie_is_good_for_seven_days() {
    let house = house();
    let (lifetime, slack) = (TimeDelta::from_std(LIFETIME).unwrap(), TimeDelta::seconds(10));
    assert!(open(&house.key, &house.cookies, &house.cookie(Utc::now() - lifetime + slack)).is_ok());
    let old = house.cookie(Utc::now() - lifetime - slack);
    assert!(matches!(house.refusal(&old), CookieError::Token(TokenError::Expired)));
}

#[test]
fn what_a_stranger_has_signed_or_sealed_is_refused() {
    let (house, stranger) = (house(), house());
    let signed =
        seal(&house.key, &stranger.issuer, (AccountId::new(), SessionId::new()), Utc::now()).unwrap();
    assert!(matches!(house.refusal(&signed), CookieError::Token(TokenError::UnknownKey)));
    let key = CookieKey::derive(&"b".repeat(64).parse().unwrap()).unwrap();
    let sealed = seal(&key, &house.issuer, (AccountId::new(), SessionId::new()), Utc::now()).unwrap();
    assert!(matches!(house.refusal(&sealed), CookieError::Encryption(JweError::Header)));
}
