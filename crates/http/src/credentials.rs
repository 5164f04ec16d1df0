//! What a caller shows to prove who it is.

use std::future::{Ready, ready};

use actix_web::http::header::{AUTHORIZATION, HeaderMap};
use actix_web::{FromRequest, HttpRequest, dev::Payload};
use millrace_security::api_key::ApiKey;

use crate::problem::{Code, Problem};

/// An API key or an access token, syntactically sound and not yet believed.
#[derive(Clone, Debug)]
pub enum Credentials {
    /// `Authorization: Bearer mr_…` or `X-Api-Key: mr_…`.
    Key(ApiKey),
    /// `Authorization: Bearer` with a JSON Web Token.
    Token(String),
}

impl Credentials {
    /// Reads the headers.
    ///
    /// # Errors
    /// 401 when there is nothing, or nothing that could be good.
    pub fn read(headers: &HeaderMap) -> Result<Self, Problem> {
        let unauthenticated = |detail: &str| Problem::new(Code::Unauthenticated, detail);
        let value = match (headers.get("x-api-key"), headers.get(AUTHORIZATION)) {
            (Some(key), _) => key.to_str().ok(),
            (None, Some(_)) => bearer(headers),
            (None, None) => {
                let detail = "send an API key as `Authorization: Bearer <key>` or `X-Api-Key: <key>`";
                return Err(unauthenticated(detail));
            }
        };
        let value = value
            .ok_or_else(|| unauthenticated("the Authorization header must be `Bearer <key or token>`"))?;
        if let Some(key) = ApiKey::parse(value) {
            return Ok(Self::Key(key));
        }
        if value.split('.').count() == 3 {
            return Ok(Self::Token(value.to_owned()));
        }
        Err(unauthenticated("this is neither an API key nor an access token"))
    }
}

/// What is sent as `Authorization: Bearer …`, whatever it is.
#[must_use]
pub fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, rest) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(rest.trim())
}

impl FromRequest for Credentials {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Self::read(request.headers()))
    }
}
