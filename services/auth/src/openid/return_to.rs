//! Where somebody goes once they are signed in.

use std::fmt;

use serde::{Deserialize, Serialize};

const MAX_BYTES: usize = 1024;

/// A path of ours, with its query and fragment. Nothing that a browser could take for another site's address: whoever
/// sends somebody here to sign in must not decide where they end up with the trust that they have in us.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ReturnTo(String);

/// A text that leads elsewhere, or may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "must be a path here, such as `/projects?tab=keys`: ASCII without spaces, at most {MAX_BYTES} bytes, beginning with one `/`"
)]
pub struct NotAPath;

impl ReturnTo {
    /// As it is sent.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for ReturnTo {
    type Error = NotAPath;

    fn try_from(text: String) -> Result<Self, NotAPath> {
        // Browsers read `\` as `/`, and pass over tabs and line breaks wherever they stand.
        let harmless = text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
        let here = text.starts_with('/') && !text.starts_with("//");
        if here && harmless && text.len() <= MAX_BYTES { Ok(Self(text)) } else { Err(NotAPath) }
    }
}

impl From<ReturnTo> for String {
    fn from(path: ReturnTo) -> Self {
        path.0
    }
}

impl fmt::Display for ReturnTo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use oauth2::url::Url;

    use super::*;

    fn parse(text: &str) -> Result<ReturnTo, NotAPath> {
        text.to_owned().try_into()
    }

    #[test]
    fn paths_of_ours_are_taken_as_they_are() {
        let base: Url = "https://millrace.example.com/api/v1/auth/oidc/callback".parse().unwrap();
        for text in [
            "/",
            "/projects",
            "/a/b?c=d&e=https://x/#f",
            "/@evil.com",
            "/.//evil.com",
            "/a//b",
            "/%5Cevil.com",
        ] {
            assert_eq!(parse(text).unwrap().as_str(), text);
            assert_eq!(base.join(text).unwrap().origin(), base.origin(), "{text}");
        }
    }

    #[test]
    fn whatever_leads_elsewhere_is_refused() {
        for text in [
            "",
            "projects",
            "//evil.com",
            "///evil.com",
            "/\\evil.com",
            "\\/evil.com",
            "\\\\evil.com",
            "/a\\b",
            "/\t/evil.com",
            "/\n/evil.com",
            "/\r\nSet-Cookie: a=b",
            "\t//evil.com",
            " //evil.com",
            "/ /evil.com",
            "/\0/evil.com",
            "/\u{7f}",
            "https://evil.com",
            "https:/evil.com",
            "https:evil.com",
            "javascript:alert(1)",
            "data:text/html,x",
            "?x",
            "#x",
            "/ü",
            "/\u{2215}evil.com",
        ] {
            assert_eq!(parse(text), Err(NotAPath), "{text:?}");
        }
        assert_eq!(parse(&format!("/{}", "a".repeat(MAX_BYTES))), Err(NotAPath));
    }

    #[test]
    fn what_was_kept_is_held_to_the_same_law() {
        assert!(serde_json::from_str::<ReturnTo>("\"//evil.com\"").is_err());
        assert_eq!(serde_json::from_str::<ReturnTo>("\"/a\"").unwrap(), parse("/a").unwrap());
    }
}
