//! Questions about the population's month through the gateway: the first after a start of analytics, warm, and from what is
//! kept; plain SQL on the hypertable beside. PostgreSQL is warm throughout: what a start costs is analytics' own memory.

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use futures_util::future::try_join_all;
use millrace_storage::compaction::compact;
use millrace_storage::database::{Database, PoolSettings};
use millrace_storage::postings::building::build;
use millrace_storage::postings::due::look;
use serde_json::Value;
use tokio_postgres::Client;
use tokio_postgres::error::SqlState;
use uuid::Uuid;

use crate::population::{lead_in, store};
use crate::product::Product;
use crate::questions::Asked::{Get, Query};
use crate::questions::{Asked, Limits, QUESTIONS, Question};
use crate::report::{Limit, Report, median};

const WARM_RUNS: usize = 15;
/// Starts of analytics, each with a first question.
const STARTS: usize = 5;
/// Asks for an answer that is worked out, and for one that may be kept.
const ANEW: &str = "no-cache";
const KEPT: &str = "max-age=60";
/// The memory of analytics once everything was asked, in MiB.
const MEMORY: f64 = 256.0;
/// How long plain SQL may take.
const PATIENCE: Duration = Duration::from_secs(120);

pub async fn measure(report: &mut Report, events: u64, users: u64) -> anyhow::Result<()> {
    let mut product = Product::start(&["auth", "ingest", "analytics", "gateway"]).await?;
    let loaded = store(&product.database.url(), product.project, events, users, true).await?;
    let stored = (events + lead_in(events)) as f64 / loaded.as_secs_f64();
    report.add("stored by two writers, roll-ups included", stored, "events/s");
    let pool = Database::new(&product.database.url(), PoolSettings::named("bench"))?;
    while compact(&mut *pool.connection().await?, 500).await? > 0 {}
    let building = Instant::now();
    store_postings(&pool).await?;
    let built = (events + lead_in(events)) as f64 / building.elapsed().as_secs_f64();
    report.add("events whose postings were stored", built, "events/s");
    let client = product.database.client().await;
    for table in ["events", "activity", "event_counts", "postings"] {
        client.batch_execute(&format!("VACUUM ANALYZE {table}")).await?;
    }
    client.batch_execute(&format!("SET statement_timeout = {}", PATIENCE.as_millis())).await?;
    let asker = Asker { http: reqwest::Client::new(), key: product.key.reveal().to_owned() };
    for question in &QUESTIONS {
        measure_one(report, &mut product, &asker, &client, question).await?;
    }
    // All of them at one process at once, as dashboards do.
    product.restart("analytics").await?;
    for _ in 0..3 {
        let url = product.url();
        try_join_all(QUESTIONS.iter().map(|question| asker.until_answered(&url, question.asked))).await?;
    }
    for (service, mebibytes) in product.peak_memory() {
        let what = format!("peak memory of {service}");
        match service {
            "analytics" => report.hold(&what, mebibytes, "MiB", Limit::Below(MEMORY)),
            _ => report.add(&what, mebibytes, "MiB"),
        }
    }
    Ok(())
}

/// As the worker does once days have been the same for a while.
async fn store_postings(pool: &Database) -> anyhow::Result<()> {
    let mut conn = pool.connection().await?;
    let mut place = None;
    loop {
        let due = look(&mut conn, place, 16).await?;
        for (day, _) in due.days {
            build(&mut conn, day.project, &day.event_type, day.start).await?;
        }
        place = due.place;
        if place.is_none() {
            return Ok(());
        }
    }
}

async fn measure_one(
    report: &mut Report,
    product: &mut Product,
    asker: &Asker,
    client: &Client,
    question: &Question,
) -> anyhow::Result<()> {
    let mut firsts = Vec::new();
    for _ in 0..STARTS {
        product.restart("analytics").await?;
        firsts.push(asker.ask(&product.url(), question.asked, ANEW).await?.took);
    }
    let url = product.url();
    let (mut warm, mut kept) = (Vec::new(), Vec::new());
    for _ in 0..WARM_RUNS {
        warm.push(asker.ask(&url, question.asked, ANEW).await?.took);
    }
    let answer = asker.ask(&url, question.asked, KEPT).await?.body;
    // Answers are kept for seconds, and one of them may end here.
    for _ in 0..2 * WARM_RUNS {
        let answer = asker.ask(&url, question.asked, KEPT).await?;
        kept.extend(answer.kept.then_some(answer.took));
    }
    ensure!(kept.len() >= WARM_RUNS, "{} was kept {} times only", question.what, kept.len());
    let (peer, sql) = plain_sql(client, product.project.0, question, &answer).await?;
    let Limits { first, warm: again, kept: at_once } = question.limits;
    let times = [("first", firsts, Some(first)), ("warm", warm, again), ("kept", kept, Some(at_once))];
    for (how, times, limit) in times {
        let (what, time) =
            (format!("{}, {how}", question.what), median(times.into_iter().map(millis).collect()));
        match limit {
            Some(limit) => report.hold_beside(&what, (time, "ms"), Limit::Below(limit), (peer, sql)),
            None => report.compare(&what, time, "ms", peer, sql),
        }
    }
    Ok(())
}

/// Holds a number of the answer against plain SQL, and returns how long that took, in milliseconds.
async fn plain_sql(
    client: &Client,
    project: Uuid,
    question: &Question,
    answer: &Value,
) -> anyhow::Result<(&'static str, f64)> {
    let started = Instant::now();
    let (peer, rows, column) = match client.query(question.sql, &[&project]).await {
        Ok(rows) => ("plain SQL", rows, question.column),
        Err(error) if error.code() == Some(&SqlState::QUERY_CANCELED) => {
            let check =
                question.check.context("plain SQL took too long, and nothing else checks the answer")?;
            ("plain SQL, given up", client.query(check, &[&project]).await?, 0)
        }
        Err(error) => return Err(error.into()),
    };
    let took = started.elapsed().min(PATIENCE);
    let expected: i64 = rows.last().context("plain SQL finds something")?.get(column);
    let found = (question.number)(answer).as_f64();
    ensure!(found == Some(expected as f64), "{}: {found:?}, and {expected} by SQL", question.what);
    Ok((peer, millis(took)))
}

struct Asker {
    http: reqwest::Client,
    key: String,
}

struct Answer {
    took: Duration,
    kept: bool,
    body: Value,
}

impl Asker {
    async fn send(&self, url: &str, asked: Asked, control: &str) -> reqwest::Result<reqwest::Response> {
        let request = match asked {
            Get(path) => self.http.get(format!("{url}{path}")),
            Query(body) => {
                let request = self.http.post(format!("{url}/api/v1/query"));
                request.header("Content-Type", "application/json").body(body)
            }
        };
        request.bearer_auth(&self.key).header("Cache-Control", control).send().await
    }

    async fn ask(&self, url: &str, asked: Asked, control: &str) -> anyhow::Result<Answer> {
        let started = Instant::now();
        let answer = self.send(url, asked, control).await?;
        ensure!(answer.status().is_success(), "{}", answer.text().await?);
        let kept = answer.headers().get("x-cache").is_some_and(|value| value == "hit");
        let body = answer.bytes().await?;
        let took = started.elapsed();
        Ok(Answer { took, kept, body: serde_json::from_slice(&body)? })
    }

    /// Asks again for as long as it is told to.
    async fn until_answered(&self, url: &str, asked: Asked) -> anyhow::Result<()> {
        loop {
            let answer = self.send(url, asked, ANEW).await?;
            if answer.status().is_success() {
                answer.bytes().await?;
                return Ok(());
            }
            ensure!(answer.headers().contains_key("retry-after"), "{}", answer.text().await?);
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1_000.0
}
