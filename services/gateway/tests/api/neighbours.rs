//! A service on the gateway's machine, which takes small requests over connections that they share.

use std::net::TcpListener;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::ServerHandle;
use actix_web::{HttpRequest, HttpResponse, web};
use millrace_http::multiplex;
use millrace_http::serve::{Listener, serve};
use millrace_runtime::launch::listen_beside;
use millrace_testkit::wait;
use serde_json::Value;
use tempfile::TempDir;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::gateway::{Gateway, client, nobody, settings};
use crate::raw::Wire;
use crate::restart::Load;

const EVENTS: &str = "/api/v1/events";
/// Its answers wait until they may pass.
const GATED: &str = "/api/v1/events/gated";
/// It expects text, and panics.
const BROKEN: &str = "/api/v1/events/broken";
const PATIENCE: Duration = Duration::from_millis(300);

/// One process of a service. Its successor takes the place of its sockets.
struct Neighbour {
    running: CancellationToken,
    servers: Vec<ServerHandle>,
    gate: Arc<Gate>,
}

/// Where requests wait.
struct Gate {
    waiting: Semaphore,
    open: Semaphore,
}

impl Gate {
    async fn pass(&self) {
        self.waiting.add_permits(1);
        self.open.acquire().await.unwrap().forget();
    }

    async fn is_reached_by(&self, requests: usize) {
        wait::until("requests wait", async || self.waiting.available_permits() >= requests).await;
    }
}

impl Neighbour {
    fn start(folder: &Path) -> Self {
        Self::listening(folder, true)
    }

    /// Of a version that knows HTTP/1.1 alone.
    fn of_old(folder: &Path) -> Self {
        Self::listening(folder, false)
    }

    fn listening(folder: &Path, shares: bool) -> Self {
        let gate = Arc::new(Gate { waiting: Semaphore::new(0), open: Semaphore::new(0) });
        let shown = web::Data::from(Arc::clone(&gate));
        let routes = move |service: &mut web::ServiceConfig| {
            service
                .app_data(shown.clone())
                .route(GATED, web::to(gated))
                .route(BROKEN, web::to(broken))
                .route("/api/v1/events{below:.*}", web::to(mirror));
        };
        let (socket, running, grace) = (folder.join("it.sock"), CancellationToken::new(), wait::DEADLINE);
        let net = TcpListener::bind("127.0.0.1:0").unwrap();
        let unix = Some(listen_beside(&socket).unwrap());
        let mut servers =
            vec![serve(Listener { net, unix }, routes.clone(), running.clone(), grace).unwrap()];
        if shares {
            let listener = listen_beside(&multiplex::beside(&socket)).unwrap();
            servers.push(multiplex::serve::serve(listener, routes, running.clone(), grace).unwrap());
        }
        let handles = servers.iter().map(|server| server.handle()).collect();
        servers.into_iter().for_each(|server| drop(tokio::spawn(server)));
        Self { running, servers: handles, gate }
    }

    /// Ends its connections in the middle of what they are at.
    async fn kill(&self) {
        for server in &self.servers {
            server.stop(false).await;
        }
    }
}

async fn mirror(request: HttpRequest, body: web::Bytes) -> HttpResponse {
    let over = if request.headers().contains_key("host") { "alone" } else { "shared" };
    let line = format!("{} {}", request.method(), request.uri());
    HttpResponse::Ok().insert_header(("x-over", over)).insert_header(("x-line", line)).body(body)
}

async fn broken(body: web::Bytes) -> String {
    String::from_utf8(body.to_vec()).unwrap()
}

async fn gated(gate: web::Data<Gate>, body: web::Bytes) -> HttpResponse {
    gate.pass().await;
    HttpResponse::Ok().body(body)
}

fn gateway_beside(folder: &TempDir) -> Gateway {
    gateway_with(folder, |_| {})
}

fn gateway_with(folder: &TempDir, change: impl FnOnce(&mut millrace_gateway::config::Config)) -> Gateway {
    let mut settings = settings(nobody());
    settings.origins.ingest = format!("unix:{}", folder.path().join("it.sock").display()).parse().unwrap();
    change(&mut settings);
    Gateway::with(settings)
}

async fn post(gateway: &Gateway, path: &str, body: impl Into<reqwest::Body>) -> reqwest::Response {
    client().post(gateway.url(path)).body(body).send().await.unwrap()
}

/// How a request went, as the service saw it.
fn over(answer: &reqwest::Response) -> &str {
    answer.headers()["x-over"].to_str().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_small_request_and_its_answer_arrive_whole() {
    let folder = TempDir::new().unwrap();
    let _service = Neighbour::start(folder.path());
    let gateway = gateway_beside(&folder);
    let answer = post(&gateway, "/api/v1/events?strict=true", "an event").await;
    assert_eq!((answer.status().as_u16(), over(&answer)), (200, "shared"));
    assert_eq!(answer.headers()["x-line"], "POST /api/v1/events?strict=true");
    assert_eq!(answer.headers()["content-length"], "8");
    assert_eq!(answer.text().await.unwrap(), "an event");
    let nothing = gateway.get(EVENTS).await;
    assert_eq!((over(&nothing), nothing.content_length()), ("shared", Some(0)));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_large_or_of_unknown_length_or_asks_for_a_head_has_a_connection_of_its_own() {
    let folder = TempDir::new().unwrap();
    let _service = Neighbour::start(folder.path());
    let gateway = gateway_beside(&folder);
    let body = "x".repeat(16 * 1024);
    assert_eq!(over(&post(&gateway, EVENTS, body.clone()).await), "shared");
    let larger = post(&gateway, EVENTS, format!("{body}x")).await;
    assert_eq!(over(&larger), "alone");
    assert_eq!(larger.text().await.unwrap().len(), body.len() + 1);
    let chunks = futures_util::stream::iter(["some", "thing"].map(Ok::<_, std::io::Error>));
    let streamed = post(&gateway, EVENTS, reqwest::Body::wrap_stream(chunks)).await;
    assert_eq!(over(&streamed), "alone");
    assert_eq!(streamed.text().await.unwrap(), "something");
    let head = client().head(gateway.url(EVENTS)).send().await.unwrap();
    assert_eq!((head.status().as_u16(), over(&head)), (200, "alone"));
}

#[tokio::test(flavor = "multi_thread")]
async fn each_gets_its_own_answer_and_a_slow_one_holds_up_nobody() {
    let folder = TempDir::new().unwrap();
    let service = Neighbour::start(folder.path());
    let gateway = Arc::new(gateway_beside(&folder));
    let send = |path, number: usize| {
        let gateway = Arc::clone(&gateway);
        async move { (number, post(&gateway, path, number.to_string()).await.text().await.unwrap()) }
    };
    let mut slow: JoinSet<_> = (0..20).map(|number| send(GATED, number)).collect();
    service.gate.is_reached_by(20).await;
    let quick: JoinSet<_> = (20..220).map(|number| send(EVENTS, number)).collect();
    let mut told = quick.join_all().await;
    assert!(slow.try_join_next().is_none());
    service.gate.open.add_permits(20);
    told.extend(slow.join_all().await);
    told.sort_unstable();
    assert_eq!(told, (0..220).map(|number| (number, number.to_string())).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_goes_away_takes_nobody_with_it() {
    let folder = TempDir::new().unwrap();
    let service = Neighbour::start(folder.path());
    let gateway = gateway_beside(&folder);
    let mut impatient = Wire::to(gateway.address).await;
    impatient.send(format!("POST {GATED} HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\n\r\nx")).await;
    service.gate.is_reached_by(1).await;
    drop(impatient);
    assert_eq!(over(&post(&gateway, EVENTS, "another").await), "shared");
    service.gate.open.add_permits(1);
    assert_eq!(post(&gateway, EVENTS, "another").await.text().await.unwrap(), "another");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_breaks_the_service_is_told_to_who_sent_it_alone() {
    let folder = TempDir::new().unwrap();
    let service = Neighbour::start(folder.path());
    let gateway = Arc::new(gateway_beside(&folder));
    let asking = Arc::clone(&gateway);
    let waiting = tokio::spawn(async move { post(&asking, GATED, "patience").await });
    service.gate.is_reached_by(1).await;
    let broken = post(&gateway, BROKEN, vec![255]).await;
    assert_eq!(broken.status(), 500);
    let problem: Value = broken.json().await.unwrap();
    assert_eq!(problem["code"], "internal");
    service.gate.open.add_permits(1);
    assert_eq!(waiting.await.unwrap().text().await.unwrap(), "patience");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_hands_over_to_its_successor_puts_off_nobody() {
    let folder = TempDir::new().unwrap();
    let mut present = Neighbour::start(folder.path());
    let gateway = gateway_beside(&folder);
    let load = Arc::<Load>::default();
    let clients = load.start(&gateway, "/api/v1/events/any", |client, url| client.post(url).body("an event"));
    load.goes_on().await;
    for _ in 0..4 {
        let successor = Neighbour::start(folder.path());
        present.running.cancel();
        present = successor;
        load.goes_on().await;
    }
    let [answered, put_off, lost] = load.end(clients).await;
    assert!(answered > 1_500 && (put_off, lost) == (0, 0), "{answered} {put_off} {lost}");
}

#[tokio::test(flavor = "multi_thread")]
async fn when_it_is_killed_questions_are_asked_again_and_the_rest_is_put_off() {
    let folder = TempDir::new().unwrap();
    let killed = Neighbour::start(folder.path());
    let gateway = Arc::new(gateway_beside(&folder));
    let (sending, asking) = (Arc::clone(&gateway), Arc::clone(&gateway));
    let sent = tokio::spawn(async move { post(&sending, GATED, "an event").await });
    let asked = tokio::spawn(async move { asking.get(GATED).await });
    killed.gate.is_reached_by(2).await;
    let successor = Neighbour::start(folder.path());
    successor.gate.open.add_permits(2);
    killed.kill().await;
    let put_off = sent.await.unwrap();
    assert_eq!((put_off.status().as_u16(), &put_off.headers()["retry-after"]), (503, &"1".parse().unwrap()));
    assert_eq!(asked.await.unwrap().status(), 200);
    assert_eq!(over(&post(&gateway, EVENTS, "the next").await), "shared");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_does_not_share_connections_is_asked_as_before() {
    let folder = TempDir::new().unwrap();
    let _service = Neighbour::of_old(folder.path());
    let gateway = gateway_beside(&folder);
    let answer = post(&gateway, EVENTS, "an event").await;
    assert_eq!(over(&answer), "alone");
    assert_eq!(answer.text().await.unwrap(), "an event");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_silent_is_given_up_on_either_side() {
    let folder = TempDir::new().unwrap();
    let service = Neighbour::start(folder.path());
    let gateway = gateway_with(&folder, |settings| {
        (settings.upstream_timeout, settings.client_timeout) = (PATIENCE, Duration::from_secs(1));
    });
    let given_up = post(&gateway, GATED, "x").await;
    assert_eq!(given_up.status(), 504);
    assert_eq!(service.gate.waiting.available_permits(), 1);
    let mut slow = Wire::to(gateway.address).await;
    slow.send(format!("POST {EVENTS} HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\nhalf")).await;
    assert!(slow.read_head().await.starts_with("http/1.1 408"));
    assert_eq!(over(&post(&gateway, EVENTS, "another").await), "shared");
}
