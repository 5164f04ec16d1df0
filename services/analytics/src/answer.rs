//! An answer on its way to a client.

use actix_web::http::header::{CACHE_CONTROL, ETAG, EntityTag, Header, HeaderName, IfNoneMatch};
use actix_web::{HttpRequest, HttpResponse};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::plan::Source;

/// Says what the answer was read from: `rollup`, or `raw` if events were needed.
pub const SOURCE: HeaderName = HeaderName::from_static("x-millrace-source");
/// Says whether the answer was kept from before: `hit` or `miss`.
pub const CACHE: HeaderName = HeaderName::from_static("x-cache");
/// Only the caller may keep it, and must ask whether it still holds: events can arrive late.
const CACHING: &str = "private, no-cache";

/// An answer as it is sent.
#[derive(Clone, Debug)]
pub struct Answer {
    body: Bytes,
    tag: EntityTag,
    source: Source,
}

impl Answer {
    /// Writes `body` as JSON.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn of(body: &impl Serialize, source: Source) -> Result<Self, serde_json::Error> {
        Ok(Self::new(serde_json::to_vec(body)?.into(), source))
    }

    fn new(body: Bytes, source: Source) -> Self {
        let tag = EntityTag::new_strong(URL_SAFE_NO_PAD.encode(Sha256::digest(&body)));
        Self { body, tag, source }
    }

    /// The answer as it is kept: its source in a byte, then its body.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let source = match self.source {
            Source::RollUp => 0,
            Source::Raw => 1,
        };
        [&[source], &*self.body].concat()
    }

    /// Reads what [`Answer::to_bytes`] wrote.
    #[must_use]
    pub fn from_bytes(kept: Vec<u8>) -> Option<Self> {
        let source = match kept.first()? {
            0 => Source::RollUp,
            1 => Source::Raw,
            _ => return None,
        };
        Some(Self::new(Bytes::from(kept).slice(1..), source))
    }

    /// How many bytes its body has.
    #[must_use]
    pub fn size(&self) -> usize {
        self.body.len()
    }

    /// What it was read from.
    #[must_use]
    pub fn source(&self) -> Source {
        self.source
    }

    /// Its JSON.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// The answer, or 304 for a client that has it already. `kept`: whether it was kept from before.
    #[must_use]
    pub fn respond(&self, request: &HttpRequest, kept: bool) -> HttpResponse {
        let mut response =
            if self.is_known_to(request) { HttpResponse::NotModified() } else { HttpResponse::Ok() };
        response
            .insert_header((ETAG, self.tag.to_string()))
            .insert_header((CACHE_CONTROL, CACHING))
            .insert_header((SOURCE, self.source.as_str()))
            .insert_header((CACHE, if kept { "hit" } else { "miss" }));
        if self.is_known_to(request) {
            response.finish()
        } else {
            response.content_type("application/json").body(self.body.clone())
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
