//! What adding to an event costs, and noticing its properties: `cargo bench -p millrace-worker`.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    reason = "it prints a figure, and a benchmark that cannot go on panics"
)]

use std::hint::black_box;
use std::time::Instant;

use chrono::Utc;
use millrace_messaging::source::Source;
use millrace_testkit::story::did;
use millrace_worker::enrichment::Enricher;
use millrace_worker::enrichment::user_agent::Agent;
use millrace_worker::observed::Observed;
use serde_json::json;

const EVENTS: usize = 100_000;
const AGENTS: usize = 500;

fn main() {
    let agents: Vec<String> = (0..AGENTS)
        .map(|n| format!("Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:{n}.0) Gecko/20100101 Firefox/{n}.0"))
        .collect();
    let sources: Vec<Source> =
        agents.iter().map(|agent| Source::of("r").with_user_agent(Some(agent))).collect();
    let page = did("ada", "page_view", "2026-11-01T12:00:00Z")
        .with("properties", json!({
            "url": "https://shop.example/sale?utm_source=mail&utm_campaign=spring", "title": "Sale", "value": 19.9,
            "referrer": "https://www.example.org/post", "items": [1, 2, 3],
        }))
        .event();
    let enricher = Enricher::default();
    let mut events = vec![page; EVENTS];
    each("add to an event, 500 user agents", || {
        for (event, source) in events.iter_mut().zip(sources.iter().cycle()) {
            enricher.enrich(event, Some(source));
        }
    });
    let (observed, project) = (Observed::default(), millrace_domain::ids::ProjectId::new());
    each("notice an event's properties", || observed.notice(project, &events, Utc::now()));
    each("take a user agent apart, not remembered", || {
        for agent in agents.iter().cycle().take(EVENTS) {
            black_box(Agent::parse(agent));
        }
    });
}

fn each(what: &str, work: impl FnOnce()) {
    let started = Instant::now();
    work();
    let micros = started.elapsed().as_secs_f64() * 1e6 / EVENTS as f64;
    println!("{what:<44} {micros:>8.2} µs");
}
