//! More dead letters than can be put away at once, or at all.

use std::time::{Duration, Instant};

use bytes::Bytes;
use millrace_domain::text::{EventType, UserId};
use millrace_messaging::consumer::backlog;
use millrace_messaging::{streams, subjects};
use millrace_testkit::proxy::ChaosProxy;
use millrace_testkit::wait;
use serde_json::json;

use super::{dead_letters, refuse};
use crate::bench_of_work::{Bench, Hired, STREAMS, fortnight};

/// How often messages were given to workers so far.
async fn deliveries(bench: &Bench) -> u64 {
    let jetstream = async_nats::jetstream::new(bench.broker.client().clone());
    let stream = jetstream.get_stream(subjects::EVENTS_STREAM).await.unwrap();
    stream.consumer_info(subjects::WORKERS).await.unwrap().delivered.consumer_sequence
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_with_thousands_of_dead_letters_is_held_until_all_are_put_away() {
    let bench = Bench::new().await;
    bench.be_strict(&json!({"required": ["value"]})).await;
    let wire = ChaosProxy::before(bench.nats.url()).await;
    let mut config = bench.config();
    config.nats_url = wire.url(&config.nats_url);
    config.pull.ack_wait = Duration::from_secs(2);
    let mut events = fortnight(3_000);
    events.iter_mut().for_each(|event| event.event_type = EventType::parse("order_completed").unwrap());
    bench.publish(&events).await;
    let messages = backlog(&bench.broker, subjects::EVENTS_STREAM).await.unwrap().messages;
    let worker = Hired::with(config).await;
    // Far away: one after the other, the letters would take a minute.
    wire.stretch(Duration::from_millis(20));
    let started = Instant::now();
    bench.until_the_log_is_empty().await;
    assert!(started.elapsed() > Duration::from_secs(2), "putting them away takes longer than a lease");
    worker.dismiss().await;
    assert_eq!(backlog(&bench.broker, subjects::DEAD_LETTERS_STREAM).await.unwrap().messages, 3_000);
    assert_eq!(deliveries(&bench).await, messages, "nothing was given to somebody else meanwhile");
}

#[tokio::test(flavor = "multi_thread")]
async fn with_no_room_for_dead_letters_only_the_messages_that_have_some_stay_in_the_log() {
    let bench = Bench::new().await;
    refuse(&bench, "mallory").await;
    bench.publish_raw(bench.shop, Bytes::from_static(b"not an event batch")).await;
    let mut events = fortnight(200);
    events[5].user_id = UserId::parse("mallory").unwrap();
    for batch in events.chunks(10) {
        bench.publish(batch).await;
    }
    let mut config = bench.config();
    config.streams.dead_letters_bytes = 1;
    config.pull.ack_wait = Duration::from_secs(1);
    let worker = Hired::with(config).await;
    wait::until("the others are settled", async || {
        backlog(&bench.broker, subjects::EVENTS_STREAM).await.unwrap().messages == 2
    })
    .await;
    assert_eq!(bench.stored().await, 199, "also what is beside a refused event is stored");
    streams::ensure(&bench.broker, STREAMS).await.unwrap();
    bench.until_the_log_is_empty().await;
    worker.dismiss().await;
    assert_eq!((bench.stored().await, dead_letters(&bench).await.len()), (199, 2));
    bench.assert_the_books_balance().await;
}
