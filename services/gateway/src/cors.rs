//! Which pages of other origins may read answers. Preflights are answered here.

use std::str::FromStr;

use actix_cors::Cors;
use url::Url;

/// How long a browser may remember a preflight; none remembers longer than two hours.
const REMEMBERED_SECONDS: usize = 7200;
/// What a page may read besides the body.
const EXPOSED: [&str; 6] =
    ["x-request-id", "retry-after", "ratelimit", "ratelimit-policy", "etag", "x-cache"];

/// The origins whose pages may ask: some, or `*` for all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AllowedOrigins {
    /// These; none for pages of the same origin alone.
    These(Vec<String>),
    /// All.
    Any,
}

/// A part of the list is no origin.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is no origin such as https://shop.example, nor `*` alone")]
pub struct NotAnOrigin(String);

impl FromStr for AllowedOrigins {
    type Err = NotAnOrigin;

    fn from_str(text: &str) -> Result<Self, NotAnOrigin> {
        if text.trim() == "*" {
            return Ok(Self::Any);
        }
        let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
        parts
            .map(|part| origin(part).ok_or_else(|| NotAnOrigin(part.to_owned())))
            .collect::<Result<_, _>>()
            .map(Self::These)
    }
}

/// As browsers write it, or nothing: a list that no browser ever matches would be a mistake without a sign.
fn origin(text: &str) -> Option<String> {
    let origin = Url::parse(text).ok()?.origin();
    let written = origin.ascii_serialization();
    (origin.is_tuple() && text.trim_end_matches('/') == written).then_some(written)
}

impl AllowedOrigins {
    /// Whether pages of other origins may ask at all.
    #[must_use]
    pub fn some(&self) -> bool {
        *self != Self::These(Vec::new())
    }

    /// The policy of ingest, which looks at no cookie: SDKs send what the browser has of them, and when all may ask, theirs
    /// may as well.
    pub(crate) fn policy_of_ingest(&self) -> Cors {
        match self {
            Self::Any => told().allow_any_origin().supports_credentials(),
            Self::These(_) => self.policy(),
        }
    }

    /// The policy for these origins. Pages of origins that are named may send the browser's cookies; when all may ask,
    /// none may.
    pub(crate) fn policy(&self) -> Cors {
        match self {
            Self::Any => told().allow_any_origin().send_wildcard(),
            Self::These(origins) => origins
                .iter()
                .fold(told(), |policy, origin| policy.allowed_origin(origin))
                .supports_credentials(),
        }
    }
}

/// What every page may do and read that may ask at all.
fn told() -> Cors {
    Cors::default().allow_any_method().allow_any_header().expose_headers(EXPOSED).max_age(REMEMBERED_SECONDS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_has_origins_as_browsers_write_them() {
        let these =
            |origins: &[&str]| AllowedOrigins::These(origins.iter().map(|o| (*o).to_owned()).collect());
        assert_eq!(
            "https://shop.example, http://localhost:5173/".parse::<AllowedOrigins>().unwrap(),
            these(&["https://shop.example", "http://localhost:5173"])
        );
        assert_eq!("*".parse::<AllowedOrigins>().unwrap(), AllowedOrigins::Any);
        assert!(!"".parse::<AllowedOrigins>().unwrap().some());
        for text in [
            "shop.example",
            "https://shop.example/a",
            "https://Shop.example",
            "https://a:443",
            "null",
            "*, https://a",
        ] {
            assert!(text.parse::<AllowedOrigins>().is_err(), "{text}");
        }
    }
}
