//! What the gateway says of itself and of those behind it.

use actix_web::{HttpResponse, web};
use millrace_testkit::nats::TestNats;
use millrace_testkit::wait;
use serde_json::Value;

use crate::gateway::{Gateway, nobody, settings};
use crate::upstream::Upstream;

fn alive() -> Upstream {
    Upstream::start(|service| {
        service.route("/health/live", web::get().to(|| async { HttpResponse::Ok().json("ok") }));
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_ready_when_events_can_come_in() {
    let (alive, nats) = (alive(), TestNats::isolated().await);
    let origin = |upstream: std::net::SocketAddr| format!("http://{upstream}").parse().unwrap();
    let mut everything = settings(alive.address);
    everything.nats_url = nats.url().to_owned();
    let mut no_analytics = everything.clone();
    no_analytics.origins.analytics = origin(nobody());
    let mut no_ingest = everything.clone();
    no_ingest.origins.ingest = origin(nobody());
    for (settings, status, code) in
        [(everything, "ok", 200), (no_analytics, "degraded", 200), (no_ingest, "unavailable", 503)]
    {
        let gateway = Gateway::with(settings);
        wait::until("the broker is found", async || {
            let report: Value = gateway.get("/health").await.json().await.unwrap();
            report["dependencies"]
                .as_array()
                .unwrap()
                .iter()
                .any(|d| d["name"] == "nats" && d["status"] == "up")
        })
        .await;
        let answer = gateway.get("/health/ready").await;
        assert_eq!(answer.status(), code);
        let report: Value = answer.json().await.unwrap();
        assert_eq!(report["status"], status, "{report}");
        assert_eq!(gateway.get("/health/live").await.status(), 200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_answers_anything_but_200_is_down() {
    let broken = Upstream::start(|_| {});
    let gateway = Gateway::before(broken.address);
    let report: Value = gateway.get("/health").await.json().await.unwrap();
    assert_eq!(report["status"], "unavailable");
    let ingest = report["dependencies"].as_array().unwrap().iter().find(|d| d["name"] == "ingest").unwrap();
    assert!(ingest["error"].as_str().unwrap().contains("not with 200"), "{ingest}");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_runs_it_asks_each_service_by_way_of_the_gateway() {
    let [auth, ingest, worker, analytics] = [(); 4].map(|()| alive());
    let mut settings = settings(ingest.address);
    let origin = |of: &Upstream| format!("http://{}", of.address).parse().unwrap();
    (settings.origins.auth, settings.origins.worker) = (origin(&auth), origin(&worker));
    settings.origins.analytics = origin(&analytics);
    settings.api_limit = "6/h".parse().unwrap();
    let gateway = Gateway::with(settings);
    let ask = async |service: &str| {
        let answer = gateway.get(&format!("/api/v1/health/{service}/live?x=y")).await;
        (answer.status().as_u16(), answer.text().await.unwrap())
    };
    worker.stop().await;
    for service in ["auth", "ingest", "analytics"] {
        assert_eq!(ask(service).await, (200, "\"ok\"".to_owned()), "{service}");
    }
    assert_eq!(ask("worker").await.0, 503);
    assert_eq!(ask("gateway").await.0, 404);
    for _ in 0..2 {
        ask("ingest").await;
    }
    assert_eq!(ask("ingest").await.0, 429, "it is counted: nobody needs a key for it");
}
