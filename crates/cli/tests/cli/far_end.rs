//! The server at the other end, with a script of misfortunes.
//!
//! It keeps events by id as the real one does, so that tests can say what arrived and how often. A
//! script decides how the next requests are answered; when it is over, everything is judged properly.

use std::collections::{BTreeMap, VecDeque};
use std::io::Read;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use actix_web::http::StatusCode;
use actix_web::http::header::RETRY_AFTER;
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, dev::ServerHandle, web};
use bytes::Bytes;
use futures_util::stream;
use serde_json::{Value, json};

/// How a request is answered.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Answer {
    /// With this status, and `Retry-After` in seconds if any, and nothing is kept.
    Refuse(u16, Option<u32>),
    /// The events are kept, but the connection is cut before the answer is complete.
    CutAfterKeeping,
    /// All events are found fault with, without a word about which.
    RejectWithoutNames,
    /// One event fewer is accounted for than was sent.
    Miscount,
}

/// A request as it came in.
pub(crate) struct Seen {
    pub(crate) at: Instant,
    pub(crate) events: usize,
    pub(crate) authorization: String,
    pub(crate) encoding: Option<String>,
    pub(crate) query: String,
}

#[derive(Default)]
struct State {
    script: Mutex<VecDeque<Answer>>,
    seen: Mutex<Vec<Seen>>,
    kept: Mutex<BTreeMap<String, Value>>,
    max_body: Mutex<Option<usize>>,
    /// Added to every count that is asked for.
    miscounted_by: Mutex<i64>,
}

pub(crate) struct FarEnd {
    pub(crate) url: String,
    state: Arc<State>,
    server: ServerHandle,
}

pub(crate) const INGEST_KEY: &str = "mk_ingest";
pub(crate) const READ_KEY: &str = "mk_read";

impl FarEnd {
    pub(crate) fn start() -> Self {
        Self::with_script([])
    }

    pub(crate) fn with_script(script: impl IntoIterator<Item = Answer>) -> Self {
        let state = Arc::new(State { script: Mutex::new(script.into_iter().collect()), ..State::default() });
        let data = web::Data::from(Arc::clone(&state));
        let (ready, address) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            actix_web::rt::System::new().block_on(async move {
                let server = HttpServer::new(move || {
                    App::new()
                        .app_data(data.clone())
                        .app_data(web::PayloadConfig::new(32 << 20))
                        .route("/api/v1/events", web::post().to(ingest))
                        .route("/api/v1/stats/top-events", web::get().to(top_events))
                })
                .workers(1)
                .disable_signals()
                .bind(("127.0.0.1", 0))
                .unwrap();
                let address = server.addrs()[0];
                let server = server.run();
                ready.send((address, server.handle())).unwrap();
                server.await.unwrap();
            });
        });
        let (address, server) = address.recv().unwrap();
        Self { url: format!("http://{address}"), state, server }
    }

    /// Answers 413 to bodies that are larger.
    pub(crate) fn limit_body(self, bytes: usize) -> Self {
        *self.state.max_body.lock().unwrap() = Some(bytes);
        self
    }

    /// Counts so many events more than there are.
    pub(crate) fn miscount_by(self, count: i64) -> Self {
        *self.state.miscounted_by.lock().unwrap() = count;
        self
    }

    /// The events that were kept, in the order of their ids.
    pub(crate) fn kept(&self) -> Vec<Value> {
        self.state.kept.lock().unwrap().values().cloned().collect()
    }

    /// One thing about each request so far.
    pub(crate) fn seen<T>(&self, look: impl Fn(&Seen) -> T) -> Vec<T> {
        self.state.seen.lock().unwrap().iter().map(look).collect()
    }
}

impl Drop for FarEnd {
    fn drop(&mut self) {
        drop(self.server.stop(false));
    }
}

fn header(request: &HttpRequest, name: &str) -> Option<String> {
    Some(request.headers().get(name)?.to_str().unwrap().to_owned())
}

fn problem(status: u16, detail: &str) -> HttpResponse {
    HttpResponse::build(StatusCode::from_u16(status).unwrap())
        .json(json!({"status": status, "detail": detail}))
}

async fn ingest(request: HttpRequest, body: Bytes, state: web::Data<State>) -> HttpResponse {
    let encoding = header(&request, "content-encoding");
    let mut text = body.to_vec();
    if encoding.as_deref() == Some("gzip") {
        text.clear();
        flate2::read::GzDecoder::new(&body[..]).read_to_end(&mut text).unwrap();
    }
    let events: Vec<Value> = serde_json::from_slice(&text).unwrap();
    let authorization = header(&request, "authorization").unwrap_or_default();
    state.seen.lock().unwrap().push(Seen {
        at: Instant::now(),
        events: events.len(),
        authorization: authorization.clone(),
        encoding,
        query: request.query_string().to_owned(),
    });
    if authorization != format!("Bearer {INGEST_KEY}") {
        return problem(401, "no such key");
    }
    if state.max_body.lock().unwrap().is_some_and(|max| body.len() > max) {
        return problem(413, "too large");
    }
    let answer = state.script.lock().unwrap().pop_front();
    let count = events.len();
    match answer {
        Some(Answer::Refuse(status, retry_after)) => {
            let mut response = problem(status, "not today");
            if let Some(seconds) = retry_after {
                response.headers_mut().insert(RETRY_AFTER, seconds.into());
            }
            response
        }
        Some(Answer::RejectWithoutNames) => HttpResponse::UnprocessableEntity()
            .json(json!({"accepted": 0, "duplicates": 0, "rejected": count})),
        Some(Answer::Miscount) => {
            HttpResponse::Accepted().json(json!({"accepted": count - 1, "duplicates": 0, "rejected": 0}))
        }
        Some(Answer::CutAfterKeeping) => {
            judge(&state, events);
            let cut = Err::<Bytes, _>(std::io::Error::other("cut"));
            HttpResponse::Accepted().streaming(stream::iter([Ok(Bytes::from_static(b"{\"acc")), cut]))
        }
        None => judge(&state, events),
    }
}

/// Keeps what is new and finds fault with events that have no user or come from far ahead.
fn judge(state: &State, events: Vec<Value>) -> HttpResponse {
    let (mut accepted, mut duplicates, mut errors) = (0, 0, Vec::new());
    let mut kept = state.kept.lock().unwrap();
    for (index, event) in events.into_iter().enumerate() {
        let id = event["event_id"].as_str().unwrap().to_owned();
        if event["user_id"].is_null() {
            errors.push(json!({"index": index, "event_id": id, "code": "invalid_user_id", "message": "user_id is missing"}));
        } else if kept.insert(id, event).is_some() {
            duplicates += 1;
        } else {
            accepted += 1;
        }
    }
    let rejected = errors.len();
    let status =
        if accepted + duplicates == 0 { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::ACCEPTED };
    HttpResponse::build(status).json(
        json!({"accepted": accepted, "duplicates": duplicates, "rejected": rejected, "request_id": "r", "errors": errors}),
    )
}

async fn top_events(request: HttpRequest, state: web::Data<State>) -> HttpResponse {
    if header(&request, "authorization") != Some(format!("Bearer {READ_KEY}")) {
        return problem(401, "no such key");
    }
    let mut counts: BTreeMap<String, i64> = BTreeMap::new();
    for event in state.kept.lock().unwrap().values() {
        *counts.entry(event["event_type"].as_str().unwrap().to_owned()).or_default() += 1;
    }
    let more = *state.miscounted_by.lock().unwrap();
    let data: Vec<_> = counts
        .into_iter()
        .map(|(event_type, count)| json!({"event_type": event_type, "count": count + more, "users": 1}))
        .collect();
    HttpResponse::Ok().json(json!({"data": data}))
}
