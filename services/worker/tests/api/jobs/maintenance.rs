use std::time::Duration;

use chrono::{TimeDelta, Utc};
use millrace_domain::jobs::{Kind, Status};
use millrace_storage::jobs::{self, Filter};
use millrace_testkit::wait;
use serde_json::{Value, json};

use crate::bench_of_work::{Bench, Hired, fortnight};

async fn number(bench: &Bench, sql: &str) -> i64 {
    bench.database.client().await.query_one(sql, &[]).await.unwrap().get(0)
}

/// A fortnight that ends today.
async fn publish_recent(bench: &Bench, events: i64) {
    let mut events = fortnight(events);
    let shift = Utc::now() - "2026-11-03T00:00:00Z".parse::<chrono::DateTime<Utc>>().unwrap();
    for event in &mut events {
        event.occurred_at += TimeDelta::seconds(shift.num_seconds());
    }
    bench.publish(&events).await;
    bench.until_the_log_is_empty().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn events_go_when_their_project_does_not_keep_them_any_more() {
    let (bench, worker) = Bench::stocked(0).await;
    publish_recent(&bench, 900).await;
    // Long ago: in chunks of their own.
    bench
        .publish(
            &fortnight(300)
                .into_iter()
                .map(|mut event| {
                    event.occurred_at -= TimeDelta::days(365);
                    event
                })
                .collect::<Vec<_>>(),
        )
        .await;
    bench.until_the_log_is_empty().await;
    let chunks = "SELECT count(*) FROM timescaledb_information.chunks WHERE hypertable_name = 'events'";
    let chunks_before = number(&bench, chunks).await;
    let counted = number(&bench, "SELECT sum(count)::bigint FROM event_counts").await;

    let client = bench.database.client().await;
    client.execute("UPDATE projects SET retention_days = 7", &[]).await.unwrap();
    let result = bench.result_of(bench.ask(Kind::Retention, json!({})).await).await;
    assert!(result["chunks_dropped"].as_u64().unwrap() >= 2, "{result}");
    assert!(number(&bench, chunks).await < chunks_before);
    let kept = number(&bench, "SELECT count(*) FROM events").await;
    assert!(kept > 300 && kept < 600, "{kept}");
    assert_eq!(
        number(&bench, "SELECT count(*) FROM events WHERE occurred_at < now() - INTERVAL '8 days'").await,
        0
    );
    assert_eq!(number(&bench, "SELECT sum(count)::bigint FROM event_counts").await, counted, "counts stay");

    // A rebuild cannot make them anew, and leaves them.
    bench.result_of(bench.ask(Kind::Rebuild, json!({})).await).await;
    assert_eq!(number(&bench, "SELECT sum(count)::bigint FROM event_counts").await, counted);

    client.execute("UPDATE projects SET keeps_roll_ups = false", &[]).await.unwrap();
    bench.result_of(bench.ask(Kind::Retention, json!({})).await).await;
    worker.dismiss().await;
    bench.assert_the_books_balance().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn maintenance_is_done_once_however_many_workers_there_are() {
    let bench = Bench::new().await;
    let config = || {
        let mut config = bench.config();
        config.jobs.maintenance = Some(Duration::from_secs(3600));
        config
    };
    let (one, two, three) = tokio::join!(Hired::with(config()), Hired::with(config()), Hired::with(config()));
    let all = async || jobs::page(&mut *bench.store().await, Filter::default(), None, 200).await.unwrap();
    wait::until("all of it is done", async || {
        let jobs = all().await;
        jobs.len() >= 5 && jobs.iter().all(|job| job.status == Status::Succeeded)
    })
    .await;
    tokio::join!(one.dismiss(), two.dismiss(), three.dismiss());
    let jobs = all().await;
    let mut kinds: Vec<&str> = jobs.iter().map(|job| job.kind.as_str()).collect();
    kinds.sort_unstable();
    // Two of a kind if the hour struck meanwhile.
    kinds.dedup();
    assert_eq!(kinds, ["cleanup", "compaction", "compression", "retention", "statistics"]);
    assert!(jobs.len() <= 10);
    let of = |kind| jobs.iter().find(|job| job.kind == kind).and_then(|job| job.result.clone()).unwrap();
    let compression: Value = of(Kind::Compression);
    assert!(
        compression["skipped"].is_string() || compression["chunks_compressed"].is_number(),
        "{compression}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn files_outlive_their_job_for_a_while() {
    let (bench, worker) = Bench::stocked(200).await;
    let id = bench.ask(Kind::Export, json!({"format": "csv"})).await;
    let file = bench.result_of(id).await["files"][0]["name"].as_str().unwrap().to_owned();
    bench.result_of(bench.ask(Kind::Cleanup, json!({})).await).await;
    assert!(bench.files.path().join(&file).exists());
    let sql = "UPDATE jobs SET finished_at = finished_at - INTERVAL '2 hours' WHERE kind = 'export'";
    bench.database.client().await.execute(sql, &[]).await.unwrap();
    let result = bench.result_of(bench.ask(Kind::Cleanup, json!({})).await).await;
    assert_eq!(result["jobs_without_files"], 1);
    assert!(!bench.files.path().join(&file).exists());
    worker.dismiss().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_happened_long_ago_is_forgotten_but_for_what_is_still_of_use() {
    let (bench, worker) = Bench::stocked(1).await;
    let database = bench.database.client().await;
    // Each alert's events by their age in days, and whether somebody is still to hear of them.
    let told = [(400, false), (120, true), (91, false), (89, false)];
    let silent_for_long = [(300, false), (200, false)];
    for (alert, events) in [("often", told.as_slice()), ("once", silent_for_long.as_slice())] {
        let make = "WITH insight AS (
                INSERT INTO insights (id, project_id, title, body, visibility, tags, created_at, updated_at)
                VALUES (gen_random_uuid(), $1, 'Orders', '', 'project', '{}', now(), now()) RETURNING id)
            INSERT INTO alerts (id, project_id, insight_id, name, visibility, condition, times, every_seconds, enabled,
                                by_mail, created_at, updated_at)
            SELECT gen_random_uuid(), $1, id, $2, 'project', '{}', 1, 60, false, false, now(), now() FROM insight
            RETURNING id";
        let id: uuid::Uuid = database.query_one(make, &[&bench.shop.0, &alert]).await.unwrap().get(0);
        for (days, waits) in events {
            let happened = "WITH event AS (
                    INSERT INTO alert_events (id, alert_id, kind, occurred_at)
                    VALUES (gen_random_uuid(), $1, 'fired', now() - make_interval(days => $2)) RETURNING id)
                INSERT INTO alert_deliveries (id, event_id, channel, status, due_at)
                SELECT gen_random_uuid(), id, 'webhook', CASE WHEN $3 THEN 'pending' ELSE 'dead' END, now() FROM event";
            database.execute(happened, &[&id, days, waits]).await.unwrap();
        }
    }
    let links = "WITH dashboard AS (
            INSERT INTO dashboards (id, project_id, name, visibility, created_at, updated_at)
            VALUES (gen_random_uuid(), $1, 'Growth', 'project', now(), now()) RETURNING id)
        INSERT INTO dashboard_shares (id, dashboard_id, hash, created_at, expires_at)
        SELECT gen_random_uuid(), id, sha256(coalesce(days, 0)::text::bytea), now() - interval '1 year',
               now() - make_interval(days => days)
          FROM dashboard, unnest(ARRAY[40, 20, NULL]) AS days";
    database.execute(links, &[&bench.shop.0]).await.unwrap();

    let result = bench.result_of(bench.ask(Kind::Cleanup, json!({})).await).await;
    assert_eq!((&result["alert_events_forgotten"], &result["links_forgotten"]), (&json!(3), &json!(1)));
    let left = "SELECT alerts.name, extract(day FROM now() - occurred_at)::int
          FROM alert_events JOIN alerts ON alerts.id = alert_id ORDER BY 1, 2";
    let left: Vec<(String, i32)> =
        database.query(left, &[]).await.unwrap().iter().map(|row| (row.get(0), row.get(1))).collect();
    let expected = [("often", 89), ("often", 120), ("once", 200)];
    let expected: Vec<(String, i32)> = expected.map(|(name, days)| (name.to_owned(), days)).into();
    let sorted = |mut events: Vec<(String, i32)>| {
        events.sort();
        events
    };
    assert_eq!(sorted(left), sorted(expected));
    worker.dismiss().await;
}
