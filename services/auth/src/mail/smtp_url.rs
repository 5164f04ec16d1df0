//! `MILLRACE_SMTP_URL`: where mail is handed over.

use std::str::FromStr;

use secrecy::{ExposeSecret, SecretString};
use url::Url;

/// The address of a mail server, with what it takes to be let in. Does not print itself.
#[derive(Clone, Debug)]
pub struct SmtpUrl {
    url: SecretString,
    host: String,
    encryption: Encryption,
}

/// How the conversation is kept from others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encryption {
    /// Not at all: `smtp://`.
    None,
    /// From the first command on that matters: `smtp://…?tls=required`.
    StartTls,
    /// From the first byte on: `smtps://`.
    Wrapped,
}

/// Why a text is not the address of a mail server. It does not repeat the text, which may hold a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAnSmtpUrl {
    /// No URL at all.
    #[error(
        "must be a URL like `smtps://user:password@mail.example.com` or `smtp://mail.example.com?tls=required`; \
         special characters in user and password are percent-encoded"
    )]
    Form,
    /// Another scheme.
    #[error("must begin with `smtp://` or `smtps://`")]
    Scheme,
    /// `tls=opportunistic`, say: whoever is in between decides whether there is any.
    #[error("may have `?tls=required` behind `smtp://`, and no other parameter")]
    Parameter,
    /// Anybody in between could read it.
    #[error("has a password, which is not sent in the clear: use `smtps://` or add `?tls=required`")]
    PasswordInTheClear,
}

impl SmtpUrl {
    /// All of it.
    #[must_use]
    pub fn reveal(&self) -> &str {
        self.url.expose_secret()
    }

    /// The server's name, which its certificate must have.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// How the conversation is kept from others.
    #[must_use]
    pub fn encryption(&self) -> Encryption {
        self.encryption
    }
}

impl FromStr for SmtpUrl {
    type Err = NotAnSmtpUrl;

    fn from_str(text: &str) -> Result<Self, NotAnSmtpUrl> {
        let url = Url::parse(text).map_err(|_not_a_url| NotAnSmtpUrl::Form)?;
        let host = url.host_str().filter(|host| !host.is_empty()).ok_or(NotAnSmtpUrl::Form)?.to_owned();
        let encryption = match (url.scheme(), url.query()) {
            ("smtp", None) => Encryption::None,
            ("smtp", Some("tls=required")) => Encryption::StartTls,
            ("smtps", None) => Encryption::Wrapped,
            ("smtp" | "smtps", Some(_)) => return Err(NotAnSmtpUrl::Parameter),
            _ => return Err(NotAnSmtpUrl::Scheme),
        };
        let lets_in = !url.username().is_empty() || url.password().is_some();
        if lets_in && encryption == Encryption::None {
            return Err(NotAnSmtpUrl::PasswordInTheClear);
        }
        Ok(Self { url: text.into(), host, encryption })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scheme_says_how_the_conversation_is_kept() {
        for (text, encryption) in [
            ("smtp://localhost:2525", Encryption::None),
            ("smtp://ada:p%40ss@mail.example.com?tls=required", Encryption::StartTls),
            ("smtps://ada:pass@mail.example.com:465", Encryption::Wrapped),
        ] {
            let url: SmtpUrl = text.parse().unwrap();
            assert_eq!((url.encryption(), url.reveal()), (encryption, text));
            assert!(!format!("{url:?}").contains("p%40ss"), "{url:?}");
        }
    }

    #[test]
    fn what_would_surprise_is_refused_and_not_repeated() {
        for (text, fault) in [
            ("mail.example.com", NotAnSmtpUrl::Form),
            ("smtp://", NotAnSmtpUrl::Form),
            ("https://mail.example.com", NotAnSmtpUrl::Scheme),
            ("smtp://mail.example.com?tls=opportunistic", NotAnSmtpUrl::Parameter),
            ("smtps://mail.example.com?tls=required", NotAnSmtpUrl::Parameter),
            ("smtp://ada:hunter2@mail.example.com", NotAnSmtpUrl::PasswordInTheClear),
        ] {
            let error = text.parse::<SmtpUrl>().unwrap_err();
            assert_eq!(error, fault, "{text}");
            assert!(!error.to_string().contains("hunter2"));
        }
    }
}
