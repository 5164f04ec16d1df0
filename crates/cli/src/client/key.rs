use std::str::FromStr;

use reqwest::header::{HeaderValue, InvalidHeaderValue};

/// An API key, ready to be shown to a server. It does not print.
#[derive(Debug, Clone)]
pub struct Key(HeaderValue);

impl Key {
    pub(super) fn bearer(&self) -> HeaderValue {
        self.0.clone()
    }
}

impl FromStr for Key {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        if text.is_empty() {
            return Err("the key is empty".to_owned());
        }
        let mut bearer = HeaderValue::from_str(&format!("Bearer {text}"))
            .map_err(|error: InvalidHeaderValue| format!("the key can be no header: {error}"))?;
        bearer.set_sensitive(true);
        Ok(Self(bearer))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_does_not_print() {
        let key: Key = "mk_secret".parse().unwrap();
        assert!(!format!("{key:?}").contains("secret"));
        assert_eq!(key.bearer(), "Bearer mk_secret");
    }

    #[test]
    fn what_cannot_be_a_key_is_refused() {
        assert!("  ".parse::<Key>().is_err());
        assert!("a\nb".parse::<Key>().is_err());
    }
}
