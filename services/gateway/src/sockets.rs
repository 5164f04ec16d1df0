//! WebSockets: what happens, told to people while it happens ([`crate::live`], [`crate::notifications`]).
//!
//! A socket is opened like any request ([`access`]), with a ticket where a browser cannot send a header ([`tickets`]).
//! What a project's sockets are told comes over one subscription and is made into a frame once ([`hub`], [`frame`]); a
//! socket that does not keep up is told so and closed, and so is one whose credentials are no longer good
//! ([`connection`]).

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use actix_web::http::header::{HeaderName, UPGRADE};
use actix_web::{HttpRequest, HttpResponse, ResponseError, web};
use millrace_domain::ids::ProjectId;
use millrace_http::problem::{Code, Problem};
use millrace_messaging::broker::Broker;
use millrace_messaging::error::MessagingError;
use millrace_messaging::keys::KeyResolver;
use millrace_messaging::revocations::{self, Revoked};
use millrace_messaging::tokens::TokenVerifier;
use tokio::runtime::Handle;
use tokio::sync::broadcast;
use tokio_util::sync::CancellationToken;
use url::form_urlencoded;

pub mod access;
pub mod connection;
pub mod document;
pub mod frame;
pub mod hub;
pub mod outbox;
pub mod tickets;

use crate::browser_session::{self, BrowserSessions};
use crate::live::gathered;
use crate::live::gathered::Gathered;
use crate::notifications::{self, Newest, Told};
use access::Access;
use connection::{Feed, Socket};
use hub::Hub;
use outbox::Outbox;
use tickets::Tickets;

/// Revocations that a socket may be behind. One that is further behind asks auth anew.
const REVOCATIONS: usize = 64;
/// The most bytes that a client may say at once.
const MAX_SAID: usize = 16 * 1024;
const PROJECT: HeaderName = HeaderName::from_static("x-project-id");

/// What sockets have in common.
#[derive(Debug)]
pub struct Sockets {
    pub(crate) access: Access,
    pub(crate) broker: Broker,
    tickets: Tickets,
    pub(crate) live: Hub<Arc<Gathered>>,
    pub(crate) notifications: Hub<Arc<Told>>,
    pub(crate) newest: Newest,
    revoked: broadcast::Sender<Option<Revoked>>,
    open: Arc<AtomicUsize>,
    settings: SocketSettings,
    shutdown: CancellationToken,
}

/// What can be set.
#[derive(Clone, Debug)]
pub struct SocketSettings {
    /// Sockets that may be open at once.
    pub most: usize,
    /// How often a client is asked whether it is there. It may miss one.
    pub heartbeat: Duration,
}

impl Sockets {
    /// Nobody is connected yet. What projects' sockets are told is followed on `runtime`.
    #[must_use]
    pub fn new(
        broker: &Broker,
        sessions: Arc<BrowserSessions>,
        tickets: millrace_cache::tickets::Tickets,
        settings: SocketSettings,
        shutdown: CancellationToken,
        runtime: Handle,
    ) -> Self {
        let (keys, tokens) = (KeyResolver::new(broker.clone()), TokenVerifier::new(broker.clone()));
        let (live, told) = (broker.clone(), broker.clone());
        let open = Arc::<AtomicUsize>::default();
        let watching = Arc::clone(&open);
        Self {
            access: Access { keys, tokens, sessions },
            broker: broker.clone(),
            tickets: Tickets(tickets),
            live: Hub::new(runtime.clone(), move |project, sender, standing| {
                Box::pin(gathered::follow(live.clone(), project, sender, Arc::clone(&watching), standing))
            }),
            notifications: Hub::new(runtime, move |project, sender, standing| {
                Box::pin(notifications::follow(told.clone(), project, sender, standing))
            }),
            newest: Newest::default(),
            revoked: broadcast::Sender::new(REVOCATIONS),
            open,
            settings,
            shutdown,
        }
    }

    /// Has open sockets hear what is revoked, until `shutdown`.
    ///
    /// # Errors
    /// When the broker ends the subscription.
    pub async fn hear_revocations(self: Arc<Self>, broker: Broker) -> Result<(), MessagingError> {
        let heard = |revoked| {
            self.access.forget();
            // Nobody may be there.
            let _ = self.revoked.send(revoked);
        };
        revocations::listen(&broker, self.shutdown.clone(), heard).await
    }

    /// Opens a socket, or says why not. `feed` is made of what its query string says beside who it is.
    pub(crate) async fn open<F: Feed>(
        &self,
        request: &HttpRequest,
        payload: web::Payload,
        hub: &Hub<F::Item>,
        feed: impl FnOnce(Vec<(String, String)>) -> Result<F, Problem>,
    ) -> HttpResponse {
        let opened = self.try_open(request, payload, hub, feed).await;
        opened.unwrap_or_else(|Refused(answer)| answer)
    }

    async fn try_open<F: Feed>(
        &self,
        request: &HttpRequest,
        payload: web::Payload,
        hub: &Hub<F::Item>,
        feed: impl FnOnce(Vec<(String, String)>) -> Result<F, Problem>,
    ) -> Result<HttpResponse, Refused> {
        if !request.headers().contains_key(UPGRADE) {
            return Err(Problem::new(Code::Malformed, "this is a WebSocket: ask to upgrade").into());
        }
        let asked = Asked::read(request)?;
        let feed = feed(asked.rest)?;
        let place = self.place(F::KIND)?;
        let (shown, project, admitted) = match asked.ticket {
            Some(ticket) => {
                let (shown, project) = self.tickets.redeem(&ticket).await?;
                (shown, Some(project), None)
            }
            None => {
                let (shown, admitted) = self.access.shown(request).await?;
                (shown, asked.project, admitted)
            }
        };
        let viewer = self.access.admit(&shown, project).await?;
        let (answer, _, messages) = actix_ws::handle(request, payload)
            .map_err(|error| Problem::new(Code::Malformed, format!("no WebSocket: {error}")))?;
        let (outbox, body) = Outbox::new(place);
        let mut answer = answer.set_body(body).map_into_boxed_body();
        if let Some(admitted) = admitted {
            admitted.renew(answer.headers_mut());
        }
        let socket = Socket {
            seat: hub.join(viewer.project),
            messages: messages.max_frame_size(MAX_SAID),
            outbox,
            feed,
            access: self.access.clone(),
            shown,
            viewer,
            revoked: self.revoked.subscribe(),
            heartbeat: self.settings.heartbeat,
            shutdown: self.shutdown.clone(),
        };
        actix_web::rt::spawn(socket.attend());
        Ok(answer)
    }

    fn place(&self, kind: &'static str) -> Result<Place, Problem> {
        let place = Place::take(Arc::clone(&self.open), kind);
        if self.open.load(Ordering::Relaxed) > self.settings.most {
            let full = Problem::new(Code::Unavailable, "as many sockets are open as there may be");
            return Err(full.retry_after(Duration::from_secs(5)));
        }
        Ok(place)
    }
}

/// The answer in place of what was asked for.
#[derive(Debug)]
pub(crate) struct Refused(pub(crate) HttpResponse);

impl From<Problem> for Refused {
    fn from(problem: Problem) -> Self {
        Self(problem.error_response())
    }
}

impl From<browser_session::Refusal> for Refused {
    fn from(refusal: browser_session::Refusal) -> Self {
        Self(refusal.into_response())
    }
}

/// One of the sockets that may be open.
#[derive(Debug)]
pub(crate) struct Place {
    open: Arc<AtomicUsize>,
    kind: &'static str,
}

impl Place {
    fn take(open: Arc<AtomicUsize>, kind: &'static str) -> Self {
        open.fetch_add(1, Ordering::Relaxed);
        metrics::gauge!("live_connections", "kind" => kind).increment(1);
        Self { open, kind }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.open.fetch_sub(1, Ordering::Relaxed);
        metrics::gauge!("live_connections", "kind" => self.kind).decrement(1);
    }
}

/// What a request for a socket says in its query string and its headers, beside who sends it.
struct Asked {
    ticket: Option<String>,
    project: Option<ProjectId>,
    rest: Vec<(String, String)>,
}

impl Asked {
    fn read(request: &HttpRequest) -> Result<Self, Problem> {
        let mut asked = Self { ticket: None, project: project_header(request)?, rest: Vec::new() };
        for (name, value) in form_urlencoded::parse(request.query_string().as_bytes()) {
            match &*name {
                "ticket" => asked.ticket = Some(value.into_owned()),
                // A browser cannot send the header.
                "project_id" => asked.project = Some(project_named("project_id", Some(&value))?),
                _ => asked.rest.push((name.into_owned(), value.into_owned())),
            }
        }
        Ok(asked)
    }
}

/// The project that the headers name.
pub(crate) fn project_header(request: &HttpRequest) -> Result<Option<ProjectId>, Problem> {
    let header = request.headers().get(PROJECT);
    header.map(|value| project_named("X-Project-Id", value.to_str().ok())).transpose()
}

pub(crate) fn project_named(field: &str, text: Option<&str>) -> Result<ProjectId, Problem> {
    let project = text.and_then(|text| text.parse().ok());
    project.ok_or_else(|| Problem::field(field, "invalid", format!("{field} must be a UUID")))
}
