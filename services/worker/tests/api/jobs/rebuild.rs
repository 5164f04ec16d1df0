use millrace_domain::analytics::time_zone::TimeZone;
use millrace_domain::jobs::Kind;
use millrace_storage::jobs;
use millrace_storage::projects::{self, Changed, Changes};
use millrace_testkit::recount::assert_roll_ups_equal_the_events;
use millrace_testkit::wait;
use serde_json::json;

use crate::bench_of_work::{Bench, Hired, fortnight};

/// Every row of the roll-ups, sets merged into one part each.
async fn roll_ups(bench: &Bench) -> Vec<String> {
    let sql = "SELECT 'c' || bucket::text || event_type || count::text FROM event_counts
               UNION ALL SELECT 'a' || day::text || event_type || encode(users, 'hex') FROM activity ORDER BY 1";
    bench.database.client().await.query(sql, &[]).await.unwrap().iter().map(|row| row.get(0)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_rebuilt_equals_what_it_replaces() {
    let (bench, worker) = Bench::stocked(2_000).await;
    bench.result_of(bench.ask(Kind::Compaction, json!({})).await).await;
    let before = roll_ups(&bench).await;
    let result = bench.result_of(bench.ask(Kind::Rebuild, json!({})).await).await;
    assert_eq!(result["buckets_corrected"], 0);
    assert_eq!(roll_ups(&bench).await, before);
    worker.dismiss().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_roll_ups_are_made_right_while_events_come_and_workers_are_killed() {
    let (bench, worker) = Bench::stocked(2_000).await;
    worker.dismiss().await;
    let client = bench.database.client().await;
    client
        .batch_execute(
            "DELETE FROM event_counts WHERE event_type = 'login' AND bucket < '2026-10-25';
             UPDATE event_counts SET count = count + 3 WHERE event_type = 'page_view';
             INSERT INTO event_counts SELECT project_id, bucket, 'made_up', 7 FROM event_counts LIMIT 5;
             DELETE FROM activity WHERE event_type = '' AND day < '2026-10-24';
             INSERT INTO activity (project_id, event_type, day, users)
                 SELECT project_id, 'made_up', day, users FROM activity LIMIT 3;",
        )
        .await
        .unwrap();
    let more = fortnight(1_000);
    for batch in more.chunks(10) {
        bench.publish(batch).await;
    }
    let id = bench.ask(Kind::Rebuild, json!({})).await;
    let (_, _worker) = bench.finish_with_kills(id, 2).await;
    bench.until_the_log_is_empty().await;
    assert_eq!(bench.stored().await, 3_000);
    bench.assert_the_books_balance().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_replaced_before_all_of_it_is() {
    let (bench, worker) = Bench::stocked(2_000).await;
    bench.result_of(bench.ask(Kind::Compaction, json!({})).await).await;
    let client = bench.database.client().await;
    let days = "SELECT count(*) FROM activity WHERE event_type = ''";
    let days: i64 = client.query_one(days, &[]).await.unwrap().get(0);
    client
        .batch_execute(
            "UPDATE event_counts SET count = count + 3 WHERE event_type = 'page_view';
             DELETE FROM activity WHERE event_type = '';",
        )
        .await
        .unwrap();
    let wrong = roll_ups(&bench).await;
    // As if somebody merged sets: they cannot be replaced meanwhile.
    let lock =
        |verb: &str| format!("SELECT pg_advisory_{verb}_shared(hashtextextended('activity' || $1::text, 0))");
    let shop = bench.shop.0.to_string();
    client.execute(&lock("lock"), &[&shop]).await.unwrap();
    let id = bench.ask(Kind::Rebuild, json!({})).await;
    wait::until("all days are looked at", async || {
        let progress = bench.job(id).await.progress;
        progress.done > 0 && Some(progress.done) == progress.total
    })
    .await;
    assert_eq!(roll_ups(&bench).await, wrong, "whoever asks has the answers of before");
    // Events that come meanwhile are of users whose sets are wrong, and of days that are looked at already.
    let more = fortnight(300);
    bench.publish(&more).await;
    bench.until_the_log_is_empty().await;
    client.execute(&lock("unlock"), &[&shop]).await.unwrap();
    let result = bench.result_of(id).await;
    assert!(result["buckets_corrected"].as_u64() > Some(0) && result["sets_corrected"] == days, "{result}");
    bench.assert_the_books_balance().await;
    let left: i64 = client.query_one("SELECT count(*) FROM rebuilds", &[]).await.unwrap().get(0);
    assert_eq!(left, 0);
    worker.dismiss().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_project_in_another_zone_has_other_days() {
    let (bench, worker) = Bench::stocked(1_000).await;
    let changed = move_to(&bench, "America/New_York").await;
    assert_eq!(changed.after.sets_zone, None, "its sets are mixed");
    bench.publish(&fortnight(100)).await;
    bench.result_of(changed.rebuild.unwrap().id).await;
    bench.until_the_log_is_empty().await;
    worker.dismiss().await;
    assert_roll_ups_equal_the_events(&bench.database, bench.shop, "America/New_York").await;
    assert_eq!(sets_zone(&bench).await, Some("America/New_York"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rebuild_for_a_zone_that_the_project_has_left_changes_nothing() {
    let (bench, worker) = Bench::stocked(500).await;
    worker.dismiss().await;
    // Half-way through the days of New York it is cancelled, and resumed when the project has come back.
    let first = move_to(&bench, "America/New_York").await.rebuild.unwrap().id;
    let mut half_way = bench.worker_process();
    wait::until("it is among the sets", async || bench.job(first).await.progress.done > 16).await;
    jobs::cancel(&mut *bench.store().await, first).await.unwrap();
    bench.until_it_ends(first).await;
    half_way.kill().await.unwrap();
    assert_eq!(sets_zone(&bench).await, None);
    let second = move_to(&bench, "Asia/Kolkata").await.rebuild.unwrap().id;
    assert_eq!(sets_zone(&bench).await, None, "it is back, and its sets are still mixed");
    let worker = Hired::with(bench.config()).await;
    bench.result_of(second).await;
    assert_eq!(sets_zone(&bench).await, Some("Asia/Kolkata"));
    jobs::resume(&mut *bench.store().await, first).await.unwrap().unwrap();
    assert_eq!(bench.result_of(first).await, json!({"superseded": true}));
    worker.dismiss().await;
    bench.assert_the_books_balance().await;
    assert_eq!(sets_zone(&bench).await, Some("Asia/Kolkata"));
}

async fn move_to(bench: &Bench, zone: &str) -> Changed {
    let changes = Changes { timezone: Some(zone.parse().unwrap()), ..Changes::default() };
    projects::change(&mut *bench.store().await, bench.shop, &changes, None).await.unwrap().unwrap()
}

async fn sets_zone(bench: &Bench) -> Option<&'static str> {
    let project = projects::find(&mut *bench.store().await, bench.shop).await.unwrap().unwrap();
    project.sets_zone.map(TimeZone::name)
}
