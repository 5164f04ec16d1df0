//! Questions about the population's month through the gateway: the first after a start of analytics,
//! warm, and from what is kept; plain SQL on the hypertable beside.

use std::time::{Duration, Instant};

use anyhow::ensure;
use millrace_storage::compaction::compact;
use millrace_storage::database::{Database, PoolSettings};
use millrace_storage::postings::building::build;
use millrace_storage::postings::due::look;

use crate::population::store;
use crate::product::Product;
use crate::report::{Limit, Report};

const WARM_RUNS: usize = 15;
/// Asks for an answer that is worked out, and for one that may be kept.
const ANEW: &str = "no-cache";
const KEPT: &str = "max-age=60";

/// Milliseconds within which an answer has to come: the first one after a start, one that is worked out, one that is kept.
struct Limits {
    first: f64,
    warm: Option<f64>,
    kept: f64,
}

/// What sets and counts answer.
const FROM_SETS: Limits = Limits { first: 200.0, warm: Some(10.0), kept: 2.0 };
const FUNNEL: Limits = Limits { first: 300.0, warm: None, kept: 2.0 };
const LARGE_FUNNEL: Limits = Limits { first: 1_000.0, warm: Some(300.0), kept: 2.0 };
const BREAKDOWN: Limits = Limits { first: 1_500.0, warm: None, kept: 2.0 };
/// The memory of analytics once everything was asked, in MiB.
const MEMORY: f64 = 256.0;

/// A question, and what answers it without Millrace.
struct Question {
    what: &'static str,
    limits: Limits,
    /// What follows the gateway's address, or the body for `POST /api/v1/query`.
    asked: Asked,
    sql: &'static str,
}

#[derive(Clone, Copy)]
enum Asked {
    Get(&'static str),
    Query(&'static str),
}

use Asked::{Get, Query};

const QUESTIONS: [Question; 8] = [
    Question {
        what: "daily active users, 30 days",
        limits: FROM_SETS,
        asked: Get("/api/v1/stats/dau?from=2026-10-01&to=2026-10-30"),
        sql: "SELECT date_trunc('day', occurred_at), count(DISTINCT user_id) FROM events WHERE project_id = $1 GROUP BY 1",
    },
    Question {
        what: "weekly active users, 30 days",
        limits: FROM_SETS,
        asked: Get("/api/v1/stats/wau?from=2026-10-01&to=2026-10-30"),
        sql: "SELECT day, count(DISTINCT user_id) FROM generate_series('2026-10-01', '2026-10-30', interval '1 day') AS day
              JOIN events ON project_id = $1 AND occurred_at >= day - interval '6 days' AND occurred_at < day + interval '1 day'
              GROUP BY 1",
    },
    Question {
        what: "monthly active users, one date",
        limits: FROM_SETS,
        asked: Get("/api/v1/stats/mau?from=2026-10-30&to=2026-10-30"),
        sql: "SELECT count(DISTINCT user_id) FROM events
              WHERE project_id = $1 AND occurred_at >= '2026-10-01' AND occurred_at < '2026-10-31'",
    },
    Question {
        what: "top events, 30 days",
        limits: FROM_SETS,
        asked: Get("/api/v1/stats/top-events?from=2026-10-01&to=2026-10-30"),
        sql: "SELECT event_type, count(*), count(DISTINCT user_id) FROM events WHERE project_id = $1 GROUP BY 1 ORDER BY 2 DESC LIMIT 10",
    },
    Question {
        what: "retention, 30 daily cohorts, 7 periods",
        limits: FROM_SETS,
        asked: Get("/api/v1/stats/retention?interval=day&periods=7&mode=on&cohort=first_time&from=2026-10-01&to=2026-10-30"),
        sql: "WITH days AS (SELECT DISTINCT user_id, occurred_at::date AS day FROM events WHERE project_id = $1),
                   firsts AS (SELECT user_id, min(day) AS cohort FROM days GROUP BY 1)
              SELECT cohort, day - cohort AS period, count(*) FROM days JOIN firsts USING (user_id)
              WHERE day - cohort <= 7 GROUP BY 1, 2",
    },
    Question {
        what: "funnel of three steps, 30 days",
        limits: FUNNEL,
        asked: Query(
            r#"{"kind": "funnel", "from": "2026-10-01", "to": "2026-10-30", "window": "7d", "steps":
                [{"event_type": "search"}, {"event_type": "added_to_cart"}, {"event_type": "order_completed"}]}"#,
        ),
        // Simpler than the funnel: only the first attempt of each user counts.
        sql: "WITH one AS (SELECT user_no, min(occurred_at) AS at FROM events
                           WHERE project_id = $1 AND event_type = 'search' GROUP BY 1),
                   two AS (SELECT one.user_no, one.at AS began, min(events.occurred_at) AS at FROM one JOIN events
                           ON events.project_id = $1 AND events.event_type = 'added_to_cart'
                           AND events.user_no = one.user_no AND events.occurred_at > one.at
                           AND events.occurred_at <= one.at + interval '7 days' GROUP BY 1, 2),
                   three AS (SELECT DISTINCT two.user_no FROM two JOIN events
                           ON events.project_id = $1 AND events.event_type = 'order_completed'
                           AND events.user_no = two.user_no AND events.occurred_at > two.at
                           AND events.occurred_at <= two.began + interval '7 days')
              SELECT (SELECT count(*) FROM one), (SELECT count(*) FROM two), (SELECT count(*) FROM three)",
    },
    Question {
        what: "large funnel of three steps, 30 days",
        limits: LARGE_FUNNEL,
        asked: Query(
            r#"{"kind": "funnel", "from": "2026-10-01", "to": "2026-10-30", "window": "7d", "steps":
                [{"event_type": "page_view"}, {"event_type": "added_to_cart"}, {"event_type": "order_completed"}]}"#,
        ),
        sql: "WITH one AS (SELECT user_no, min(occurred_at) AS at FROM events
                           WHERE project_id = $1 AND event_type = 'page_view' GROUP BY 1),
                   two AS (SELECT one.user_no, one.at AS began, min(events.occurred_at) AS at FROM one JOIN events
                           ON events.project_id = $1 AND events.event_type = 'added_to_cart'
                           AND events.user_no = one.user_no AND events.occurred_at > one.at
                           AND events.occurred_at <= one.at + interval '7 days' GROUP BY 1, 2),
                   three AS (SELECT DISTINCT two.user_no FROM two JOIN events
                           ON events.project_id = $1 AND events.event_type = 'order_completed'
                           AND events.user_no = two.user_no AND events.occurred_at > two.at
                           AND events.occurred_at <= two.began + interval '7 days')
              SELECT (SELECT count(*) FROM one), (SELECT count(*) FROM two), (SELECT count(*) FROM three)",
    },
    Question {
        what: "users of an event type by a property, 30 days",
        limits: BREAKDOWN,
        asked: Query(
            r#"{"kind": "trends", "from": "2026-10-01", "to": "2026-10-30", "interval": "month",
                "event_type": "page_view", "measure": "users", "breakdown": "plan"}"#,
        ),
        sql: "SELECT properties ->> 'plan', count(DISTINCT user_no) FROM events
              WHERE project_id = $1 AND event_type = 'page_view' GROUP BY 1",
    },
];

pub async fn measure(report: &mut Report, events: u64, users: u64) -> anyhow::Result<()> {
    let mut product = Product::start(&["auth", "ingest", "analytics", "gateway"]).await?;
    let loaded = store(&product.database.url(), product.project, events, users).await?;
    report.add("stored by two writers, roll-ups included", events as f64 / loaded.as_secs_f64(), "events/s");
    let pool = Database::new(&product.database.url(), PoolSettings::named("bench"))?;
    while compact(&mut *pool.connection().await?, 500).await? > 0 {}
    let building = Instant::now();
    store_postings(&pool).await?;
    report.add(
        "postings stored, of so many events",
        events as f64 / building.elapsed().as_secs_f64(),
        "events/s",
    );
    let client = product.database.client().await;
    for table in ["events", "activity", "event_counts", "postings"] {
        client.batch_execute(&format!("VACUUM ANALYZE {table}")).await?;
    }

    let http = reqwest::Client::new();
    let key = product.key.reveal().to_owned();
    let ask = async |product: &Product, asked: Asked, control: &str| -> anyhow::Result<Duration> {
        let request = match asked {
            Get(path) => http.get(format!("{}{path}", product.url())),
            Query(body) => {
                let request = http.post(format!("{}/api/v1/query", product.url()));
                request.header("Content-Type", "application/json").body(body)
            }
        };
        let started = Instant::now();
        let answer = request.bearer_auth(&key).header("Cache-Control", control).send().await?;
        ensure!(answer.status().is_success(), "{}", answer.text().await?);
        answer.bytes().await?;
        Ok(started.elapsed())
    };
    for question in &QUESTIONS {
        product.restart("analytics").await?;
        let asked = question.asked;
        let first = ask(&product, asked, ANEW).await?;
        let warm = median(async || ask(&product, asked, ANEW).await).await?;
        ask(&product, asked, KEPT).await?;
        let kept = median(async || ask(&product, asked, KEPT).await).await?;
        let started = Instant::now();
        client.query(question.sql, &[&product.project.0]).await?;
        report.add(&format!("{}, plain SQL", question.what), millis(started.elapsed()), "ms");
        let Limits { first: soon, warm: again, kept: at_once } = question.limits;
        for (how, time, limit) in
            [("first", first, Some(soon)), ("warm", warm, again), ("kept", kept, Some(at_once))]
        {
            let what = format!("{}, {how}", question.what);
            match limit {
                Some(limit) => report.hold(&what, millis(time), "ms", Limit::Below(limit)),
                None => report.add(&what, millis(time), "ms"),
            }
        }
    }
    // All of them at one process, as a dashboard does.
    product.restart("analytics").await?;
    for question in &QUESTIONS {
        ask(&product, question.asked, ANEW).await?;
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

/// As the worker does when a day has been the same for a while.
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
