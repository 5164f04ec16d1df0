//! Bodies and query strings that hold their JSON as `data=`, in Base64 or plain.

use base64::alphabet;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use base64::engine::{DecodePaddingMode, Engine};
use url::form_urlencoded;

use crate::split::SplitError;

/// Some senders pad and others do not.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Whether a body is such a form, wherever in it `data` stands. Headers do not tell: some senders call JSON a form. JSON
/// that could be taken for one begins with a bracket or a quotation mark.
#[must_use]
pub fn is_form(body: &[u8]) -> bool {
    !matches!(body.trim_ascii_start().first(), Some(b'{' | b'[' | b'"') | None)
        && form_urlencoded::parse(body).any(|(name, _)| name == "data")
}

/// Whether a form or a query string asks for an answer that says why.
#[must_use]
pub fn is_verbose(form: &[u8]) -> bool {
    form_urlencoded::parse(form).any(|(name, value)| name == "verbose" && value == "1")
}

/// The JSON in a form or a query string.
///
/// # Errors
/// When there is none, or it is not Base64.
pub fn data(form: &[u8]) -> Result<Vec<u8>, SplitError> {
    let (_, value) = form_urlencoded::parse(form)
        .find(|(name, _)| name == "data")
        .ok_or_else(|| SplitError::Part("data", "is missing".to_owned()))?;
    if value.trim_start().starts_with(['{', '[']) {
        return Ok(value.into_owned().into_bytes());
    }
    // Senders forget to escape the plus sign, which means a space where it stands in a form.
    let value = value.trim_end().replace([' ', '-'], "+").replace('_', "/");
    let bytes = BASE64
        .decode(value)
        .map_err(|e| SplitError::Part("data", format!("must be JSON, or JSON in Base64: {e}")))?;
    Ok(if std::str::from_utf8(&bytes).is_ok() { bytes } else { join_surrogates(&bytes) })
}

/// Mixpanel's SDK for browsers writes a character beyond 16 bits, such as an emoji, as two halves of three bytes each
/// (CESU-8). Here they become the four bytes that it has in UTF-8; all else stays as it is.
fn join_surrogates(bytes: &[u8]) -> Vec<u8> {
    let mut joined = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let [first, after @ ..] = rest {
        if let [0xED, a @ 0xA0..=0xAF, b @ 0x80..=0xBF, 0xED, c @ 0xB0..=0xBF, d @ 0x80..=0xBF, after @ ..] =
            rest
        {
            let bits = |byte: &u8, mask: u8| u32::from(byte & mask);
            let high = bits(a, 0x0F) << 6 | bits(b, 0x3F);
            let low = bits(c, 0x0F) << 6 | bits(d, 0x3F);
            if let Some(character) = char::from_u32(0x1_0000 + (high << 10 | low)) {
                joined.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
                rest = after;
                continue;
            }
        }
        joined.push(*first);
        rest = after;
    }
    joined
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn json_is_found_in_every_spelling() {
        let json = br#"{"a":"\u00fc?>~"}"#.to_vec();
        for form in [
            "data=eyJhIjoiXHUwMGZjPz5%2BIn0%3D&verbose=1",
            "data=eyJhIjoiXHUwMGZjPz5+In0=",
            "verbose=1&data=eyJhIjoiXHUwMGZjPz5-In0",
            "data=%7B%22a%22%3A%22%5Cu00fc%3F%3E%7E%22%7D",
        ] {
            assert_eq!(data(form.as_bytes()), Ok(json.clone()), "{form}");
        }
    }

    #[test]
    fn a_form_is_one_wherever_its_data_stands() {
        for form in ["data=e30", "verbose=1&data=e30&ip=0", "ip=0&data=%7B%7D"] {
            assert!(is_form(form.as_bytes()), "{form}");
        }
        for other in ["", " ", "verbose=1", r#"{"a":"&data="}"#, "\n[1]&data=", r#""&data=""#, "database=1"] {
            assert!(!is_form(other.as_bytes()), "{other}");
        }
        assert!(is_verbose(b"data=e30&verbose=1") && !is_verbose(b"data=e30&verbose=0"));
    }

    #[test]
    fn halves_of_a_character_are_joined_and_nothing_else_is() {
        assert_eq!(join_surrogates(b"a\xED\xA0\xBD\xED\xB8\x80b"), "a\u{1F600}b".as_bytes());
        for other in
            [&b"\xED\xA0\xBD"[..], b"\xED\xB8\x80\xED\xA0\xBD", "\u{D7FF}\u{1F600}".as_bytes(), b"\xFF"]
        {
            assert_eq!(join_surrogates(other), other);
        }
    }

    #[test]
    fn what_is_not_there_or_not_base64_is_named() {
        assert_eq!(data(b"verbose=1").unwrap_err().to_string(), "data is missing");
        assert!(data(b"data=%21").unwrap_err().to_string().starts_with("data must be JSON"));
    }

    proptest! {
        #[test]
        fn whatever_was_packed_is_unpacked(json in proptest::collection::vec(any::<u8>(), 0..99)) {
            let packed = form_urlencoded::Serializer::new(String::new()).append_pair("data", &BASE64.encode(&json)).finish();
            prop_assert_eq!(data(packed.as_bytes()).unwrap(), json);
        }
    }
}
