//! The ways in which a provider, or somebody in its name, can lie.

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{EncodingKey, encode};
use serde_json::{Value, json};

use super::*;
use crate::signing_key::{SigningKey, jwks};

const EXPECTED: Expected<'_> =
    Expected { issuer: "https://id.example.com", client_id: "millrace", nonce: "n-0S6_WzA2Mj" };

/// A provider with one key.
struct Provider {
    key: SigningKey,
    keys: ProviderKeys,
}

impl Provider {
    fn new() -> Self {
        let key = SigningKey::generate().unwrap();
        let keys = ProviderKeys::parse(&serde_json::to_vec(&jwks([key.public()])).unwrap()).unwrap();
        Self { key, keys }
    }

    fn says(&self, changes: Value) -> String {
        self.signs(&self.header(), changes)
    }

    fn header(&self) -> Header {
        Header { kid: Some(self.key.public().kid().to_owned()), ..Header::new(Algorithm::RS256) }
    }

    fn signs(&self, header: &Header, changes: Value) -> String {
        encode(header, &claims(changes), &self.key.encoding).unwrap()
    }

    fn verdict(&self, token: &str) -> Result<Person, IdTokenError> {
        verify(token, &self.keys, EXPECTED)
    }
}

/// Sound claims with these changes; `null` takes one out.
fn claims(changes: Value) -> Value {
    let now = get_current_timestamp();
    let mut claims = json!({
        "iss": EXPECTED.issuer, "aud": EXPECTED.client_id, "sub": "248289761001", "nonce": EXPECTED.nonce,
        "iat": now, "exp": now + 300, "email": "ada@example.com", "email_verified": true, "name": "Ada",
    });
    for (name, value) in changes.as_object().unwrap() {
        claims[name] = value.clone();
    }
    claims.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    claims
}

#[test]
fn an_honest_token_names_a_person() {
    let provider = Provider::new();
    let ada = provider.verdict(&provider.says(json!({}))).unwrap();
    assert_eq!((ada.subject.as_str(), ada.email.as_deref()), ("248289761001", Some("ada@example.com")));
    assert!(ada.email_verified);
    let now = get_current_timestamp();
    for fine in [
        json!({"aud": ["millrace"]}),
        json!({"aud": ["millrace", "other"], "azp": "millrace"}),
        json!({"iat": now + 50, "exp": now - 50}),
        json!({"iat": 1_700_000_000.25}),
        json!({"email_verified": "true"}),
    ] {
        assert!(provider.verdict(&provider.says(fine.clone())).unwrap().email_verified, "{fine}");
    }
    for unproved in [json!({"email_verified": null}), json!({"email_verified": "false"})] {
        assert!(!provider.verdict(&provider.says(unproved)).unwrap().email_verified);
    }
}

#[test]
fn whatever_was_made_for_somebody_else_is_refused() {
    let provider = Provider::new();
    let now = get_current_timestamp();
    for (changes, why) in [
        (json!({"iss": "https://id.example.com/"}), "InvalidIssuer"),
        (json!({"iss": null}), "iss"),
        (json!({"aud": "other"}), "InvalidAudience"),
        (json!({"aud": null}), "aud"),
        (json!({"aud": ["millrace", "other"]}), "azp"),
        (json!({"azp": "other"}), "azp"),
        (json!({"nonce": "another"}), "nonce"),
        (json!({"nonce": null}), "nonce"),
        (json!({"exp": now - 61}), "ExpiredSignature"),
        (json!({"exp": null}), "exp"),
        (json!({"nbf": now + 70}), "ImmatureSignature"),
        (json!({"iat": now + 70}), "future"),
        (json!({"iat": null}), "iat"),
        (json!({"iat": -1}), "future"),
        (json!({"sub": null}), "sub"),
        (json!({"sub": ""}), "Subject"),
        (json!({"sub": "a\u{0}b"}), "Subject"),
        (json!({"sub": "a".repeat(256)}), "Subject"),
    ] {
        let refused = provider.verdict(&provider.says(changes.clone())).unwrap_err();
        let said = format!("{refused} {refused:?}");
        assert!(said.contains(why), "{changes}: {said}");
    }
}

#[test]
fn nobody_else_signs_for_the_provider() {
    let (provider, other) = (Provider::new(), Provider::new());
    let forged = other.signs(&provider.header(), json!({}));
    assert!(matches!(provider.verdict(&forged), Err(IdTokenError::Invalid(_))));
    assert!(matches!(provider.verdict(&other.says(json!({}))), Err(IdTokenError::UnknownKey)));

    // The public key as the secret of an HMAC, in the forms in which it is published.
    let pem = provider.key.public().pem().to_owned();
    let jwk = serde_json::to_string(&jwks([provider.key.public()])).unwrap();
    for secret in [pem.as_bytes(), jwk.as_bytes(), b"", b"client secret"] {
        for algorithm in [Algorithm::HS256, Algorithm::HS512] {
            let header = Header { kid: provider.header().kid, ..Header::new(algorithm) };
            let token = encode(&header, &claims(json!({})), &EncodingKey::from_secret(secret)).unwrap();
            assert!(matches!(provider.verdict(&token), Err(IdTokenError::Invalid(_))));
        }
    }
    let other_padding = Header { alg: Algorithm::PS256, ..provider.header() };
    assert!(provider.verdict(&provider.signs(&other_padding, json!({}))).is_err());
    let critical = Header { crit: Some(vec!["b64".to_owned()]), ..provider.header() };
    assert!(provider.verdict(&provider.signs(&critical, json!({}))).is_err());
}

#[test]
fn an_unsigned_token_is_refused() {
    let provider = Provider::new();
    let payload = URL_SAFE_NO_PAD.encode(claims(json!({})).to_string());
    for algorithm in ["none", "None", "NONE", ""] {
        let header = json!({"alg": algorithm, "kid": provider.key.public().kid()});
        let header = URL_SAFE_NO_PAD.encode(header.to_string());
        for token in [format!("{header}.{payload}."), format!("{header}.{payload}")] {
            assert!(provider.verdict(&token).is_err(), "{token}");
        }
    }
    let honest = provider.says(json!({}));
    let (signed, _) = honest.rsplit_once('.').unwrap();
    assert!(provider.verdict(&format!("{signed}.")).is_err());
}

#[test]
fn elliptic_keys_sign_as_well() {
    let p256 = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
    let point = p256.public_key().as_ref();
    let (x, y) = (URL_SAFE_NO_PAD.encode(&point[1..33]), URL_SAFE_NO_PAD.encode(&point[33..]));
    let ed25519 = Ed25519KeyPair::generate().unwrap();
    let published = json!({"keys": [
        {"kty": "EC", "crv": "P-256", "kid": "e", "x": x, "y": y},
        {"kty": "OKP", "crv": "Ed25519", "kid": "d", "x": URL_SAFE_NO_PAD.encode(ed25519.public_key())},
    ]});
    let keys = ProviderKeys::parse(published.to_string().as_bytes()).unwrap();
    let p256 = EncodingKey::from_ec_der(p256.to_pkcs8v1().unwrap().as_ref());
    let ed25519 = EncodingKey::from_ed_der(ed25519.to_pkcs8v1().unwrap().as_ref());
    for (algorithm, kid, key) in [(Algorithm::ES256, "e", p256), (Algorithm::EdDSA, "d", ed25519)] {
        let named = Header { kid: Some(kid.to_owned()), ..Header::new(algorithm) };
        let anonymous = Header::new(algorithm);
        for header in [named, anonymous] {
            let token = encode(&header, &claims(json!({})), &key).unwrap();
            assert_eq!(verify(&token, &keys, EXPECTED).unwrap().subject, "248289761001");
        }
    }
}

#[test]
fn keys_for_other_purposes_are_passed_over() {
    let provider = Provider::new();
    let key = serde_json::to_value(jwks([provider.key.public()])).unwrap()["keys"][0].clone();
    let changed = |name: &str, value: &str| {
        let mut key = key.clone();
        key[name] = json!(value);
        key
    };
    let useless = json!({"keys": [
        changed("use", "enc"),
        changed("alg", "RS512"),
        changed("kty", "of the future"),
        {"kty": "oct", "kid": key["kid"], "k": "c2VjcmV0"},
        "no key at all",
    ]});
    let keys = ProviderKeys::parse(useless.to_string().as_bytes()).unwrap();
    let token = provider.says(json!({}));
    assert!(matches!(verify(&token, &keys, EXPECTED), Err(IdTokenError::UnknownKey)));
    assert!(ProviderKeys::parse(b"{}").is_err() && ProviderKeys::parse(b"<html>").is_err());
}

#[test]
fn without_a_name_the_key_must_be_the_only_one() {
    let (provider, other) = (Provider::new(), Provider::new());
    let anonymous = provider.signs(&Header::new(Algorithm::RS256), json!({}));
    assert!(provider.verdict(&anonymous).is_ok());
    let both = serde_json::to_vec(&jwks([provider.key.public(), other.key.public()])).unwrap();
    let both = ProviderKeys::parse(&both).unwrap();
    assert!(matches!(verify(&anonymous, &both, EXPECTED), Err(IdTokenError::UnknownKey)));
}
