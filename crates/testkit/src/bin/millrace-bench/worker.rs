//! The worker alone: a full log, taken in by two and by eight workers; and a request with three events that the database
//! refuses, beside the same request without them.

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use millrace_cli::load::{Extent, Plan, run};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::product::Product;
use crate::report::{Limit, Report, median};

const EVENTS: u64 = 1_000_000;
/// Connections by which a worker appends, one for each of its pipelines, if `MILLRACE_PIPELINES` is not set.
const PIPELINES: usize = 2;
const NO_MAINTENANCE: [(&str, &str); 1] = [("MILLRACE_MAINTENANCE", "0s")];
const START_DEADLINE: Duration = Duration::from_secs(60);
const REQUEST: usize = 10_000;
const REFUSED: [usize; 3] = [17, 5_000, 9_998];
/// The last in the order of their times, in which they are stored.
const REFUSED_LATE: [usize; 3] = [9_839, 9_899, 9_959];
const ROUNDS: usize = 5;
/// Rounds of two workers and of eight, in turns: the disk varies.
const DRAINS: usize = 3;

pub async fn measure(report: &mut Report) -> anyhow::Result<()> {
    let (mut two, mut eight) = (Vec::new(), Vec::new());
    for _ in 0..DRAINS {
        two.push(drain(2).await?);
        eight.push(drain(8).await?);
    }
    let (two, eight) = (median(two), median(eight));
    report.add("a full log, two workers", two, "events/s");
    report.compare("a full log, eight workers", eight, "events/s", "two workers", two);
    report.hold("eight workers beside two", eight / two, "times", Limit::AtLeast(0.95));
    for (how, wary) in [("", false), (", repetitions expected", true)] {
        let clean = request_time(&[], wary).await?;
        report.add(&format!("10,000 events until stored{how}"), clean, "ms");
        for (which, refused) in [("3 refused", REFUSED), ("the last 3 refused", REFUSED_LATE)] {
            let times = request_time(&refused, wary).await? / clean;
            report.hold(&format!("{which}{how}"), times, "times", Limit::Below(2.0));
        }
    }
    Ok(())
}

/// Events a second that so many workers take from a log that was full before they came, once all of them are there:
/// eight processes take longer to start than two.
async fn drain(workers: usize) -> anyhow::Result<f64> {
    let mut product = Product::start_with(&["auth", "ingest", "gateway"], &NO_MAINTENANCE).await?;
    let url = product.url().parse().map_err(|e| anyhow::anyhow!("{e}"))?;
    let key = product.key.reveal().parse().map_err(|e| anyhow::anyhow!("{e}"))?;
    let load =
        run(Plan { connections: 8, batch: 500, ..Plan::new(url, key, Extent::Events(EVENTS)) }).await?;
    ensure!(load.accepted == EVENTS, "only {} of {EVENTS} events were accepted", load.accepted);
    for _ in 0..workers {
        product.hire_worker()?;
    }
    let before = stored_once_all_append(&product, workers * PIPELINES).await?;
    let started = Instant::now();
    product.until_stored(EVENTS, 0).await?;
    Ok((EVENTS - before) as f64 / started.elapsed().as_secs_f64())
}

/// Waits until every pipeline has its connection, and returns how many events are stored then.
async fn stored_once_all_append(product: &Product, pipelines: usize) -> anyhow::Result<u64> {
    let client = product.database.client().await;
    let sql = "SELECT (SELECT count(*) FROM pg_stat_activity
                       WHERE datname = current_database() AND application_name = 'millrace-append'),
                      (SELECT coalesce(sum(count), 0)::bigint FROM event_counts)";
    let all_there = async {
        loop {
            let row = client.query_one(sql, &[]).await?;
            let (connected, stored) =
                (usize::try_from(row.get::<_, i64>(0))?, u64::try_from(row.get::<_, i64>(1))?);
            if connected >= pipelines {
                ensure!(stored < EVENTS / 2, "the log was half empty before all workers were there");
                return anyhow::Ok(stored);
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(START_DEADLINE, all_there).await.context("the workers do not start")?
}

/// The median time of a request that waits until its events are stored, in milliseconds. A wary worker has met a
/// repetition just before.
async fn request_time(refused: &[usize], wary: bool) -> anyhow::Result<f64> {
    // One pipeline: whoever has met the repetition takes the request.
    let settings = [NO_MAINTENANCE[0], ("MILLRACE_PIPELINES", "1")];
    let product = Product::start_with(&["auth", "ingest", "worker", "gateway"], &settings).await?;
    let law = "ALTER TABLE events ADD CONSTRAINT law CHECK (user_id <> 'mallory')";
    product.database.client().await.batch_execute(law).await?;
    let known = request(1, &[]);
    post(&product, &known).await?;
    let mut times = Vec::new();
    // The first one pays for the chunk and the users.
    for _ in 0..=ROUNDS {
        if wary {
            post(&product, &known).await?;
        }
        let body = request(REQUEST, refused);
        let started = Instant::now();
        let told = post(&product, &body).await?;
        times.push(started.elapsed().as_secs_f64() * 1_000.0);
        ensure!(told["rejected"] == refused.len(), "{} events should be refused: {told}", refused.len());
    }
    Ok(median(times.split_off(1)))
}

/// Sends events and waits until they are stored.
async fn post(product: &Product, body: &Value) -> anyhow::Result<Value> {
    let sent = reqwest::Client::new().post(format!("{}/api/v1/events?wait=stored", product.url()));
    let answer = sent.bearer_auth(product.key.reveal()).json(body).send().await?;
    ensure!(answer.status() == 200, "the events were not stored in time: {}", answer.status());
    Ok(answer.json().await?)
}

fn request(events: usize, refused: &[usize]) -> Value {
    let event = |n: usize| {
        let user = if refused.contains(&n) { "mallory".to_owned() } else { format!("user-{}", n % 1_000) };
        json!({
            "event_id": Uuid::now_v7(), "event_type": "page_view", "user_id": user,
            "occurred_at": format!("2026-11-01T12:{:02}:00Z", n % 60), "properties": {"n": n},
        })
    };
    (0..events).map(event).collect()
}
