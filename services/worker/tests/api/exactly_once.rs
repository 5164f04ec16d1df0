use futures_util::future::join_all;
use millrace_domain::batch::EventBatch;
use millrace_messaging::publisher;
use millrace_messaging::trace::Origin;
use millrace_testkit::proxy::ChaosProxy;
use millrace_testkit::wait;
use millrace_worker::config::Config;

use crate::bench_of_work::{Bench, Hired, fortnight};

#[tokio::test(flavor = "multi_thread")]
async fn what_is_in_the_log_comes_into_the_database_once() {
    let bench = Bench::new().await;
    let events = fortnight(1_000);
    for batch in events.chunks(90) {
        bench.publish(batch).await;
    }
    let worker = Hired::with(bench.config()).await;
    bench.until_the_log_is_empty().await;
    assert_eq!(bench.stored().await, 1_000);

    for batch in events.chunks(333) {
        bench.publish(batch).await;
    }
    bench.until_the_log_is_empty().await;
    worker.dismiss().await;
    assert_eq!(bench.stored().await, 1_000, "the same events in other batches are the same events");
    bench.assert_the_books_balance().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn eight_workers_share_the_log_and_count_nothing_twice() {
    let bench = Bench::new().await;
    let events = fortnight(3_000);
    let mut workers = vec![Hired::with(bench.config()).await, Hired::with(bench.config()).await];
    for batch in events.chunks(40) {
        bench.publish(batch).await;
    }
    workers.extend(join_all((0..6).map(|_| Hired::with(bench.config()))).await);
    // The broker takes the same content for the same message; in other batches it is another.
    for batch in events.chunks(70) {
        bench.publish(batch).await;
    }
    bench.until_the_log_is_empty().await;
    join_all(workers.into_iter().map(Hired::dismiss)).await;
    assert_eq!(bench.stored().await, 3_000);
    bench.assert_the_books_balance().await;
}

/// How many turns at appending are taken.
async fn turns(bench: &Bench) -> i64 {
    let taken = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND classid = 7206 AND granted
                     AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
    bench.database.client().await.query_one(taken, &[]).await.unwrap().get(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn however_many_workers_there_are_only_so_many_append_at_once() {
    let bench = Bench::new().await;
    let config = || {
        let mut config = bench.config();
        config.append_slots = 1;
        config
    };
    let workers = join_all((0..4).map(|_| Hired::with(config()))).await;
    let events = fortnight(2_000);
    for batch in events.chunks(20) {
        bench.publish(batch).await;
        let taken = turns(&bench).await;
        assert!(taken <= 1, "{taken}");
    }
    bench.until_the_log_is_empty().await;
    // Whoever has the turn ends with it: another worker goes on.
    let mut workers = workers.into_iter();
    for _ in 0..3 {
        workers.next().unwrap().dismiss().await;
    }
    bench.publish(&fortnight(30)).await;
    bench.until_the_log_is_empty().await;
    workers.next().unwrap().dismiss().await;
    assert_eq!(bench.stored().await, 2_030);
    bench.assert_the_books_balance().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_is_cut_off_from_the_broker_leaves_its_turn_to_another() {
    let bench = Bench::new().await;
    let wire = ChaosProxy::before(bench.nats.url()).await;
    let config = || {
        let mut config = bench.config();
        config.append_slots = 1;
        config
    };
    let far = Hired::with(Config { nats_url: wire.url(bench.nats.url()), ..config() }).await;
    wait::until("the first worker has the turn", async || turns(&bench).await == 1).await;
    let near = Hired::with(config()).await;
    wire.cut();
    bench.publish(&fortnight(20)).await;
    bench.until_the_log_is_empty().await;
    assert_eq!(bench.stored().await, 20);
    wire.mend();
    tokio::join!(far.dismiss(), near.dismiss());
}

#[tokio::test(flavor = "multi_thread")]
async fn with_the_database_away_the_log_keeps_everything() {
    let bench = Bench::new().await;
    let wire = ChaosProxy::before(&bench.database.url()).await;
    let mut config = bench.config();
    config.database_url = wire.url(&config.database_url);
    let worker = Hired::with(config).await;
    let events = fortnight(600);
    bench.publish(&events[..200]).await;
    wait::until("the first events are stored", async || bench.stored().await == 200).await;

    wire.cut();
    for batch in events.chunks(50) {
        bench.publish(batch).await;
    }
    assert_eq!(bench.stored().await, 200);
    wire.mend();
    bench.until_the_log_is_empty().await;
    worker.dismiss().await;
    assert_eq!(bench.stored().await, 600);
    bench.assert_the_books_balance().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn with_the_broker_cut_off_for_a_while_nothing_is_lost_or_doubled() {
    let bench = Bench::new().await;
    let wire = ChaosProxy::before(bench.nats.url()).await;
    let mut config = bench.config();
    config.nats_url = wire.url(&config.nats_url);
    config.pull.ack_wait = std::time::Duration::from_secs(6);
    let worker = Hired::with(config).await;
    let events = fortnight(900);
    for (n, batch) in events.chunks(30).enumerate() {
        if n % 10 == 5 {
            wire.cut();
        }
        bench.publish(batch).await;
        if n % 10 == 8 {
            wire.mend();
        }
    }
    wire.mend();
    bench.until_the_log_is_empty().await;
    worker.dismiss().await;
    assert_eq!(bench.stored().await, 900);
    bench.assert_the_books_balance().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sender_that_waits_is_told_when_its_events_are_stored() {
    let bench = Bench::new().await;
    let worker = Hired::with(bench.config()).await;
    let events = fortnight(10);
    bench.publish(&events[..4]).await;
    bench.until_the_log_is_empty().await;

    let batch = EventBatch { project_id: bench.shop, received_at: chrono::Utc::now(), events };
    let replies = publisher::publish_watched(&bench.broker, &batch, Origin::of("story")).await.unwrap();
    let told = replies.wait(wait::DEADLINE).await.unwrap();
    assert_eq!((told.stored, told.duplicates, told.dead), (6, 4, 0));
    assert_eq!(bench.stored().await, 10);
    worker.dismiss().await;
}
