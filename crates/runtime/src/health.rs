//! Health for operators: `/health/live`, `/health/ready`, `/health` and `/metrics`.
//!
//! Live says the process serves. Ready says that what it needs to be useful answers, and names what does not; a
//! dependency it can do without is reported as degraded and leaves it ready.

use std::fmt;
use std::future::Future;
use std::net::TcpListener;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix_web::dev::Server;
use actix_web::{App, HttpResponse, HttpServer, guard, web};
use futures_util::future::join_all;
use metrics_exporter_prometheus::PrometheusHandle;
use serde::Serialize;
use tokio_util::sync::CancellationToken;

const CHECK_TIMEOUT: Duration = Duration::from_secs(2);

type Check = Box<dyn Fn() -> Pin<Box<dyn Future<Output = Result<(), String>> + Send>> + Send + Sync>;

struct Dependency {
    name: &'static str,
    required: bool,
    check: Check,
}

/// What a service depends on, and whether it is going down.
pub struct Health {
    service: &'static str,
    version: &'static str,
    started: Instant,
    shutdown: CancellationToken,
    dependencies: Vec<Dependency>,
    metrics: Option<PrometheusHandle>,
}

impl fmt::Debug for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Health").field("service", &self.service).finish_non_exhaustive()
    }
}

#[derive(Serialize)]
struct Report {
    status: &'static str,
    service: &'static str,
    version: &'static str,
    uptime_seconds: u64,
    dependencies: Vec<DependencyReport>,
}

#[derive(Serialize)]
struct DependencyReport {
    name: &'static str,
    status: &'static str,
    required: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

impl Health {
    /// Nothing to depend on yet. Readiness turns 503 as soon as `shutdown` is cancelled.
    #[must_use]
    pub fn new(service: &'static str, version: &'static str, shutdown: CancellationToken) -> Self {
        Self { service, version, started: Instant::now(), shutdown, dependencies: Vec::new(), metrics: None }
    }

    /// Serves this recorder's figures at `/metrics`.
    #[must_use]
    pub fn with_metrics(mut self, metrics: Option<PrometheusHandle>) -> Self {
        self.metrics = metrics;
        self
    }

    /// Something without which the service cannot do its work.
    #[must_use]
    pub fn requires<F>(self, name: &'static str, check: impl Fn() -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<(), String>> + Send + 'static,
    {
        self.dependency(name, true, check)
    }

    /// Something the service is better with, and works without.
    #[must_use]
    pub fn prefers<F>(self, name: &'static str, check: impl Fn() -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<(), String>> + Send + 'static,
    {
        self.dependency(name, false, check)
    }

    fn dependency<F>(
        mut self,
        name: &'static str,
        required: bool,
        check: impl Fn() -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = Result<(), String>> + Send + 'static,
    {
        self.dependencies.push(Dependency { name, required, check: Box::new(move || Box::pin(check())) });
        self
    }

    async fn report(&self) -> Report {
        let dependencies = join_all(self.dependencies.iter().map(Dependency::report)).await;
        let down = |required| dependencies.iter().any(|d| d.required == required && d.error.is_some());
        let status = match () {
            () if self.shutdown.is_cancelled() => "stopping",
            () if down(true) => "unavailable",
            () if down(false) => "degraded",
            () => "ok",
        };
        let (service, version) = (self.service, self.version);
        Report { status, service, version, uptime_seconds: self.started.elapsed().as_secs(), dependencies }
    }
}

impl Dependency {
    async fn report(&self) -> DependencyReport {
        let checked = tokio::time::timeout(CHECK_TIMEOUT, (self.check)()).await;
        let error = match checked {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(error),
            Err(_elapsed) => Some(format!("no answer within {CHECK_TIMEOUT:?}")),
        };
        let status = if error.is_none() { "up" } else { "down" };
        DependencyReport { name: self.name, status, required: self.required, error }
    }
}

/// Mounts the four routes. The application must hold [`web::Data<Health>`].
pub fn routes(service: &mut web::ServiceConfig) {
    let get_or_head = || web::route().guard(guard::Any(guard::Get()).or(guard::Head()));
    service
        .route("/health/live", get_or_head().to(live))
        .route("/health/ready", get_or_head().to(ready))
        .route("/health", get_or_head().to(report))
        .route("/metrics", get_or_head().to(exposition));
}

/// Starts to serve the health routes alone, for a service that answers no user.
///
/// # Errors
/// When the listener cannot be used.
pub fn serve(
    listener: TcpListener,
    health: Arc<Health>,
    shutdown: CancellationToken,
) -> std::io::Result<Server> {
    let health = web::Data::from(health);
    let server = HttpServer::new(move || App::new().app_data(health.clone()).configure(routes))
        .workers(1)
        .listen(listener)?
        .disable_signals()
        .run();
    // Not `shutdown_signal`: where actix's own runtime is, as in tests, that ends every server in it.
    let handle = server.handle();
    tokio::spawn(async move {
        shutdown.cancelled().await;
        handle.stop(true).await;
    });
    Ok(server)
}

/// Asks a running service whether it is ready: the `--healthcheck` of a container image without a shell or curl.
///
/// # Errors
/// When it does not answer 200 in time.
pub fn probe(address: std::net::SocketAddr) -> std::io::Result<()> {
    use std::io::{Error, Read, Write};
    let mut stream = std::net::TcpStream::connect_timeout(&address, CHECK_TIMEOUT)?;
    stream.set_read_timeout(Some(CHECK_TIMEOUT * 2))?;
    stream.write_all(b"GET /health/ready HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
    let mut status = [0; 12];
    stream.read_exact(&mut status)?;
    if status.ends_with(b" 200") { Ok(()) } else { Err(Error::other("not ready")) }
}

async fn live() -> HttpResponse {
    HttpResponse::Ok().json(serde_json::json!({"status": "ok"}))
}

async fn ready(health: web::Data<Health>) -> HttpResponse {
    let report = health.report().await;
    match report.status {
        "ok" | "degraded" => HttpResponse::Ok().json(report),
        _ => HttpResponse::ServiceUnavailable().insert_header(("Retry-After", "1")).json(report),
    }
}

async fn report(health: web::Data<Health>) -> HttpResponse {
    HttpResponse::Ok().json(health.report().await)
}

async fn exposition(health: web::Data<Health>) -> HttpResponse {
    let text = health.metrics.as_ref().map(crate::metrics::render).unwrap_or_default();
    HttpResponse::Ok().content_type("text/plain; version=0.0.4; charset=utf-8").body(text)
}
