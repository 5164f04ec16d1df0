//! `GET /ws/notifications`: what happens to insights, dashboards, jobs and alerts of a project, to whoever may see it.

use std::sync::Arc;
use std::time::Duration;

use actix_web::web::Bytes;
use actix_web::{HttpRequest, HttpResponse, web};
use futures_util::StreamExt;
use millrace_domain::ids::ProjectId;
use millrace_domain::notification::{Audience, Notification};
use millrace_http::problem::Problem;
use millrace_messaging::broker::Broker;
use millrace_messaging::notifications::{self, missed};
use serde::Serialize;
use serde_json::{Value, json};
use tokio::sync::{Mutex, broadcast};
use tokio::time::{Instant, sleep};

use crate::sockets::access::Viewer;
use crate::sockets::connection::Feed;
use crate::sockets::hub::Standing;
use crate::sockets::{Sockets, frame};

pub(crate) mod since;

/// How long after a failure the broker is asked again.
const PAUSE: Duration = Duration::from_secs(1);
/// For so long sockets are told the same cursor.
const MOMENT: Duration = Duration::from_secs(1);

/// A notification, as a frame that all who may see it share.
#[derive(Debug)]
pub struct Told {
    audience: Audience,
    frame: Bytes,
}

/// As it is told.
#[derive(Serialize)]
struct Message<'a> {
    r#type: &'static str,
    #[serde(flatten)]
    notification: Placed<'a>,
}

/// A notification and where it stands: what comes behind can be had with that cursor.
#[derive(Serialize)]
struct Placed<'a> {
    cursor: String,
    #[serde(flatten)]
    notification: &'a Notification,
}

impl<'a> Placed<'a> {
    fn new(cursor: u64, notification: &'a Notification) -> Self {
        Self { cursor: cursor.to_string(), notification }
    }
}

/// What a client is told.
struct Notifications {
    sockets: web::Data<Sockets>,
}

/// The cursor of what was kept last. The broker is asked once for all who come within a moment: an earlier cursor than
/// the last has things told twice, and nothing missed.
#[derive(Debug, Default)]
pub struct Newest(Mutex<Option<(Instant, Option<u64>)>>);

impl Newest {
    /// `None` when nobody knows.
    async fn ask(&self, broker: &Broker) -> Option<u64> {
        let mut known = self.0.lock().await;
        if let Some((at, newest)) = *known
            && at.elapsed() < MOMENT
        {
            return newest;
        }
        let newest = missed::newest(broker).await;
        let newest =
            newest.inspect_err(|error| tracing::warn!(%error, "sockets begin without a cursor")).ok();
        *known = Some((Instant::now(), newest));
        newest
    }
}

impl Feed for Notifications {
    type Item = Arc<Told>;
    const KIND: &'static str = "notifications";

    /// With the cursor of what was kept last, or none if nobody knows. It is asked for once the subscription stands, over
    /// the same connection: what is kept later is told here, and what is kept in between is told twice and not missed.
    async fn greeting(&self, stands: bool) -> Value {
        let cursor = if stands { self.sockets.newest.ask(&self.sockets.broker).await } else { None };
        json!({"type": "ready", "cursor": cursor.map(|cursor| cursor.to_string())})
    }

    fn frame(&self, told: &Arc<Told>, viewer: &Viewer) -> Option<Bytes> {
        told.audience.has(viewer.account()).then(|| told.frame.clone())
    }

    fn hear(&mut self, _: &str) -> Result<Value, String> {
        Err("there is nothing to say here".to_owned())
    }
}

/// Opens a socket.
pub(crate) async fn open(
    request: HttpRequest,
    payload: web::Payload,
    sockets: web::Data<Sockets>,
) -> HttpResponse {
    let feed = |query: Vec<(String, String)>| match query.into_iter().next() {
        None => Ok(Notifications { sockets: sockets.clone() }),
        Some((name, _)) => {
            Err(Problem::field(&name, "invalid", format!("there is no parameter `{name}` here")))
        }
    };
    sockets.open(&request, payload, &sockets.notifications, feed).await
}

/// Tells a project's clients, for as long as it is polled.
pub(crate) async fn follow(
    broker: Broker,
    project: ProjectId,
    clients: broadcast::Sender<Arc<Told>>,
    standing: Standing,
) {
    loop {
        match notifications::told(&broker, project).await {
            Ok(mut messages) => {
                standing.send_replace(true);
                while let Some((cursor, message)) = messages.next().await {
                    if let Some(told) = read(cursor, &message) {
                        // The last client may just have left.
                        let _ = clients.send(Arc::new(told));
                    }
                }
                standing.send_replace(false);
            }
            Err(error) => tracing::warn!(%error, %project, "nobody is told of notifications"),
        }
        sleep(PAUSE).await;
    }
}

/// `None` for what cannot be read: then it is not known who may see it.
fn read(cursor: u64, message: &[u8]) -> Option<Told> {
    let told = serde_json::from_slice::<Notification>(message).and_then(|notification| {
        let placed = Placed::new(cursor, &notification);
        let text = serde_json::to_string(&Message { r#type: "notification", notification: placed })?;
        Ok(Told { audience: notification.audience, frame: frame::text(&text) })
    });
    told.inspect_err(|error| tracing::warn!(%error, "a notification cannot be read")).ok()
}
