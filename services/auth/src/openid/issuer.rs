//! Who a provider is, and where it may be spoken to.

use std::fmt;
use std::str::FromStr;

use oauth2::url::{Host, Url};

/// An issuer of ID tokens: an https URL. Plain http is for this machine itself, where nobody listens in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issuer {
    /// As it was written: providers repeat it to the letter, and it is compared so.
    text: String,
    url: Url,
}

/// A text that names no issuer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "must be an https URL without query and fragment (http only on this machine), such as {}",
    Issuer::GOOGLE
)]
pub struct NotAnIssuer;

impl Issuer {
    /// Google's.
    pub const GOOGLE: &str = "https://accounts.google.com";

    /// As the provider writes it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The host alone.
    #[must_use]
    pub fn host(&self) -> &str {
        self.url.host_str().unwrap_or_default()
    }

    /// Whether it is spoken to over TLS alone.
    #[must_use]
    pub fn is_https(&self) -> bool {
        self.url.scheme() == "https"
    }

    /// Whether this may be an endpoint of the provider: it is reached no less safely than the issuer.
    #[must_use]
    pub fn may_have(&self, endpoint: &Url) -> bool {
        endpoint.scheme() == "https" || !self.is_https() && is_plain_and_local(endpoint)
    }

    /// Where it describes itself
    /// ([OpenID Connect Discovery](https://openid.net/specs/openid-connect-discovery-1_0.html), 4.1).
    #[must_use]
    pub fn description(&self) -> String {
        format!("{}/.well-known/openid-configuration", self.text.trim_end_matches('/'))
    }
}

impl FromStr for Issuer {
    type Err = NotAnIssuer;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let url: Url = text.parse().map_err(|_no_url| NotAnIssuer)?;
        let plain = url.query().is_none() && url.fragment().is_none();
        let anonymous = url.username().is_empty() && url.password().is_none();
        let reachable = url.has_host() && (url.scheme() == "https" || is_plain_and_local(&url));
        if plain && anonymous && reachable {
            Ok(Self { text: text.to_owned(), url })
        } else {
            Err(NotAnIssuer)
        }
    }
}

impl fmt::Display for Issuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

fn is_plain_and_local(url: &Url) -> bool {
    let local = match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    };
    url.scheme() == "http" && local
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_issuer_is_reached_over_tls_or_on_this_machine() {
        for text in
            [Issuer::GOOGLE, "https://id.example.com/realms/shop", "http://127.0.0.1:4000", "http://[::1]:1"]
        {
            assert_eq!(text.parse::<Issuer>().unwrap().as_str(), text);
        }
        for text in [
            "",
            "accounts.google.com",
            "http://accounts.google.com",
            "http://localhost.example.com",
            "http://10.0.0.1",
            "ftp://127.0.0.1",
            "https://a:b@id.example.com",
            "https://id.example.com?x=1",
            "https://id.example.com#x",
            "file:///etc/passwd",
        ] {
            assert_eq!(text.parse::<Issuer>(), Err(NotAnIssuer), "{text}");
        }
    }

    #[test]
    fn a_provider_elsewhere_has_no_endpoints_on_this_machine() {
        let url = |text: &str| text.parse::<Url>().unwrap();
        let google: Issuer = Issuer::GOOGLE.parse().unwrap();
        assert!(google.may_have(&url("https://oauth2.googleapis.com/token")));
        let local: Issuer = "http://localhost:4000".parse().unwrap();
        assert!(local.may_have(&url("http://127.0.0.1:4001/token")));
        for endpoint in
            ["http://oauth2.googleapis.com/token", "http://169.254.169.254/", "file:///etc/passwd"]
        {
            assert!(!google.may_have(&url(endpoint)) && !local.may_have(&url(endpoint)), "{endpoint}");
        }
        assert!(!google.may_have(&url("http://127.0.0.1/token")));
    }

    #[test]
    fn it_describes_itself_below_its_path() {
        let described = |text: &str| text.parse::<Issuer>().unwrap().description();
        let expected = "https://id.example.com/realms/shop/.well-known/openid-configuration";
        assert_eq!(described("https://id.example.com/realms/shop"), expected);
        assert_eq!(described("https://id.example.com/realms/shop/"), expected);
    }
}
