use std::fmt;
use std::str::FromStr;

use url::{Host, Url};

/// The address of a server, under which the routes of the API are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BaseUrl(Url);

impl BaseUrl {
    /// The address of a route; a path that the base itself has stays in front.
    pub(crate) fn route(&self, path: &str) -> Url {
        let mut url = self.0.clone();
        url.set_path(&format!("{}{path}", self.0.path().trim_end_matches('/')));
        url
    }

    /// Whether the server runs on this machine.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        match self.0.host() {
            Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            None => false,
        }
    }
}

impl FromStr for BaseUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut url = Url::parse(text).map_err(|error| format!("`{text}` is no address: {error}"))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(format!("`{text}` must begin with http:// or https://"));
        }
        url.set_query(None);
        url.set_fragment(None);
        Ok(Self(url))
    }
}

impl fmt::Display for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str().trim_end_matches('/'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn routes_go_under_the_base() {
        for (base, route) in [
            ("http://127.0.0.1:8080", "http://127.0.0.1:8080/api/v1/events"),
            ("https://example.org/millrace/", "https://example.org/millrace/api/v1/events"),
        ] {
            assert_eq!(base.parse::<BaseUrl>().unwrap().route("/api/v1/events").as_str(), route);
        }
    }

    #[test]
    fn loopback_is_known_in_all_its_spellings() {
        for (base, loopback) in [
            ("http://localhost:1", true),
            ("http://127.3.2.1", true),
            ("http://[::1]:8080", true),
            ("http://localhost.example.org", false),
            ("http://10.0.0.1", false),
        ] {
            assert_eq!(base.parse::<BaseUrl>().unwrap().is_loopback(), loopback, "{base}");
        }
        assert!("localhost:8080".parse::<BaseUrl>().is_err());
    }
}
