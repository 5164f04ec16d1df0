//! Optimistic concurrency: nobody overwrites what they have not seen.
//!
//! What can be changed by several people has a version, which answers carry as a strong `ETag`. Whoever changes it says
//! with `If-Match` which version they have seen ([RFC 9110, 13.1.1](https://www.rfc-editor.org/rfc/rfc9110#section-13.1.1)),
//! and is refused with 412 and the present state if there is a newer one.

use std::future::{Ready, ready};

use actix_web::http::header::{ETAG, EntityTag, Header, HeaderName, IfMatch};
use actix_web::{FromRequest, HttpRequest, dev::Payload};
use serde::Serialize;

use crate::problem::{Code, Problem};

/// The version as a header of an answer.
#[must_use]
pub fn tag(version: i64) -> (HeaderName, String) {
    (ETAG, EntityTag::new_strong(version.to_string()).to_string())
}

/// The versions that the caller has seen: proof that the request carries `If-Match`.
#[derive(Debug)]
pub struct Seen(IfMatch);

impl Seen {
    /// That the caller has seen this version, the present one of `current`.
    ///
    /// # Errors
    /// 412 that shows the present state.
    pub fn check(&self, version: i64, current: &impl Serialize) -> Result<(), Problem> {
        let seen = match &self.0 {
            IfMatch::Any => true,
            IfMatch::Items(tags) => {
                tags.iter().any(|tag| tag.strong_eq(&EntityTag::new_strong(version.to_string())))
            }
        };
        if seen { Ok(()) } else { Err(changed_meanwhile(current)) }
    }
}

/// That somebody else was faster.
#[must_use]
pub fn changed_meanwhile(current: &impl Serialize) -> Problem {
    let detail =
        "it was changed meanwhile; `current` is its present state: look at it and try again with its ETag";
    Problem::new(Code::ChangedMeanwhile, detail).showing(current)
}

impl FromRequest for Seen {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(read(request))
    }
}

fn read(request: &HttpRequest) -> Result<Seen, Problem> {
    if !request.headers().contains_key(IfMatch::name()) {
        let detail =
            "send `If-Match` with the ETag of the state that you have seen, so that nobody's change is lost";
        return Err(Problem::new(Code::VersionRequired, detail));
    }
    let unreadable = |_error| Problem::new(Code::Malformed, "If-Match must be an ETag in quotes, or `*`");
    IfMatch::parse(request).map(Seen).map_err(unreadable)
}

#[cfg(test)]
mod tests {
    use actix_web::ResponseError;
    use actix_web::test::TestRequest;

    use super::*;

    fn status(header: Option<&str>, version: i64) -> u16 {
        let mut request = TestRequest::default();
        if let Some(value) = header {
            request = request.insert_header(("If-Match", value));
        }
        let checked = read(&request.to_http_request()).and_then(|seen| seen.check(version, &"the newer one"));
        checked.map_or_else(|problem| problem.status_code().as_u16(), |()| 200)
    }

    #[test]
    fn only_who_has_seen_the_present_version_goes_on() {
        assert_eq!(status(Some("\"7\""), 7), 200);
        assert_eq!(status(Some("\"6\", \"7\""), 7), 200);
        assert_eq!(status(Some("*"), 7), 200);
        assert_eq!(status(Some("\"6\""), 7), 412);
        assert_eq!(status(Some("W/\"7\""), 7), 412, "a weak tag says nothing about the whole");
        assert_eq!(status(None, 7), 428);
        assert_eq!(status(Some("7"), 7), 412, "what is no tag is no version that was seen");
    }
}
