//! The ways in which an encrypted token can lie.

use aws_lc_rs::aead::{LessSafeKey, UnboundKey};
use serde_json::Value;

use super::*;

const MASTER: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
const PURPOSE: &str = "millrace browser session";
const TOKEN: &str = "header.claims.signature";

fn key() -> JweKey {
    JweKey::derive(&MASTER.parse().unwrap(), PURPOSE).unwrap()
}

fn parts(sealed: &str) -> [String; 5] {
    sealed.split('.').map(str::to_owned).collect::<Vec<_>>().try_into().unwrap()
}

fn decoded(part: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(part).unwrap()
}

/// Encrypts `plain` with the very key, under a header of the liar's choice that is authenticated as it must be.
fn sealed_with(header: &Value, plain: &[u8]) -> String {
    let secret = MASTER.parse::<MasterKey>().unwrap().derive(PURPOSE).unwrap();
    let cipher = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, secret.expose_secret()).unwrap());
    let header = URL_SAFE_NO_PAD.encode(header.to_string());
    let mut bytes = plain.to_vec();
    let nonce = || Nonce::assume_unique_for_key([7; NONCE_LEN]);
    let tag = cipher.seal_in_place_separate_tag(nonce(), Aad::from(header.as_bytes()), &mut bytes).unwrap();
    let [nonce, ciphertext, tag] =
        [nonce().as_ref().as_slice(), &bytes, tag.as_ref()].map(|part| URL_SAFE_NO_PAD.encode(part));
    format!("{header}..{nonce}.{ciphertext}.{tag}")
}

fn header() -> Value {
    serde_json::from_slice(&decoded(&parts(&key().seal(TOKEN).unwrap())[0])).unwrap()
}

#[test]
fn what_another_implementation_has_sealed_opens() {
    // Made with joserfc 1.6.5 for Python; its key with HKDF of the package cryptography, from the same master key.
    let sealed = "eyJhbGciOiJkaXIiLCJjdHkiOiJKV1QiLCJlbmMiOiJBMjU2R0NNIiwia2lkIjoid0l2UGk5Z2ZycWsifQ..kIhf-8gOsTZ8Cicr.\
                  UsQscpVfjRv1b-UB0J-FaTlnez8U-4c.4Rc6GgP5RI6x7gj9l-oMQA";
    assert_eq!(key().open(sealed).unwrap(), TOKEN);
}

#[test]
fn the_compact_form_has_the_parts_of_rfc_7516() {
    let sealed = key().seal(TOKEN).unwrap();
    let [header, encrypted_key, nonce, ciphertext, tag] = parts(&sealed);
    assert_eq!(
        serde_json::from_slice::<Value>(&decoded(&header)).unwrap(),
        json!({"alg": "dir", "enc": "A256GCM", "cty": "JWT", "kid": "wIvPi9gfrqk"})
    );
    assert_eq!(encrypted_key, "");
    assert_eq!([&nonce, &ciphertext, &tag].map(|part| decoded(part).len()), [12, TOKEN.len(), 16]);

    // The steps of RFC 7516, 5.2, with the parts as they stand there.
    let secret = MASTER.parse::<MasterKey>().unwrap().derive(PURPOSE).unwrap();
    let cipher = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, secret.expose_secret()).unwrap());
    let nonce = Nonce::try_assume_unique_for_key(&decoded(&nonce)).unwrap();
    let mut bytes = [decoded(&ciphertext), decoded(&tag)].concat();
    assert_eq!(
        cipher.open_in_place(nonce, Aad::from(header.as_bytes()), &mut bytes).unwrap(),
        TOKEN.as_bytes()
    );
}

#[test]
fn the_same_token_never_looks_the_same() {
    let [one, other] = [key().seal(TOKEN).unwrap(), key().seal(TOKEN).unwrap()];
    assert!(one != other && key().open(&one).unwrap() == key().open(&other).unwrap());
}

#[test]
fn a_header_that_asks_for_anything_else_is_refused() {
    // Shows that the refusals below are for what they change.
    assert_eq!(key().open(&sealed_with(&header(), TOKEN.as_bytes())).unwrap(), TOKEN);
    for (name, value) in [
        ("alg", json!("A256KW")),
        ("alg", json!("A256GCMKW")),
        ("alg", json!("none")),
        ("alg", json!("DIR")),
        ("enc", json!("A128GCM")),
        ("enc", json!("A256CBC-HS512")),
        ("cty", json!("text")),
        ("kid", json!("another")),
        ("zip", json!("DEF")),
        ("crit", json!(["exp"])),
        ("b64", json!(false)),
        ("jwk", json!({"kty": "oct", "k": "AAAA"})),
    ] {
        let mut changed = header();
        changed[name] = value.clone();
        let refused = key().open(&sealed_with(&changed, TOKEN.as_bytes())).unwrap_err();
        assert_eq!(refused, JweError::Header, "{name} {value}");
    }
    for missing in ["alg", "enc", "cty", "kid"] {
        let mut changed = header();
        changed.as_object_mut().unwrap().remove(missing);
        assert_eq!(
            key().open(&sealed_with(&changed, TOKEN.as_bytes())).unwrap_err(),
            JweError::Header,
            "{missing}"
        );
    }
}

#[test]
fn another_key_opens_nothing_under_any_name() {
    let other = JweKey::derive(&"b".repeat(64).parse().unwrap(), PURPOSE).unwrap();
    let purpose = JweKey::derive(&MASTER.parse().unwrap(), "something else").unwrap();
    for other in [other, purpose] {
        let sealed = other.seal(TOKEN).unwrap();
        assert_eq!(key().open(&sealed).unwrap_err(), JweError::Header);
        let [_, rest @ ..] = parts(&sealed);
        assert_eq!(key().open(&format!("{}.{}", key().header, rest.join("."))).unwrap_err(), JweError::Open);
    }
    let same_name = JweKey::new("wIvPi9gfrqk", &[7; 32]).unwrap();
    assert_eq!(key().open(&same_name.seal(TOKEN).unwrap()).unwrap_err(), JweError::Open);
}

#[test]
fn no_character_can_be_changed_lost_or_added() {
    let sealed = key().seal(TOKEN).unwrap();
    for (at, character) in sealed.char_indices() {
        let other = if character == 'A' { 'Q' } else { 'A' };
        let changed = format!("{}{other}{}", &sealed[..at], &sealed[at + 1..]);
        assert!(key().open(&changed).is_err(), "character {at}");
        assert!(key().open(&sealed[..at]).is_err(), "cut at {at}");
        assert!(key().open(&format!("{}{}", &sealed[..at], &sealed[at + 1..])).is_err(), "without {at}");
    }
    for changed in [format!("{sealed}A"), format!("{sealed}="), format!("{sealed}."), format!(" {sealed}")] {
        assert!(key().open(&changed).is_err(), "{changed}");
    }
}

#[test]
fn parts_of_the_wrong_length_are_refused() {
    let [header, _, nonce, ciphertext, tag] = parts(&key().seal(TOKEN).unwrap());
    for (lie, why) in [
        (format!("{header}.AAAA.{nonce}.{ciphertext}.{tag}"), "there is no encrypted key"),
        (format!("{header}..{}.{ciphertext}.{tag}", &nonce[..12]), "a shorter nonce"),
        (format!("{header}..{nonce}AAAA.{ciphertext}.{tag}"), "a longer nonce"),
        (format!("{header}..{nonce}.{ciphertext}.{}", &tag[..16]), "a shorter tag"),
        (format!("{header}..{nonce}.{ciphertext}."), "no tag"),
        (format!("{header}..{nonce}.{ciphertext}"), "four parts"),
        (format!("{header}..{nonce}.{ciphertext}.{tag}."), "six parts"),
    ] {
        assert_eq!(key().open(&lie).unwrap_err(), JweError::Form, "{why}");
    }
    for text in ["", ".", "....", "a.b.c", "a.b.c.d.e", "\0....\0"] {
        assert!(key().open(text).is_err(), "{text:?}");
    }
}

#[test]
fn a_key_does_not_print_itself() {
    let secret = MASTER.parse::<MasterKey>().unwrap().derive(PURPOSE).unwrap();
    let printed = format!("{:?}", key());
    assert!(
        !printed.contains(&URL_SAFE_NO_PAD.encode(secret.expose_secret())) && !printed.contains("26873e84")
    );
}
