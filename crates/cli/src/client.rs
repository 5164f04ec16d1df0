//! One HTTP client of the public API, for every command.
//!
//! [`Client`] makes single requests. [`Sender`] delivers a [`Batch`] whatever happens on the way:
//! it waits and repeats, and splits what is too large. [`deliver()`] does so for many batches at once.

mod backoff;
mod base_url;
mod batch;
mod compress;
mod deliver;
mod key;
mod sender;

use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, SecondsFormat, Utc};
use reqwest::StatusCode;
use reqwest::header::{AUTHORIZATION, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, RETRY_AFTER};
use thiserror::Error;
use url::Url;

pub use base_url::BaseUrl;
pub use batch::{Batch, PushError};
pub use compress::Compress;
pub use deliver::{Delivery, Parcel, deliver};
pub use key::Key;
pub use sender::{SendError, Sender, SenderConfig};

use crate::api::{Problem, TopEvents};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// A server that needs longer than this for one request is as good as away; the request is repeated.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(60);

/// A request failed before there was an answer, or the answer is of no use.
#[derive(Debug, Error)]
pub enum ClientError {
    /// The HTTP client could not be set up.
    #[error("cannot set up the HTTP client")]
    Setup(#[source] reqwest::Error),
    /// No answer: the connection failed, was cut or timed out.
    #[error("{}", causes(.0))]
    Transport(#[from] reqwest::Error),
    /// An answer other than the expected one.
    #[error("the server answered {status}: {reason}")]
    Status {
        /// Its status code.
        status: StatusCode,
        /// The reason it gave.
        reason: String,
    },
    /// A body that cannot be read.
    #[error("cannot read the server's answer")]
    Body(#[from] serde_json::Error),
}

/// reqwest says "error sending request"; why is further down.
fn causes(error: &reqwest::Error) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

/// A server and the key to it.
#[derive(Debug, Clone)]
pub struct Client {
    http: reqwest::Client,
    events: Url,
    top_events: Url,
    key: Key,
}

/// What a server said to one request.
#[derive(Debug)]
pub struct Answer {
    /// The status code.
    pub status: StatusCode,
    /// How long to wait before asking again, if it says so.
    pub retry_after: Option<Duration>,
    /// The body.
    pub body: Bytes,
}

impl Client {
    /// A client of the server at `base` that shows `key`.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub fn new(base: &BaseUrl, key: Key) -> Result<Self, ClientError> {
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("millrace-cli/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(REQUEST_TIMEOUT)
            // A POST that is redirected becomes a GET: the events would be gone without an error.
            .redirect(reqwest::redirect::Policy::none())
            .tcp_nodelay(true);
        if base.is_loopback() {
            builder = builder.no_proxy();
        }
        Ok(Self {
            http: builder.build().map_err(ClientError::Setup)?,
            events: base.route("/api/v1/events"),
            top_events: base.route("/api/v1/stats/top-events"),
            key,
        })
    }

    /// Has the server answer only when events can be queried, or some time has passed. What it says about
    /// duplicates is exact then, however long ago an event was first sent; without it the server goes by what
    /// it remembers of the last minutes.
    #[must_use]
    pub fn waiting_until_stored(mut self) -> Self {
        self.events.set_query(Some("wait=stored"));
        self
    }

    /// Posts a body of events once. `encoding` is its content encoding, if any.
    ///
    /// # Errors
    /// When there is no answer, or half of one: whether the events arrived is unknown then.
    pub async fn post_events(
        &self,
        body: Bytes,
        encoding: Option<&'static str>,
    ) -> Result<Answer, reqwest::Error> {
        let mut request = self
            .http
            .post(self.events.clone())
            .header(AUTHORIZATION, self.key.bearer())
            .header(CONTENT_TYPE, "application/json");
        if let Some(encoding) = encoding {
            request = request.header(CONTENT_ENCODING, encoding);
        }
        let response = request.body(body).send().await?;
        let retry_after = response
            .headers()
            .get(RETRY_AFTER)
            .and_then(|value| value.to_str().ok())
            .and_then(|text| backoff::retry_after(text, Utc::now()));
        Ok(Answer { status: response.status(), retry_after, body: response.bytes().await? })
    }

    /// The most frequent event types of a time range, at most `limit` of them.
    ///
    /// # Errors
    /// When there is no answer, or none with status 200.
    pub async fn top_events(
        &self,
        from: DateTime<Utc>,
        to: DateTime<Utc>,
        limit: u32,
    ) -> Result<TopEvents, ClientError> {
        let mut url = self.top_events.clone();
        url.query_pairs_mut()
            .append_pair("from", &from.to_rfc3339_opts(SecondsFormat::Millis, true))
            .append_pair("to", &to.to_rfc3339_opts(SecondsFormat::Millis, true))
            .append_pair("limit", &limit.to_string());
        let response = self
            .http
            .get(url)
            .header(AUTHORIZATION, self.key.bearer())
            .header(CACHE_CONTROL, "no-cache")
            .send()
            .await?;
        let status = response.status();
        let body = response.bytes().await?;
        if status != StatusCode::OK {
            return Err(ClientError::Status { status, reason: Problem::reason(&body) });
        }
        Ok(serde_json::from_slice(&body)?)
    }
}
