//! E-mail addresses, as accounts are called by.

use std::fmt;
use std::str::FromStr;

/// The longest path of RFC 5321, section 4.5.3.1.3, without its angle brackets.
const MAX_BYTES: usize = 254;

/// An address, trimmed and in lower case, so that a person has one account however they write it.
///
/// Whether mail arrives there, only mail can tell: the form is checked as far as typing errors go.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Email(String);

/// A text that is no address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be an e-mail address such as `ada@example.com`, of at most {MAX_BYTES} bytes")]
pub struct NotAnEmail;

impl Email {
    /// The address as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Email {
    type Err = NotAnEmail;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let address = text.trim().to_lowercase();
        let (local, host) = address.rsplit_once('@').ok_or(NotAnEmail)?;
        let host_is_sound = !host.is_empty() && host.split('.').all(|label| !label.is_empty());
        let odd = |c: char| c.is_whitespace() || c.is_control() || c == '@';
        if local.is_empty()
            || !host_is_sound
            || local.contains(odd)
            || host.contains(odd)
            || address.len() > MAX_BYTES
        {
            return Err(NotAnEmail);
        }
        Ok(Self(address))
    }
}

impl fmt::Display for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn however_it_is_written_it_is_the_same_address() {
        let email: Email = "  Ada.Lovelace@Example.COM ".parse().unwrap();
        assert_eq!(email.as_str(), "ada.lovelace@example.com");
        assert_eq!("admin@localhost".parse::<Email>().unwrap().as_str(), "admin@localhost");
    }

    #[test]
    fn typing_errors_are_found() {
        let long = format!("{}@example.com", "a".repeat(250));
        for text in [
            "",
            "ada",
            "@example.com",
            "ada@",
            "ada@example.",
            "a b@example.com",
            "a@b@example.com",
            "a\0@b.c",
            &long,
        ] {
            assert_eq!(text.parse::<Email>(), Err(NotAnEmail), "{text:?}");
        }
    }
}
