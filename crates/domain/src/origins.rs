//! Whose pages may ask: origins as browsers write them (RFC 6454).

use std::fmt;
use std::str::FromStr;

use url::Url;

/// The origins whose pages may ask: some, or `*` for all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AllowedOrigins {
    /// These; none for pages of the same origin alone.
    These(Vec<String>),
    /// All.
    Any,
}

/// A part of the list is no origin.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no origin such as https://shop.example, nor `*` alone")]
pub struct NotAnOrigin(String);

impl AllowedOrigins {
    /// A list of origins; `*` alone stands for all.
    ///
    /// # Errors
    /// Names the first that is none.
    pub fn parse<'a>(parts: impl IntoIterator<Item = &'a str>) -> Result<Self, NotAnOrigin> {
        let parts: Vec<&str> = parts.into_iter().map(str::trim).filter(|part| !part.is_empty()).collect();
        if parts == ["*"] {
            return Ok(Self::Any);
        }
        let each = parts.into_iter().map(|part| origin(part).ok_or_else(|| NotAnOrigin(part.to_owned())));
        each.collect::<Result<_, _>>().map(Self::These)
    }

    /// Whether pages of other origins may ask at all.
    #[must_use]
    pub fn some(&self) -> bool {
        *self != Self::These(Vec::new())
    }

    /// Whether pages of this origin may, as a browser names it.
    #[must_use]
    pub fn allow(&self, origin: &str) -> bool {
        match self {
            Self::Any => true,
            Self::These(origins) => origins.iter().any(|one| one == origin),
        }
    }

    /// Each of them, or `*`.
    #[must_use]
    pub fn names(&self) -> Vec<&str> {
        match self {
            Self::Any => vec!["*"],
            Self::These(origins) => origins.iter().map(String::as_str).collect(),
        }
    }
}

/// Separated by commas.
impl FromStr for AllowedOrigins {
    type Err = NotAnOrigin;

    fn from_str(text: &str) -> Result<Self, NotAnOrigin> {
        Self::parse(text.split(','))
    }
}

impl fmt::Display for AllowedOrigins {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.names().join(","))
    }
}

/// As browsers write it, or nothing: a list that no browser ever matches would be a mistake without a sign.
fn origin(text: &str) -> Option<String> {
    let origin = Url::parse(text).ok()?.origin();
    let written = origin.ascii_serialization();
    (origin.is_tuple() && text.trim_end_matches('/') == written).then_some(written)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_has_origins_as_browsers_write_them() {
        let these =
            |origins: &[&str]| AllowedOrigins::These(origins.iter().map(|o| (*o).to_owned()).collect());
        let two = these(&["https://shop.example", "http://localhost:5173"]);
        assert_eq!("https://shop.example, http://localhost:5173/".parse(), Ok(two.clone()));
        assert_eq!(two.to_string().parse(), Ok(two.clone()));
        assert!(two.allow("https://shop.example") && !two.allow("https://shop.example:8443"));
        assert_eq!("*".parse(), Ok(AllowedOrigins::Any));
        assert!(
            AllowedOrigins::Any.allow("https://anywhere.example") && AllowedOrigins::Any.to_string() == "*"
        );
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
