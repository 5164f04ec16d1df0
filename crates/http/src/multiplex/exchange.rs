//! A request from a shared connection in the terms of actix, and the answer that is owed for it.

use std::rc::Rc;

use actix_http::{Method, Payload, Request, Response, StatusCode, Uri, Version};
use actix_web::ResponseError;
use actix_web::body::{BoxBody, MessageBody, to_bytes};
use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};
use bytes::Bytes;

use super::frame::{self, NotAFrame};
use super::outbox::Outbox;
use crate::problem::{Code, Problem};

/// A request in the terms of actix.
pub(super) fn request(message: Bytes) -> Result<Request, NotAFrame> {
    let frame::Request { method, target, fields, body } = message.try_into()?;
    let mut request = Request::with_payload(if body.is_empty() { Payload::None } else { body.into() });
    let head = request.head_mut();
    head.method = Method::from_bytes(&method).map_err(|_other_grammar| NotAFrame)?;
    head.uri = Uri::from_maybe_shared(target).map_err(|_other_grammar| NotAFrame)?;
    head.version = Version::HTTP_11;
    head.headers = HeaderMap::with_capacity(fields.len());
    for (name, value) in fields {
        let name = HeaderName::from_bytes(&name).map_err(|_other_grammar| NotAFrame)?;
        head.headers.append(name, HeaderValue::from_maybe_shared(value).map_err(|_other_grammar| NotAFrame)?);
    }
    Ok(request)
}

/// A request that has no answer yet. It gets one whatever happens, because nobody sees its connection break.
pub(super) struct Debt {
    number: u32,
    outbox: Rc<Outbox>,
    settled: bool,
}

impl Debt {
    pub(super) fn new(number: u32, outbox: Rc<Outbox>) -> Self {
        Self { number, outbox, settled: false }
    }

    pub(super) async fn settle<R, B>(mut self, answered: Result<R, impl Into<Response<BoxBody>>>)
    where
        R: Into<Response<B>>,
        B: MessageBody + 'static,
    {
        let (head, body) = match answered {
            Ok(answer) => answer.into().map_into_boxed_body().into_parts(),
            Err(error) => error.into().into_parts(),
        };
        let body = match body.try_into_bytes() {
            Ok(body) => body,
            Err(body) => match to_bytes(body).await {
                Ok(body) => body,
                Err(error) => return tracing::error!(%error, "an answer broke off"),
            },
        };
        self.put(head.status(), head.headers(), &body);
    }

    pub(super) fn refuse(&mut self, code: Code, detail: &str) {
        let (head, body) = Problem::new(code, detail).error_response().into_parts();
        self.put(head.status(), head.headers(), &body.try_into_bytes().unwrap_or_default());
    }

    fn put(&mut self, status: StatusCode, headers: &HeaderMap, body: &[u8]) {
        let fields = headers.iter().map(|(name, value)| (name.as_str().as_bytes(), value.as_bytes()));
        let put = self.outbox.put(|to| frame::put_answer(to, self.number, status.as_u16(), fields, body));
        self.settled = put.is_ok();
    }
}

impl Drop for Debt {
    fn drop(&mut self) {
        if !self.settled {
            tracing::error!("a request was left without an answer");
            self.refuse(Code::Internal, "the request was not answered");
        }
    }
}
