//! The browser that began a sign-in, by a cookie: without it, whoever began one could have somebody else's browser
//! finish it, and watch what they do in an account that is not theirs.

use std::fmt;

use actix_web::http::header::{COOKIE, HeaderMap};
use millrace_cache::sign_ins::LIFETIME;
use millrace_security::secret_text;
use rand::rand_core::OsError;

const PLAIN: &str = "millrace_oidc";
/// Over TLS: browsers take such a cookie from this very host alone, so that no neighbour under the same domain can put
/// one of theirs in its place.
const HOST_ONLY: &str = "__Host-millrace_oidc";

/// A secret that a browser keeps while somebody signs in. Not printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Binding(String);

impl Binding {
    /// For another sign-in.
    ///
    /// # Errors
    /// When the operating system has no randomness to give.
    pub fn generate() -> Result<Self, OsError> {
        secret_text::generate("").map(Self)
    }

    /// The one that a browser shows.
    #[must_use]
    pub fn shown(headers: &HeaderMap, secure: bool) -> Option<Self> {
        let cookies = headers.get_all(COOKIE).filter_map(|header| header.to_str().ok());
        let mut pairs =
            cookies.flat_map(|header| header.split(';')).filter_map(|pair| pair.trim().split_once('='));
        pairs.find(|(found, _)| *found == name(secure)).map(|(_, value)| Self(value.to_owned()))
    }

    /// The secret.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// Has the browser keep it, and show it on the way back from the provider: `Strict` would keep it from that.
    #[must_use]
    pub fn cookie(&self, secure: bool) -> String {
        cookie(&self.0, LIFETIME.as_secs(), secure)
    }

    /// Has the browser forget it.
    #[must_use]
    pub fn removal(secure: bool) -> String {
        cookie("", 0, secure)
    }
}

fn name(secure: bool) -> &'static str {
    if secure { HOST_ONLY } else { PLAIN }
}

fn cookie(value: &str, seconds: u64, secure: bool) -> String {
    let (name, secure) = (name(secure), if secure { "; Secure" } else { "" });
    format!("{name}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}")
}

impl fmt::Debug for Binding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Binding(…)")
    }
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    #[test]
    fn it_is_found_among_other_cookies() {
        let shown = |cookies: &[&str]| {
            let mut request = TestRequest::default();
            for cookies in cookies {
                request = request.append_header((COOKIE, *cookies));
            }
            Binding::shown(request.to_http_request().headers(), false).map(|binding| binding.0)
        };
        assert_eq!(shown(&["a=b; millrace_oidc=x; c=d"]), Some("x".to_owned()));
        assert_eq!(shown(&["a=b", "millrace_oidc=x"]), Some("x".to_owned()));
        for others in [&[][..], &["a=b"], &["xmillrace_oidc=x"], &["a=millrace_oidc=x"], &["millrace_oidc"]] {
            assert_eq!(shown(others), None, "{others:?}");
        }
        let both = TestRequest::default().append_header((COOKIE, "millrace_oidc=x; __Host-millrace_oidc=y"));
        let over_tls = Binding::shown(both.to_http_request().headers(), true);
        assert_eq!(over_tls.map(|binding| binding.0).as_deref(), Some("y"));
    }

    #[test]
    fn scripts_and_other_sites_do_not_get_it() {
        let binding = Binding::generate().unwrap();
        let cookie = binding.cookie(true);
        for part in [
            "__Host-millrace_oidc=",
            binding.reveal(),
            "; Path=/;",
            "; HttpOnly",
            "; SameSite=Lax",
            "; Secure",
            "; Max-Age=600",
        ] {
            assert!(cookie.contains(part), "{cookie}");
        }
        assert!(
            !binding.cookie(false).contains("Secure") && !format!("{binding:?}").contains(binding.reveal())
        );
    }
}
