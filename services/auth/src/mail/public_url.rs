//! `MILLRACE_PUBLIC_URL`: where people find this installation.

use std::fmt;
use std::str::FromStr;

use url::Url;

/// The gateway's address as people have it, without a slash at its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicUrl(String);

/// A text that is no such address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be an address like `https://millrace.example.com`, with nothing behind it but a path")]
pub struct NotAPublicUrl;

impl Default for PublicUrl {
    /// Where the gateway listens unless it is told otherwise.
    fn default() -> Self {
        Self("http://127.0.0.1:8080".to_owned())
    }
}

impl FromStr for PublicUrl {
    type Err = NotAPublicUrl;

    fn from_str(text: &str) -> Result<Self, NotAPublicUrl> {
        let url = Url::parse(text).map_err(|_not_a_url| NotAPublicUrl)?;
        let plain = url.username().is_empty() && url.password().is_none();
        let plain = plain && url.query().is_none() && url.fragment().is_none();
        if !plain || !["http", "https"].contains(&url.scheme()) {
            return Err(NotAPublicUrl);
        }
        Ok(Self(url.as_str().trim_end_matches('/').to_owned()))
    }
}

impl fmt::Display for PublicUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_no_slash_at_its_end() {
        for text in ["https://Millrace.example.com/", "https://millrace.example.com"] {
            assert_eq!(text.parse::<PublicUrl>().unwrap().to_string(), "https://millrace.example.com");
        }
        assert_eq!(PublicUrl::default(), PublicUrl::default().to_string().parse().unwrap());
    }

    #[test]
    fn what_a_link_cannot_begin_with_is_refused() {
        for text in
            ["millrace.example.com", "ftp://a.b", "https://a.b/?x=1", "https://a.b/#x", "https://me:pw@a.b"]
        {
            assert_eq!(text.parse::<PublicUrl>(), Err(NotAPublicUrl), "{text}");
        }
    }
}
