//! JSON that the database is known to take, checked without building a tree.
//!
//! PostgreSQL's `jsonb` refuses some texts that JSON's grammar allows: `\u0000`, halves of surrogate pairs, numbers
//! beyond `numeric`, nesting deeper than its stack. Such a text must be refused while its sender is still listening,
//! because one bad value would otherwise fail a whole bulk insert.

use std::fmt;

/// The deepest nesting of arrays and objects that is accepted, the outermost object included.
pub const MAX_DEPTH: usize = 64;
const MAX_NUMBER_CHARS: usize = 400;
const MAX_EXPONENT: i32 = 308;

/// A JSON object that `jsonb` can hold, kept as the text that was sent.
#[derive(Clone, PartialEq, Eq)]
pub struct JsonObject(Box<str>);

impl JsonObject {
    /// The object without members.
    #[must_use]
    pub fn empty() -> Self {
        Self("{}".into())
    }

    /// Takes a text that a JSON parser has already found well-formed.
    ///
    /// # Errors
    /// When the text is not an object, or holds something `jsonb` cannot.
    pub fn from_well_formed(text: &str) -> Result<Self, JsonFault> {
        let text = text.trim_matches([' ', '\t', '\n', '\r']);
        if !text.starts_with('{') {
            return Err(JsonFault::NotAnObject);
        }
        scan(text.as_bytes())?;
        Ok(Self(text.into()))
    }

    /// Checks grammar and content.
    ///
    /// # Errors
    /// When the text is not JSON, not an object, or holds something `jsonb` cannot.
    pub fn parse(text: &str) -> Result<Self, JsonFault> {
        serde_json::from_str::<&serde_json::value::RawValue>(text)
            .map_err(|e| JsonFault::Malformed(e.to_string()))?;
        Self::from_well_formed(text)
    }

    /// The object's text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for JsonObject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why a JSON text was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JsonFault {
    /// Not JSON at all.
    #[error("is not JSON: {0}")]
    Malformed(String),
    /// An array, string, number, boolean or null.
    #[error("must be a JSON object")]
    NotAnObject,
    /// `\u0000` somewhere in a string.
    #[error("must not contain the NUL character")]
    Nul,
    /// `\ud800` without its other half.
    #[error("contains half of a surrogate pair, which is not a character")]
    LoneSurrogate,
    /// More than [`MAX_DEPTH`] arrays and objects inside each other.
    #[error("must not nest deeper than {MAX_DEPTH} levels")]
    TooDeep,
    /// A number outside what an IEEE 754 double can hold, or hundreds of digits long.
    #[error("contains a number outside the range of a double")]
    NumberRange,
}

fn scan(text: &[u8]) -> Result<(), JsonFault> {
    let mut depth = 0usize;
    let mut rest = text;
    while let Some((&byte, after)) = rest.split_first() {
        rest = match byte {
            b'{' | b'[' => {
                depth += 1;
                if depth > MAX_DEPTH {
                    return Err(JsonFault::TooDeep);
                }
                after
            }
            b'}' | b']' => {
                depth = depth.saturating_sub(1);
                after
            }
            b'"' => string(after)?,
            b'-' | b'0'..=b'9' => number(rest)?,
            _ => after,
        };
    }
    Ok(())
}

/// Walks a string's inside; returns what follows the closing quote.
fn string(mut rest: &[u8]) -> Result<&[u8], JsonFault> {
    loop {
        match rest {
            [b'"', after @ ..] => return Ok(after),
            [b'\\', b'u', after @ ..] => {
                let (unit, after) = code_unit(after)?;
                rest = match unit {
                    0 => return Err(JsonFault::Nul),
                    0xD800..=0xDBFF => low_surrogate(after)?,
                    0xDC00..=0xDFFF => return Err(JsonFault::LoneSurrogate),
                    _ => after,
                };
            }
            [b'\\', _, after @ ..] | [_, after @ ..] => rest = after,
            [] => return Err(JsonFault::Malformed("a string does not end".to_owned())),
        }
    }
}

fn low_surrogate(rest: &[u8]) -> Result<&[u8], JsonFault> {
    let [b'\\', b'u', after @ ..] = rest else {
        return Err(JsonFault::LoneSurrogate);
    };
    match code_unit(after)? {
        (0xDC00..=0xDFFF, after) => Ok(after),
        _ => Err(JsonFault::LoneSurrogate),
    }
}

fn code_unit(rest: &[u8]) -> Result<(u32, &[u8]), JsonFault> {
    let malformed = || JsonFault::Malformed("a \\u escape needs four hexadecimal digits".to_owned());
    let (digits, after) = rest.split_at_checked(4).ok_or_else(malformed)?;
    let text = std::str::from_utf8(digits).map_err(|_not_ascii| malformed())?;
    let unit = u32::from_str_radix(text, 16).map_err(|_not_hex| malformed())?;
    Ok((unit, after))
}

fn number(text: &[u8]) -> Result<&[u8], JsonFault> {
    let end = text
        .iter()
        .position(|b| !matches!(b, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E'))
        .unwrap_or(text.len());
    let (token, after) = text.split_at(end);
    if token.len() > MAX_NUMBER_CHARS {
        return Err(JsonFault::NumberRange);
    }
    if let Some(at) = token.iter().position(|b| matches!(b, b'e' | b'E')) {
        let exponent =
            token.get(at + 1..).and_then(|e| std::str::from_utf8(e).ok()).and_then(|e| e.parse::<i32>().ok());
        if exponent.is_none_or(|e| e.abs() > MAX_EXPONENT) {
            return Err(JsonFault::NumberRange);
        }
    }
    Ok(after)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_the_text_as_it_was_written() {
        let text = r#"{"a": 1.50, "é": "\u00e9\ud83d\ude00", "b": [true, null, {"c": -1e-7}]}"#;
        assert_eq!(JsonObject::parse(text).unwrap().as_str(), text);
    }

    #[test]
    fn refuses_what_jsonb_cannot_hold() {
        let deep = format!("{{\"a\":{}1{}}}", "[".repeat(64), "]".repeat(64));
        let digits = format!("{{\"a\":{}}}", "9".repeat(401));
        for (text, fault) in [
            (r#"{"a":"x\u0000y"}"#, JsonFault::Nul),
            (r#"{"\u0000":1}"#, JsonFault::Nul),
            (r#"{"a":"\ud800"}"#, JsonFault::LoneSurrogate),
            (r#"{"a":"\ud800\u0041"}"#, JsonFault::LoneSurrogate),
            (r#"{"a":"\udc00"}"#, JsonFault::LoneSurrogate),
            (r#"{"a":1e400000}"#, JsonFault::NumberRange),
            (r#"{"a":1e-20000}"#, JsonFault::NumberRange),
            (r#"{"a":1e99999999999}"#, JsonFault::NumberRange),
            ("[1]", JsonFault::NotAnObject),
            ("null", JsonFault::NotAnObject),
            (deep.as_str(), JsonFault::TooDeep),
            (digits.as_str(), JsonFault::NumberRange),
        ] {
            assert_eq!(JsonObject::parse(text).unwrap_err(), fault, "{text}");
        }
    }

    #[test]
    fn an_escaped_backslash_before_u_is_not_an_escape() {
        assert!(JsonObject::parse(r#"{"a":"\\u0000"}"#).is_ok());
    }

    #[test]
    fn sixty_four_levels_are_fine() {
        let text = format!("{{\"a\":{}1{}}}", "[".repeat(63), "]".repeat(63));
        assert!(JsonObject::parse(&text).is_ok());
    }
}
