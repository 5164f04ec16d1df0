//! The side that browsers see, and whether a request comes from a page of it.
//!
//! Proxies may stand between: what they say of the host and of TLS is believed from those alone that the configuration
//! names, as with [addresses](crate::client_address).

use std::fmt;
use std::str::FromStr;

use actix_web::HttpRequest;
use actix_web::http::header::{HOST, HeaderName, ORIGIN};
use url::{Origin, Url};

use crate::client_address::{self, TrustedProxies};

const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// `MILLRACE_PUBLIC_URL`: the address that people have in their browsers, like `https://millrace.example.com`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicUrl(Url);

/// A text that is no such address.
#[derive(Debug, thiserror::Error)]
#[error("must be an address like https://millrace.example.com, without a path")]
pub struct NotAPublicUrl;

impl FromStr for PublicUrl {
    type Err = NotAPublicUrl;

    fn from_str(text: &str) -> Result<Self, NotAPublicUrl> {
        let url: Url = text.parse().map_err(|_not_a_url| NotAPublicUrl)?;
        let bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
        let anonymous = url.username().is_empty() && url.password().is_none();
        let sound = matches!(url.scheme(), "http" | "https") && bare && anonymous;
        if sound { Ok(Self(url)) } else { Err(NotAPublicUrl) }
    }
}

impl fmt::Display for PublicUrl {
    /// Without a slash at its end, so that a path can follow.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str().trim_end_matches('/'))
    }
}

/// Where a request comes from, by what the browser says of it. Scripts cannot set these headers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Provenance {
    /// A page of ours, or nobody but the person.
    Ours,
    /// Another site's page.
    Elsewhere,
    /// It does not say, as programs do that are no browsers.
    Unknown,
}

/// What is known of the side that browsers see.
#[derive(Clone, Debug)]
pub struct PublicSide {
    /// Its address, if it is configured.
    pub url: Option<PublicUrl>,
    /// Whose word is taken.
    pub trusted: TrustedProxies,
}

/// Marks the routes that a listener with TLS answers with.
#[derive(Clone, Copy, Debug)]
pub struct OverTls;

impl OverTls {
    /// Whether a request came over TLS to this process.
    #[must_use]
    pub fn is(request: &HttpRequest) -> bool {
        request.app_data::<Self>().is_some()
    }
}

impl PublicSide {
    /// Whether the browser speaks TLS to us, or to the proxy in front.
    #[must_use]
    pub fn is_secure(&self, request: &HttpRequest) -> bool {
        let configured = self.url.as_ref().is_some_and(|url| url.0.scheme() == "https");
        configured
            || OverTls::is(request)
            || self
                .forwarded(request, &FORWARDED_PROTO)
                .is_some_and(|proto| proto.eq_ignore_ascii_case("https"))
    }

    /// Where a request comes from: `Sec-Fetch-Site` says it, and where a browser does not send that, `Origin` does.
    #[must_use]
    pub fn provenance(&self, request: &HttpRequest) -> Provenance {
        let said =
            |name: &HeaderName| request.headers().get(name).map(|value| value.to_str().unwrap_or_default());
        match (said(&SEC_FETCH_SITE), said(&ORIGIN)) {
            (Some("same-origin" | "none"), _) => Provenance::Ours,
            (None, None) => Provenance::Unknown,
            // The browser compares with the address that it knows, which a proxy may have changed on the way.
            (_, Some(origin)) if self.is_configured(origin) => Provenance::Ours,
            (None, Some(origin)) if self.is_asked(request, origin) => Provenance::Ours,
            _ => Provenance::Elsewhere,
        }
    }

    fn is_configured(&self, origin: &str) -> bool {
        self.url.as_ref().is_some_and(|url| parsed(origin).is_some_and(|origin| origin == url.0.origin()))
    }

    /// Whether the origin is the host that the request asks for.
    fn is_asked(&self, request: &HttpRequest, origin: &str) -> bool {
        let host = self.forwarded(request, &FORWARDED_HOST);
        let host = host.or_else(|| request.headers().get(HOST)?.to_str().ok());
        // Over HTTP/2 the target names it.
        let host = host.or_else(|| Some(request.uri().authority()?.as_str()));
        let scheme = if self.is_secure(request) { "https" } else { "http" };
        let asked = host.and_then(|host| parsed(&format!("{scheme}://{host}")));
        asked.is_some() && asked == parsed(origin)
    }

    /// What the first of the trusted proxies says.
    fn forwarded<'a>(&self, request: &'a HttpRequest, name: &HeaderName) -> Option<&'a str> {
        let trusted = self.trusted.contain(client_address::peer(request));
        let said = request.headers().get(name).filter(|_| trusted)?.to_str().ok()?;
        said.split(',').next().map(str::trim).filter(|said| !said.is_empty())
    }
}

/// `null` and nonsense are no origin.
fn parsed(origin: &str) -> Option<Origin> {
    Some(origin.parse::<Url>().ok()?.origin()).filter(Origin::is_tuple)
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    fn side(url: &str) -> PublicSide {
        let url = (!url.is_empty()).then(|| url.parse().unwrap());
        PublicSide { url, trusted: "10.0.0.0/8".parse().unwrap() }
    }

    fn from(peer: &str, headers: &[(&'static str, &str)]) -> HttpRequest {
        let mut request = TestRequest::post().peer_addr(format!("{peer}:5000").parse().unwrap());
        for (name, value) in headers {
            request = request.append_header((*name, *value));
        }
        request.to_http_request()
    }

    #[test]
    fn a_path_can_follow_the_address() {
        for text in ["https://Millrace.example.com/", "https://millrace.example.com"] {
            assert_eq!(text.parse::<PublicUrl>().unwrap().to_string(), "https://millrace.example.com");
        }
    }

    #[test]
    fn an_address_has_a_scheme_and_a_host_and_no_more() {
        for good in ["https://millrace.example.com", "http://localhost:8080/"] {
            assert!(good.parse::<PublicUrl>().is_ok(), "{good}");
        }
        for bad in
            ["", "millrace.example.com", "ftp://a", "https://a/b", "https://a?b", "https://u:p@a", "https://"]
        {
            assert!(bad.parse::<PublicUrl>().is_err(), "{bad}");
        }
    }

    #[test]
    fn it_is_secure_when_the_configuration_or_a_proxy_of_ours_says_so() {
        let https = [("x-forwarded-proto", "https")];
        assert!(side("").is_secure(&from("10.0.0.1", &https)));
        assert!(side("").is_secure(&from("10.0.0.1", &[("x-forwarded-proto", "HTTPS, http")])));
        assert!(!side("").is_secure(&from("10.0.0.1", &[("x-forwarded-proto", "http")])));
        assert!(!side("").is_secure(&from("203.0.113.9", &https)), "a stranger's word is not taken");
        assert!(!side("http://a").is_secure(&from("203.0.113.9", &https)));
        assert!(side("https://a").is_secure(&from("203.0.113.9", &[])));
    }

    #[test]
    fn what_the_browser_says_of_the_site_decides() {
        for (site, origin, expected) in [
            ("same-origin", "http://rewritten.internal", Provenance::Ours),
            ("none", "", Provenance::Ours),
            ("cross-site", "", Provenance::Elsewhere),
            ("cross-site", "http://a", Provenance::Elsewhere),
            ("same-site", "http://b.a", Provenance::Elsewhere),
            ("same-site", "https://public", Provenance::Ours),
            ("nonsense", "", Provenance::Elsewhere),
        ] {
            let mut headers = vec![("host", "a"), ("sec-fetch-site", site)];
            if !origin.is_empty() {
                headers.push(("origin", origin));
            }
            let found = side("https://public").provenance(&from("203.0.113.9", &headers));
            assert_eq!(found, expected, "{site} {origin}");
        }
    }

    #[test]
    fn a_browser_that_says_nothing_of_the_site_names_its_origin() {
        let provenance =
            |peer: &str, headers: &[(&'static str, &str)]| side("").provenance(&from(peer, headers));
        assert_eq!(provenance("203.0.113.9", &[("host", "a:8080")]), Provenance::Unknown);
        for (origin, expected) in [
            ("http://a:8080", Provenance::Ours),
            ("HTTP://A:8080", Provenance::Ours),
            ("https://a:8080", Provenance::Elsewhere),
            ("http://a", Provenance::Elsewhere),
            ("http://b.a:8080", Provenance::Elsewhere),
            ("http://a:8080.evil.example", Provenance::Elsewhere),
            ("null", Provenance::Elsewhere),
            ("", Provenance::Elsewhere),
        ] {
            assert_eq!(
                provenance("203.0.113.9", &[("host", "a:8080"), ("origin", origin)]),
                expected,
                "{origin}"
            );
        }
        let proxied = [
            ("host", "gateway:8080"),
            ("x-forwarded-host", "millrace.example.com"),
            ("x-forwarded-proto", "https"),
            ("origin", "https://millrace.example.com"),
        ];
        assert_eq!(provenance("10.0.0.1", &proxied), Provenance::Ours);
        assert_eq!(
            provenance("203.0.113.9", &proxied),
            Provenance::Elsewhere,
            "a stranger's word is not taken"
        );
    }
}
