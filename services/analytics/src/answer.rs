//! An answer on its way to a client.

use actix_web::http::header::{CACHE_CONTROL, ETAG, EntityTag, Header, HeaderName, IfNoneMatch};
use actix_web::{HttpRequest, HttpResponse};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::plan::Source;

/// Says what the answer was read from: `rollup`, or `raw` if events were needed.
pub const SOURCE: HeaderName = HeaderName::from_static("x-millrace-source");
/// Only the caller may keep it, and must ask whether it still holds: events can arrive late.
const CACHING: &str = "private, no-cache";

/// An answer as it is sent.
#[derive(Clone, Debug)]
pub struct Answer {
    body: Vec<u8>,
    tag: EntityTag,
    source: Source,
}

impl Answer {
    /// Writes `body` as JSON.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn of(body: &impl Serialize, source: Source) -> Result<Self, serde_json::Error> {
        let body = serde_json::to_vec(body)?;
        let tag = EntityTag::new_strong(URL_SAFE_NO_PAD.encode(Sha256::digest(&body)));
        Ok(Self { body, tag, source })
    }

    /// What it was read from.
    #[must_use]
    pub fn source(&self) -> Source {
        self.source
    }

    /// The answer, or 304 for a client that has it already.
    #[must_use]
    pub fn respond(self, request: &HttpRequest) -> HttpResponse {
        let mut response =
            if self.is_known_to(request) { HttpResponse::NotModified() } else { HttpResponse::Ok() };
        response
            .insert_header((ETAG, self.tag.to_string()))
            .insert_header((CACHE_CONTROL, CACHING))
            .insert_header((SOURCE, self.source.as_str()));
        if self.is_known_to(request) {
            response.finish()
        } else {
            response.content_type("application/json").body(self.body)
        }
    }

    fn is_known_to(&self, request: &HttpRequest) -> bool {
        match IfNoneMatch::parse(request) {
            Ok(IfNoneMatch::Any) => request.headers().contains_key(IfNoneMatch::name()),
            Ok(IfNoneMatch::Items(tags)) => tags.iter().any(|tag| tag.weak_eq(&self.tag)),
            Err(_not_a_tag) => false,
        }
    }
}
