//! Errors as `application/problem+json` ([RFC 9457](https://www.rfc-editor.org/rfc/rfc9457)), from one table.
//!
//! A service's own error types say *what* went wrong; their `From` implementations pick a [`Code`] here, and the
//! table says which status and title it has. Nothing else in Millrace chooses a status for an error.

use std::fmt;
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use actix_web::{HttpResponse, ResponseError};
use serde::Serialize;
use utoipa::ToSchema;

pub use crate::quota::Quota;
use crate::quota::seconds;
use crate::request_id::RequestId;

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident, $code:literal, $status:ident, $title:literal;)*) => {
        /// Everything that can go wrong, from a client's point of view.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Code {
            $($(#[$doc])* $name,)*
        }

        impl Code {
            /// The stable name that programs match on.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $code,)* }
            }

            /// The HTTP status it is sent with.
            #[must_use]
            pub fn status(self) -> StatusCode {
                match self { $(Self::$name => StatusCode::$status,)* }
            }

            /// What it means, the same for every occurrence.
            #[must_use]
            pub fn title(self) -> &'static str {
                match self { $(Self::$name => $title,)* }
            }
        }
    };
}

codes! {
    /// The request cannot be read at all.
    Malformed, "malformed", BAD_REQUEST, "The request is malformed";
    /// A parameter or field is wrong; `errors` says which.
    Invalid, "invalid", UNPROCESSABLE_ENTITY, "The request is understood but not valid";
    /// No credentials, or ones that are not good (any more).
    Unauthenticated, "unauthenticated", UNAUTHORIZED, "Credentials are missing or not valid";
    /// Good credentials that do not allow this.
    Forbidden, "forbidden", FORBIDDEN, "The credentials do not allow this";
    /// A browser sends it, and it may have come from a page that is not ours.
    Csrf, "csrf", FORBIDDEN, "The request does not prove that it comes from this site";
    /// A browser sends it for a page of an origin that the project does not list.
    OriginNotAllowed, "origin_not_allowed", FORBIDDEN, "Pages of this origin may not send events of the project";
    /// The right password, for an account whose address nobody has proved yet.
    EmailNotVerified, "email_not_verified", FORBIDDEN, "The e-mail address is not verified yet";
    /// People cannot make accounts for themselves here.
    RegistrationClosed, "registration_closed", FORBIDDEN, "Registration is closed";
    /// Not there, or not the caller's to see.
    NotFound, "not_found", NOT_FOUND, "There is nothing here";
    /// The path exists, the method does not.
    MethodNotAllowed, "method_not_allowed", METHOD_NOT_ALLOWED, "The method is not allowed here";
    /// It would contradict what is already there.
    Conflict, "conflict", CONFLICT, "The request conflicts with the present state";
    /// Somebody else changed it since the caller looked.
    ChangedMeanwhile, "changed_meanwhile", PRECONDITION_FAILED, "It was changed meanwhile";
    /// A change that does not say which state it is a change of.
    VersionRequired, "version_required", PRECONDITION_REQUIRED, "The request must say what it has seen";
    /// More bytes or more events than one request may carry.
    TooLarge, "too_large", PAYLOAD_TOO_LARGE, "The request is too large";
    /// More bytes of headers, or more of them, than one request may carry.
    HeadersTooLarge, "headers_too_large", REQUEST_HEADER_FIELDS_TOO_LARGE, "The headers of the request are too large";
    /// An encoding or media type that is not spoken here.
    UnsupportedMedia, "unsupported_media", UNSUPPORTED_MEDIA_TYPE, "The media type or encoding is not supported";
    /// The client stopped sending in the middle of its request.
    RequestTimeout, "request_timeout", REQUEST_TIMEOUT, "The request did not arrive in time";
    /// Too many requests.
    TooMany, "too_many_requests", TOO_MANY_REQUESTS, "Too many requests";
    /// Our fault.
    Internal, "internal", INTERNAL_SERVER_ERROR, "Something went wrong on the server";
    /// An upstream answered something that cannot be passed on.
    BadGateway, "bad_gateway", BAD_GATEWAY, "An upstream service failed";
    /// Something the request needs is away for the moment.
    Unavailable, "unavailable", SERVICE_UNAVAILABLE, "A dependency is unavailable";
    /// An upstream did not answer in time; whether it did what was asked is not known.
    GatewayTimeout, "gateway_timeout", GATEWAY_TIMEOUT, "An upstream service did not answer in time";
}

/// One field's fault.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct FieldError {
    /// The parameter or field.
    pub field: String,
    /// The reason, for programs.
    pub code: String,
    /// The reason, for people.
    pub message: String,
    /// The character of a text where the fault is, from 1, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub position: Option<u32>,
}

/// An error on its way to a client. What is in here is shown; causes belong in the log.
#[derive(Clone, Debug)]
pub struct Problem {
    code: Code,
    detail: Box<str>,
    errors: Vec<FieldError>,
    current: Option<Box<serde_json::Value>>,
    retry_after: Option<Duration>,
    quota: Option<Quota>,
}

impl Problem {
    /// An error with a sentence for the person who reads it.
    #[must_use]
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        Self {
            code,
            detail: detail.into().into_boxed_str(),
            errors: Vec::new(),
            current: None,
            retry_after: None,
            quota: None,
        }
    }

    /// A single field's fault.
    #[must_use]
    pub fn field(field: &str, code: &str, message: impl Into<String>) -> Self {
        let message = message.into();
        let error = FieldError {
            field: field.to_owned(),
            code: code.to_owned(),
            message: message.clone(),
            position: None,
        };
        Self { errors: vec![error], ..Self::new(Code::Invalid, message) }
    }

    /// Says at which character of its text, from 1, the field is at fault.
    #[must_use]
    pub fn at(mut self, position: Option<u32>) -> Self {
        self.errors.iter_mut().for_each(|error| error.position = position);
        self
    }

    /// Too many of something. Counted under the policy's name in `rate_limit_exceeded_total`.
    #[must_use]
    pub fn too_many(quota: Quota, detail: impl Into<String>, wait: Duration) -> Self {
        metrics::counter!("rate_limit_exceeded_total", "scope" => quota.policy).increment(1);
        Self { quota: Some(quota), ..Self::new(Code::TooMany, detail) }.retry_after(wait)
    }

    /// A dependency is away. The cause is logged, not sent.
    #[must_use]
    pub fn unavailable(dependency: &'static str, cause: &dyn fmt::Display) -> Self {
        tracing::warn!(dependency, %cause, "answered 503: {dependency} is away");
        Self::new(Code::Unavailable, format!("{dependency} is unavailable, try again"))
            .retry_after(Duration::from_secs(1))
    }

    /// A fault of ours. The cause is logged, not sent.
    #[must_use]
    pub fn internal(cause: &dyn fmt::Display) -> Self {
        tracing::error!(%cause, "answered 500");
        Self::new(Code::Internal, "an unexpected error occurred; the request id leads to it in the log")
    }

    /// Says when trying again makes sense.
    #[must_use]
    pub fn retry_after(mut self, wait: Duration) -> Self {
        self.retry_after = Some(wait);
        self
    }

    /// The same under another code, where a format gives the status of this one another meaning.
    #[must_use]
    pub fn coded(mut self, code: Code) -> Self {
        self.code = code;
        self
    }

    /// Shows the present state of what it is about.
    #[must_use]
    pub fn showing(mut self, current: &impl Serialize) -> Self {
        self.current = serde_json::to_value(current).ok().map(Box::new);
        self
    }

    /// The sentence for the person who reads it.
    #[must_use]
    pub fn detail(&self) -> &str {
        &self.detail
    }

    /// The fields at fault.
    #[must_use]
    pub fn errors(&self) -> &[FieldError] {
        &self.errors
    }

    /// The code.
    #[must_use]
    pub fn code(&self) -> Code {
        self.code
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code.as_str(), self.detail)
    }
}

impl std::error::Error for Problem {}

/// The body of every error.
#[derive(Debug, Serialize, ToSchema)]
pub struct ProblemBody {
    /// A URI for the kind of problem.
    #[serde(rename = "type")]
    pub kind: String,
    /// What the kind means.
    pub title: &'static str,
    /// The HTTP status.
    pub status: u16,
    /// What happened this time.
    pub detail: String,
    /// The stable name of the kind.
    pub code: &'static str,
    /// The same as `detail`, where clients expect it.
    pub message: String,
    /// Leads to the request in the logs.
    pub request_id: String,
    /// The fields at fault.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldError>,
    /// With `changed_meanwhile`: the present state of what was to be changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>, nullable = false)]
    pub current: Option<Box<serde_json::Value>>,
}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        self.code.status()
    }

    fn error_response(&self) -> HttpResponse {
        let body = ProblemBody {
            kind: format!("urn:millrace:problem:{}", self.code.as_str()),
            title: self.code.title(),
            status: self.code.status().as_u16(),
            detail: self.detail.to_string(),
            code: self.code.as_str(),
            message: self.detail.to_string(),
            request_id: RequestId::current().map(|id| id.to_string()).unwrap_or_default(),
            errors: self.errors.clone(),
            current: self.current.clone(),
        };
        let mut response = HttpResponse::build(self.code.status());
        response.insert_header((CONTENT_TYPE, "application/problem+json"));
        if self.code == Code::Unauthenticated {
            // RFC 9110, 15.5.2: a 401 names the scheme that would do.
            response.insert_header((WWW_AUTHENTICATE, "Bearer"));
        }
        if let Some(wait) = self.retry_after {
            response.insert_header((RETRY_AFTER, seconds(wait)));
        }
        if let Some(quota) = self.quota {
            for field in quota.fields(0, self.retry_after.unwrap_or(quota.window)) {
                response.insert_header(field);
            }
        }
        match serde_json::to_string(&body) {
            Ok(json) => response.body(json),
            Err(_cannot_fail_for_strings) => response.finish(),
        }
    }
}
