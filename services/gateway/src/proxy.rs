//! Passes a request on to the service that answers it, and the answer back, both as they come.
//!
//! The client side of HTTP is hyper's, one connection at a time: it reads an answer while it still writes the
//! request, it tells an answer that was cut short from one that is complete, and it gives a request back when it is
//! certain that nothing of it was sent. A proxy needs all three, and actix's own client has none of them.

use std::io;
use std::ops::ControlFlow;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use actix_web::body::{BodySize, EitherBody};
use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use hyper::body::{Body, Incoming};
use hyper::http::request::Parts;
use hyper::{Method, Request, Response, Uri};
use millrace_http::multiplex::frame;
use millrace_http::problem::{Code, Problem};

mod connections;
mod download;
pub mod forwarded;
mod headers;
mod multiplexed;
pub mod upload;
mod whole;

use connections::{Connection, Pool};
use download::Download;
use multiplexed::{Multiplexed, NoAnswer};
use upload::{Patience, Upload};
use whole::Whole;

use crate::errors::ProxyError;
use crate::state::State;
use crate::upstreams::circuit::Place;
use crate::upstreams::{self, Upstream};

/// The way from one worker of the server to one service.
#[derive(Debug)]
pub struct Proxy {
    upstream: Upstream,
    pool: Rc<Pool>,
    multiplexed: Multiplexed,
    state: Arc<State>,
}

/// What is passed back to the client.
pub type Answer = EitherBody<Download, Whole>;

/// An answer of a service.
enum Answered {
    /// It comes bit by bit, over a connection that is its own until it is over.
    Streaming(Response<Incoming>, Connection),
    /// It is all there.
    Whole(frame::Answer),
}

/// An attempt without an answer.
struct Refused {
    error: ProxyError,
    /// The request, when it is certain that nothing of it was sent.
    unsent: Option<Box<Request<Upload>>>,
}

impl Proxy {
    /// A way without connections yet.
    #[must_use]
    pub fn new(upstream: Upstream, state: Arc<State>) -> Self {
        let origin = state.origins.of(upstream);
        let (multiplexed, pool) = (Multiplexed::new(origin.neighbour()), Pool::new(origin.clone()));
        Self { upstream, pool: Rc::new(pool), multiplexed, state }
    }

    /// Passes on a request; to `target` there, or else to the target that it came with.
    ///
    /// # Errors
    /// When there is no answer to pass back.
    pub async fn pass(
        self: Rc<Self>,
        request: HttpRequest,
        body: web::Payload,
        target: Option<&'static str>,
    ) -> Result<HttpResponse<Answer>, Problem> {
        let problem = |error: ProxyError| error.into_problem(self.upstream);
        let upload = Upload::new(&request, body, self.state.body_limit(request.path()))
            .map_err(|error| problem(error.into()))?;
        let (method, uri) = line(&request, target)?;
        let head_alone = method == Method::HEAD;
        // The path as services match it, with what need not be encoded decoded.
        let repeatable = method.is_safe() && !upstreams::acts_on_get(request.match_info().as_str());
        let announced = upload.announced();
        let head = || {
            let (mut head, ()) = Request::new(()).into_parts();
            (head.method, head.uri) = (method.clone(), uri.clone());
            head.headers = headers::onward(&request, announced, &self.state.trusted_proxies);
            head
        };
        let circuit = self.state.circuits.of(self.upstream);
        let place = circuit.enter(Instant::now()).map_err(|no_way| problem(no_way.into()))?;
        let answered = self.send(head, upload, repeatable).await.map_err(|error| {
            if error.is_the_services() {
                circuit.failed(Instant::now());
            }
            problem(error)
        })?;
        circuit.answered();
        Ok(match answered {
            Answered::Streaming(answer, connection) => {
                self.stream(answer, connection, place, head_alone).map_into_left_body()
            }
            Answered::Whole(answer) => respond_with(answer, place).map_into_right_body(),
        })
    }

    /// Sends a request, with others where that is possible.
    async fn send(
        &self,
        head: impl Fn() -> Parts,
        upload: Upload,
        repeatable: bool,
    ) -> Result<Answered, ProxyError> {
        match self.send_with_others(&head, upload, repeatable).await? {
            ControlFlow::Break(answer) => Ok(Answered::Whole(answer)),
            ControlFlow::Continue(upload) => {
                let (answer, connection) = self.send_alone(head, upload, repeatable).await?;
                Ok(Answered::Streaming(answer, connection))
            }
        }
    }

    /// Sends a small request over a connection that others share, if the service has such a connection. The body of one that
    /// is to have a connection of its own goes on.
    async fn send_with_others(
        &self,
        head: impl Fn() -> Parts,
        mut upload: Upload,
        repeatable: bool,
    ) -> Result<ControlFlow<frame::Answer, Upload>, ProxyError> {
        if !upload.is_small() {
            return Ok(ControlFlow::Continue(upload));
        }
        let Some(line) = self.multiplexed.line().await else { return Ok(ControlFlow::Continue(upload)) };
        let head = head();
        if head.method == Method::HEAD {
            // Of its answer only the connection could tell that it has no body.
            return Ok(ControlFlow::Continue(upload));
        }
        let (progress, patience) = (upload.progress(), self.patience());
        let body = progress.wait_for(upload.whole(), patience).await??;
        match progress.wait_for(line.ask(&head, &body), patience).await? {
            Ok(answer) => {
                let answer = answer.try_into().map_err(|error| ProxyError::Malformed(Box::new(error)))?;
                Ok(ControlFlow::Break(answer))
            }
            Err(NoAnswer::Gone) if !(repeatable && body.is_empty()) => {
                Err(ProxyError::Stale(io::Error::from(io::ErrorKind::ConnectionReset).into()))
            }
            Err(NoAnswer::Gone | NoAnswer::Unsent) => {
                self.note_retry();
                Ok(ControlFlow::Continue(Upload::of(body)))
            }
        }
    }

    /// Sends a request, again if the service had closed a kept connection just when it was taken up again, or if an
    /// instance of it closed a new one and there are others. Only what cannot have had an effect is repeated: a request
    /// of which nothing was sent, and one that is `repeatable` and has no body that would be gone.
    async fn send_alone(
        &self,
        head: impl Fn() -> Parts,
        mut upload: Upload,
        repeatable: bool,
    ) -> Result<(Response<Incoming>, Connection), ProxyError> {
        let mut onward = head();
        let mut connection = self.pool.take().await.map_err(ProxyError::Connect)?;
        let mut new_ones = self.pool.other_instances();
        loop {
            let kept = connection.was_kept();
            let elsewhere = kept || new_ones > 0;
            let again = elsewhere && upload.is_none() && repeatable;
            let refused = match self.attempt(connection, Request::from_parts(onward, upload)).await {
                Ok(answered) => return Ok(answered),
                Err(refused) => refused,
            };
            (onward, upload) = match (refused.unsent, &refused.error) {
                (Some(unsent), _) if elsewhere => unsent.into_parts(),
                (None, ProxyError::Stale(_) | ProxyError::Closed(_)) if again => (head(), Upload::none()),
                _ => return Err(refused.error),
            };
            self.note_retry();
            if !kept {
                new_ones -= 1;
            }
            // A new one: others that were kept may have gone the same way.
            connection = self.pool.connect().await.map_err(ProxyError::Connect)?;
        }
    }

    async fn attempt(
        &self,
        mut connection: Connection,
        request: Request<Upload>,
    ) -> Result<(Response<Incoming>, Connection), Refused> {
        let (kept, progress) = (connection.was_kept(), request.body().progress());
        let answer = connection.send(request);
        match progress.wait_for(answer, self.patience()).await {
            Ok(Ok(answer)) => Ok((answer, connection)),
            Ok(Err(mut refused)) => {
                let unsent = refused.take_message().map(Box::new);
                let error = match refused.into_error().into() {
                    ProxyError::Closed(error) if kept => ProxyError::Stale(error.into()),
                    error => error,
                };
                Err(Refused { error, unsent })
            }
            Err(error) => Err(Refused { error, unsent: None }),
        }
    }

    fn patience(&self) -> Patience {
        Patience { service: self.state.upstream_timeout, client: self.state.client_timeout }
    }

    fn note_retry(&self) {
        metrics::counter!("upstream_retries_total", "upstream" => self.upstream.name()).increment(1);
    }

    fn stream(
        self: Rc<Self>,
        answer: Response<Incoming>,
        connection: Connection,
        place: Place,
        head_alone: bool,
    ) -> HttpResponse<Download> {
        let (head, body) = answer.into_parts();
        let length =
            if head_alone { headers::content_length(&head.headers) } else { body.size_hint().exact() };
        let size = length.map_or(BodySize::Stream, BodySize::Sized);
        let download = Download::new(self, body, size, connection, place);
        let mut response = HttpResponse::with_body(status(head.status.as_u16()), download);
        headers::back(&head.headers, response.headers_mut());
        response
    }
}

fn respond_with(answer: frame::Answer, place: Place) -> HttpResponse<Whole> {
    let mut response = HttpResponse::with_body(status(answer.status), Whole::new(&answer.body, place));
    headers::back_whole(answer.fields, response.headers_mut());
    response
}

/// Both sides know the same codes, from 100 to 999.
fn status(code: u16) -> StatusCode {
    StatusCode::from_u16(code).unwrap_or(StatusCode::BAD_GATEWAY)
}

/// The method and the target of a request, for the next hop.
fn line(request: &HttpRequest, target: Option<&'static str>) -> Result<(Method, Uri), Problem> {
    let unreadable = |part| Problem::new(Code::Malformed, format!("the {part} of the request is not valid"));
    let uri = match target {
        Some(target) => Uri::from_static(target),
        None => {
            let target = request.uri().path_and_query().map_or("/", |target| target.as_str());
            target.parse().map_err(|_reason| unreadable("target"))?
        }
    };
    let method =
        Method::from_bytes(request.method().as_str().as_bytes()).map_err(|_reason| unreadable("method"))?;
    Ok((method, uri))
}
