//! Services that are restarted under load.
//!
//! What a restart can cost is a request that may have had an effect: of which bytes were sent on a connection that was
//! closed before an answer. Its sender is told to try again, and decides: an event that is sent again is recognised by
//! its id. Everything else finds its way.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use actix_web::{HttpResponse, web};
use millrace_gateway::upstreams::Origins;
use millrace_gateway::upstreams::origin::Origin;
use millrace_testkit::wait;
use tokio::task::JoinSet;

use crate::gateway::{Gateway, client, settings};
use crate::upstream::Upstream;

const CLIENTS: usize = 16;
/// One path of each service.
const PATHS: [&str; 4] =
    ["/api/v1/stats", "/api/v1/events", "/api/v1/projects", "/api/v1/health/worker/live"];

/// Where the service of one of them is.
fn origin<'a>(origins: &'a mut Origins, path: &str) -> &'a mut Origin {
    match path {
        "/api/v1/stats" => &mut origins.analytics,
        "/api/v1/events" => &mut origins.ingest,
        "/api/v1/health/worker/live" => &mut origins.worker,
        _ => &mut origins.auth,
    }
}

fn instance_at(address: SocketAddr) -> Upstream {
    Upstream::start_at(address, |service| {
        service.default_service(web::to(|body: web::Bytes| async move { HttpResponse::Ok().body(body) }));
    })
}

fn anywhere() -> Upstream {
    instance_at(([127, 0, 0, 1], 0).into())
}

/// What clients are told, while they go on asking.
#[derive(Default)]
pub(crate) struct Load {
    enough: AtomicBool,
    answered: AtomicU64,
    /// 503 with `Retry-After`.
    put_off: AtomicU64,
    /// Anything else.
    lost: AtomicU64,
}

impl Load {
    pub(crate) fn start(
        self: &Arc<Self>,
        gateway: &Gateway,
        path: &str,
        ask: fn(&reqwest::Client, String) -> reqwest::RequestBuilder,
    ) -> JoinSet<()> {
        let mut clients = JoinSet::new();
        for _ in 0..CLIENTS {
            let (load, url, client) = (Arc::clone(self), gateway.url(path), client());
            clients.spawn(async move {
                while !load.enough.load(Ordering::Relaxed) {
                    let count = match ask(&client, url.clone()).send().await {
                        Ok(answer) if answer.status() == 200 => &load.answered,
                        Ok(answer)
                            if answer.status() == 503 && answer.headers().contains_key("retry-after") =>
                        {
                            &load.put_off
                        }
                        _ => &load.lost,
                    };
                    count.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        clients
    }

    /// Waits until a few hundred more are answered.
    pub(crate) async fn goes_on(&self) {
        let before = self.answered.load(Ordering::Relaxed);
        wait::until("clients are answered", async || self.answered.load(Ordering::Relaxed) > before + 300)
            .await;
    }

    /// Answered, put off and lost.
    pub(crate) async fn end(&self, mut clients: JoinSet<()>) -> [u64; 3] {
        self.enough.store(true, Ordering::Relaxed);
        while let Some(ended) = clients.join_next().await {
            ended.unwrap();
        }
        [&self.answered, &self.put_off, &self.lost].map(|count| count.load(Ordering::Relaxed))
    }
}

/// Restarts one of two instances, and then the other, twice, as whoever updates them does.
async fn rolling_restart(
    path: &str,
    ask: fn(&reqwest::Client, String) -> reqwest::RequestBuilder,
) -> [u64; 3] {
    let mut instances = [anywhere(), anywhere()];
    let mut settings = settings(instances[0].address);
    *origin(&mut settings.origins, path) =
        format!("http://{},http://{}", instances[0].address, instances[1].address).parse().unwrap();
    let gateway = Gateway::with(settings);
    let load = Arc::<Load>::default();
    let clients = load.start(&gateway, path, ask);
    load.goes_on().await;
    for round in 0..4 {
        let restarted = &mut instances[round % 2];
        let address = restarted.address;
        restarted.stop_gracefully().await;
        load.goes_on().await;
        *restarted = instance_at(address);
        load.goes_on().await;
    }
    load.end(clients).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rolling_restart_loses_no_question() {
    for path in PATHS {
        let [answered, put_off, lost] = rolling_restart(path, |client, url| client.get(url)).await;
        assert!(answered > 2_400 && (put_off, lost) == (0, 0), "{path}: {answered} {put_off} {lost}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rolling_restart_puts_off_what_may_have_had_an_effect_and_loses_nothing() {
    for path in PATHS {
        let [answered, put_off, lost] =
            rolling_restart(path, |client, url| client.post(url).body("an event")).await;
        assert!(put_off <= 4 * CLIENTS as u64, "{path}: at most those on their way: {answered} {put_off}");
        assert_eq!(lost, 0, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn while_a_service_is_killed_its_clients_are_put_off_and_then_no_longer() {
    for path in PATHS {
        let only = anywhere();
        let address = only.address;
        let others = anywhere();
        let mut settings = settings(others.address);
        *origin(&mut settings.origins, path) = format!("http://{address}").parse().unwrap();
        let gateway = Gateway::with(settings);
        let (load, unconcerned) = (Arc::<Load>::default(), Arc::<Load>::default());
        let clients = load.start(&gateway, path, |client, url| client.get(url));
        let elsewhere = if path == "/api/v1/stats" { "/api/v1/events" } else { "/api/v1/stats" };
        let others_clients = unconcerned.start(&gateway, elsewhere, |client, url| client.get(url));
        load.goes_on().await;
        only.stop().await;
        wait::until("it is missed", async || load.put_off.load(Ordering::Relaxed) > 100).await;
        unconcerned.goes_on().await;
        let _again = instance_at(address);
        load.goes_on().await;
        let put_off = load.put_off.load(Ordering::Relaxed);
        load.goes_on().await;
        let [_, put_off_in_all, lost] = load.end(clients).await;
        assert_eq!((put_off_in_all, lost), (put_off, 0), "{path}: nobody was once it was back");
        let [_, put_off, lost] = unconcerned.end(others_clients).await;
        assert_eq!((put_off, lost), (0, 0), "{path}: who asks another service does not notice");
    }
}
