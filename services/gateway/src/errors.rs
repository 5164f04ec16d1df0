//! Why a request was not answered by the service it was meant for.

use std::error::Error;
use std::io;
use std::time::Duration;

use millrace_http::problem::{Code, Problem};

use crate::proxy::upload::UploadError;
use crate::upstreams::Upstream;
use crate::upstreams::circuit::NoWay;

/// When a client may try again.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// What went wrong before an answer began.
#[derive(Debug, thiserror::Error)]
pub enum ProxyError {
    /// The client's body is too large, or broken.
    #[error(transparent)]
    Upload(#[from] UploadError),
    /// The client stopped in the middle of its body, or is too slow.
    #[error("the body arrives too slowly")]
    UploadStalled,
    /// The service is not asked.
    #[error(transparent)]
    NoWay(#[from] NoWay),
    /// Nobody is there.
    #[error("cannot connect")]
    Connect(#[source] io::Error),
    /// The connection ended before an answer.
    #[error("the connection was closed before an answer")]
    Closed(#[source] hyper::Error),
    /// The same, and the connection had been kept since an earlier answer: the service may just have been restarted.
    #[error("the connection had been kept and was closed before an answer")]
    Stale(#[source] Cause),
    /// There was no answer.
    #[error("no answer within {0:?}")]
    Silent(Duration),
    /// There was something that is not an answer.
    #[error("the answer is not HTTP")]
    Malformed(#[source] Cause),
}

/// Whatever a connection has to say.
type Cause = Box<dyn Error + Send + Sync>;

impl From<hyper::Error> for ProxyError {
    fn from(error: hyper::Error) -> Self {
        if let Some(upload) = error.source().and_then(|source| source.downcast_ref::<UploadError>()) {
            return Self::Upload(upload.clone());
        }
        if error.is_parse() { Self::Malformed(error.into()) } else { Self::Closed(error) }
    }
}

impl ProxyError {
    /// Whether it was the service that gave no answer: not the client, which stopped sending, and not the gateway, which
    /// did not ask. A kept connection that ends says nothing of a new one.
    #[must_use]
    pub fn is_the_services(&self) -> bool {
        matches!(self, Self::Connect(_) | Self::Closed(_) | Self::Silent(_) | Self::Malformed(_))
    }

    /// What the client is told. A service's failure is counted and logged on the way; a client's own is not.
    #[must_use]
    pub fn into_problem(self, upstream: Upstream) -> Problem {
        let (reason, code) = match &self {
            Self::Upload(UploadError::TooLarge(_)) => return Problem::new(Code::TooLarge, self.to_string()),
            Self::Upload(UploadError::Broken(_)) => return Problem::new(Code::Malformed, self.to_string()),
            Self::UploadStalled => return Problem::new(Code::RequestTimeout, self.to_string()),
            Self::NoWay(NoWay::Open) => ("open", Code::Unavailable),
            Self::NoWay(NoWay::Full) => ("full", Code::Unavailable),
            Self::Connect(_) => ("connect", Code::Unavailable),
            Self::Closed(_) => ("closed", Code::Unavailable),
            Self::Stale(_) => ("stale", Code::Unavailable),
            Self::Silent(_) => ("timeout", Code::GatewayTimeout),
            Self::Malformed(_) => ("malformed", Code::BadGateway),
        };
        note_failure(upstream, reason);
        let (name, status) = (upstream.name(), code.status().as_u16());
        if let Self::NoWay(why) = &self {
            // At any rate that clients come in: the warning is that of the circuit, or the counter.
            tracing::debug!(upstream = name, reason, "{name} was not asked: {why}");
        } else {
            tracing::warn!(
                upstream = name,
                reason,
                status,
                error = &self as &dyn Error,
                "{name} gave no answer"
            );
        }
        match code {
            Code::BadGateway => {
                Problem::new(code, format!("the answer of the {name} service cannot be passed on"))
            }
            Code::GatewayTimeout => {
                let detail =
                    format!("the {name} service did not answer in time; it may have done what was asked");
                Problem::new(code, detail).retry_after(RETRY_AFTER)
            }
            _ => Problem::new(code, format!("the {name} service is unavailable, try again"))
                .retry_after(RETRY_AFTER),
        }
    }
}

/// Counts a failure of a service.
pub(crate) fn note_failure(upstream: Upstream, reason: &'static str) {
    metrics::counter!("upstream_failures_total", "upstream" => upstream.name(), "reason" => reason)
        .increment(1);
}
