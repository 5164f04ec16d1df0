//! The two cookies of a browser session ([RFC 6265](https://www.rfc-editor.org/rfc/rfc6265)): one that lets in and that
//! no script can read, and one with the CSRF token, which the page reads and sends as a header.
//!
//! Over TLS the first has the prefix `__Host-`: browsers take such a cookie from this very host alone and over TLS
//! alone, so that neither a neighbour under the same domain nor somebody on the line can put theirs in its place. The
//! other name is not looked at then.

use std::borrow::Cow;
use std::time::Duration;

use actix_web::http::header::{COOKIE, HeaderMap, HeaderValue, InvalidHeaderValue, SET_COOKIE};

/// The session, in the clear.
const PLAIN: &str = "millrace_session";
/// The session, over TLS.
const HOST_ONLY: &str = "__Host-millrace_session";
/// The token that a page sends as `X-CSRF-Token`.
const CSRF: &str = "millrace_csrf";

/// The cookies as they are on this side: over TLS or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionCookies {
    /// Whether the browser speaks TLS: see [`PublicSide::is_secure`](crate::public_side::PublicSide::is_secure).
    pub secure: bool,
}

impl SessionCookies {
    /// The session that a request shows.
    #[must_use]
    pub fn session(self, headers: &HeaderMap) -> Option<&str> {
        let name = self.session_name();
        let lines = headers.get_all(COOKIE).filter_map(|line| line.to_str().ok());
        lines.flat_map(pairs).find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
    }

    /// Has the browser keep a session and its CSRF token.
    ///
    /// # Errors
    /// When one of them does not fit into a header.
    pub fn set(
        self,
        headers: &mut HeaderMap,
        (session, csrf): (&str, &str),
        lifetime: Duration,
    ) -> Result<(), InvalidHeaderValue> {
        let seconds = lifetime.as_secs();
        self.append(headers, &format!("{}={session}; Max-Age={seconds}; HttpOnly", self.session_name()))?;
        self.append(headers, &format!("{CSRF}={csrf}; Max-Age={seconds}"))
    }

    /// Has the browser forget both.
    ///
    /// # Errors
    /// Never: the values are known.
    pub fn clear(self, headers: &mut HeaderMap) -> Result<(), InvalidHeaderValue> {
        // In this order: of two cookies that go, curl 7.88 keeps the first in its jar.
        self.append(headers, &format!("{CSRF}=; Max-Age=0"))?;
        self.append(headers, &format!("{}=; Max-Age=0; HttpOnly", self.session_name()))
    }

    fn session_name(self) -> &'static str {
        if self.secure { HOST_ONLY } else { PLAIN }
    }

    fn append(self, headers: &mut HeaderMap, cookie: &str) -> Result<(), InvalidHeaderValue> {
        let secure = if self.secure { "; Secure" } else { "" };
        headers
            .append(SET_COOKIE, HeaderValue::from_str(&format!("{cookie}; Path=/; SameSite=Lax{secure}"))?);
        Ok(())
    }
}

/// A line of cookies without those of a session, under any name, for somebody they are not meant for; `None` when nothing
/// is left. A line that is not text may hide anything, and no service of ours reads it.
#[must_use]
pub fn others(line: &[u8]) -> Option<Cow<'_, str>> {
    let line = str::from_utf8(line).ok()?;
    let ours =
        |pair: &&str| [PLAIN, HOST_ONLY, CSRF].contains(&pair.split('=').next().unwrap_or_default().trim());
    if !pairs(line).any(|pair| ours(&pair)) {
        return Some(line.into());
    }
    let others: Vec<&str> = pairs(line).filter(|pair| !ours(pair)).collect();
    (!others.is_empty()).then(|| others.join("; ").into())
}

fn pairs(line: &str) -> impl Iterator<Item = &str> {
    line.split(';').map(str::trim).filter(|pair| !pair.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLEAR: SessionCookies = SessionCookies { secure: false };
    const TLS: SessionCookies = SessionCookies { secure: true };

    fn request(lines: &[&'static str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(COOKIE, HeaderValue::from_static(line));
        }
        headers
    }

    fn sent(cookies: impl FnOnce(&mut HeaderMap)) -> Vec<String> {
        let mut headers = HeaderMap::new();
        cookies(&mut headers);
        headers.get_all(SET_COOKIE).map(|line| line.to_str().unwrap().to_owned()).collect()
    }

    #[test]
    fn scripts_read_the_csrf_token_and_not_the_session() {
        let week = Duration::from_secs(604_800);
        assert_eq!(
            sent(|headers| CLEAR.set(headers, ("a.b", "c"), week).unwrap()),
            [
                "millrace_session=a.b; Max-Age=604800; HttpOnly; Path=/; SameSite=Lax",
                "millrace_csrf=c; Max-Age=604800; Path=/; SameSite=Lax",
            ]
        );
        assert_eq!(
            sent(|headers| TLS.set(headers, ("a.b", "c"), week).unwrap()),
            [
                "__Host-millrace_session=a.b; Max-Age=604800; HttpOnly; Path=/; SameSite=Lax; Secure",
                "millrace_csrf=c; Max-Age=604800; Path=/; SameSite=Lax; Secure",
            ]
        );
    }

    #[test]
    fn what_was_set_is_cleared_under_the_same_attributes() {
        assert_eq!(
            sent(|headers| TLS.clear(headers).unwrap()),
            [
                "millrace_csrf=; Max-Age=0; Path=/; SameSite=Lax; Secure",
                "__Host-millrace_session=; Max-Age=0; HttpOnly; Path=/; SameSite=Lax; Secure",
            ]
        );
        assert!(sent(|headers| CLEAR.clear(headers).unwrap())[1].starts_with("millrace_session=; Max-Age=0"));
    }

    #[test]
    fn a_session_is_found_among_other_cookies() {
        let headers = request(&["theme=dark; millrace_session=a=b ;x", "y=z;__Host-millrace_session=s"]);
        assert_eq!((CLEAR.session(&headers), TLS.session(&headers)), (Some("a=b"), Some("s")));
        for none in
            ["", "millrace_sessions=a", "xmillrace_session=a", "millrace_session", "x=millrace_session=a"]
        {
            assert_eq!(CLEAR.session(&request(&[none])), None, "{none}");
        }
        assert_eq!(
            TLS.session(&request(&["millrace_session=a"])),
            None,
            "anybody on the line can set that one"
        );
    }

    #[test]
    fn other_cookies_go_on_and_ours_do_not() {
        let left = |lines: &[&'static str]| {
            lines.iter().filter_map(|line| others(line.as_bytes())).collect::<Vec<_>>()
        };
        let ours = "millrace_session=a; theme=dark; __Host-millrace_session=b;millrace_csrf=c; x";
        assert_eq!(left(&[ours, "y=1"]), ["theme=dark; x", "y=1"]);
        assert!(left(&["millrace_session=a", "millrace_session = b", "millrace_csrf"]).is_empty());
        assert_eq!(left(&["theme=dark;  x=1"]), ["theme=dark;  x=1"], "untouched");
    }
}
