//! Questions about the population's month through the gateway: the first after a start of analytics,
//! warm, and from what is kept; plain SQL on the hypertable beside.

use std::time::{Duration, Instant};

use anyhow::ensure;
use millrace_storage::compaction::compact;
use millrace_storage::database::{Database, PoolSettings};

use crate::population::store;
use crate::product::Product;
use crate::report::Report;

const WARM_RUNS: usize = 15;
/// Asks for an answer that is worked out, and for one that may be kept.
const ANEW: &str = "no-cache";
const KEPT: &str = "max-age=60";

/// A question, and what answers it without Millrace.
struct Question {
    what: &'static str,
    path: &'static str,
    sql: &'static str,
}

const QUESTIONS: [Question; 4] = [
    Question {
        what: "daily active users, 30 days",
        path: "/api/v1/stats/dau?from=2026-10-01&to=2026-10-30",
        sql: "SELECT date_trunc('day', occurred_at), count(DISTINCT user_id) FROM events WHERE project_id = $1 GROUP BY 1",
    },
    Question {
        what: "monthly active users, one date",
        path: "/api/v1/stats/mau?from=2026-10-30&to=2026-10-30",
        sql: "SELECT count(DISTINCT user_id) FROM events
              WHERE project_id = $1 AND occurred_at >= '2026-10-01' AND occurred_at < '2026-10-31'",
    },
    Question {
        what: "top events, 30 days",
        path: "/api/v1/stats/top-events?from=2026-10-01&to=2026-10-30",
        sql: "SELECT event_type, count(*), count(DISTINCT user_id) FROM events WHERE project_id = $1 GROUP BY 1 ORDER BY 2 DESC LIMIT 10",
    },
    Question {
        what: "retention, 30 daily cohorts, 7 periods",
        path: "/api/v1/stats/retention?interval=day&periods=7&mode=on&cohort=first_time&from=2026-10-01&to=2026-10-30",
        sql: "WITH days AS (SELECT DISTINCT user_id, occurred_at::date AS day FROM events WHERE project_id = $1),
                   firsts AS (SELECT user_id, min(day) AS cohort FROM days GROUP BY 1)
              SELECT cohort, day - cohort AS period, count(*) FROM days JOIN firsts USING (user_id)
              WHERE day - cohort <= 7 GROUP BY 1, 2",
    },
];

pub async fn measure(report: &mut Report, events: u64, users: u64) -> anyhow::Result<()> {
    let mut product = Product::start(&["auth", "ingest", "analytics", "gateway"]).await?;
    let loaded = store(&product.database.url(), product.project, events, users).await?;
    report.add("stored by two writers, roll-ups included", events as f64 / loaded.as_secs_f64(), "events/s");
    let pool = Database::new(&product.database.url(), PoolSettings::named("bench"))?;
    while compact(&mut *pool.connection().await?, 500).await? > 0 {}
    let client = product.database.client().await;
    for table in ["events", "activity", "event_counts"] {
        client.batch_execute(&format!("VACUUM ANALYZE {table}")).await?;
    }

    let http = reqwest::Client::new();
    let key = product.key.reveal().to_owned();
    for question in QUESTIONS {
        product.restart("analytics").await?;
        let url = format!("{}{}", product.url(), question.path);
        let ask = async |control: &str| -> anyhow::Result<Duration> {
            let started = Instant::now();
            let answer = http.get(&url).bearer_auth(&key).header("Cache-Control", control).send().await?;
            ensure!(answer.status().is_success(), "{url}: {}", answer.text().await?);
            answer.bytes().await?;
            Ok(started.elapsed())
        };
        let first = ask(ANEW).await?;
        let warm = median(async || ask(ANEW).await).await?;
        ask(KEPT).await?;
        let kept = median(async || ask(KEPT).await).await?;
        let started = Instant::now();
        client.query(question.sql, &[&product.project.0]).await?;
        let sql = millis(started.elapsed());
        for (how, time) in [("first", first), ("warm", warm), ("kept", kept)] {
            report.compare(&format!("{}, {how}", question.what), millis(time), "ms", "plain SQL", sql);
        }
    }
    for (service, mebibytes) in product.memory() {
        report.add(&format!("memory of {service}, after the questions"), mebibytes, "MiB");
    }
    Ok(())
}

async fn median(ask: impl AsyncFn() -> anyhow::Result<Duration>) -> anyhow::Result<Duration> {
    let mut times = Vec::new();
    for _ in 0..WARM_RUNS {
        times.push(ask().await?);
    }
    times.sort();
    Ok(times[WARM_RUNS / 2])
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1_000.0
}
