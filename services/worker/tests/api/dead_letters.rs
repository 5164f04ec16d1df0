//! What can never be stored is put away, with the reason, and can come back.

use std::time::Duration;

use bytes::Bytes;
use chrono::Utc;
use millrace_domain::batch::EventBatch;
use millrace_domain::ids::{KeyId, ProjectId};
use millrace_domain::text::UserId;
use millrace_messaging::consumer::{Consumer, PullSettings, backlog};
use millrace_messaging::dead_letters::filter::Filter;
use millrace_messaging::dead_letters::letter::Letter;
use millrace_messaging::dead_letters::orders::{self, Order};
use millrace_messaging::dead_letters::shelf;
use millrace_messaging::source::Source;
use millrace_messaging::trace::Origin;
use millrace_messaging::{publisher, subjects, wire};
use millrace_testkit::story::project;
use millrace_testkit::wait;

use crate::bench_of_work::{Bench, Hired, fortnight};

mod room;

/// The dead letters so far.
pub(crate) async fn dead_letters(bench: &Bench) -> Vec<Letter> {
    let found = shelf::page(&bench.broker, &Filter::default(), None, 1_000).await.unwrap();
    assert_eq!(found.next, None);
    found.letters
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_read_does_not_block_the_rest() {
    let bench = Bench::new().await;
    bench.publish_raw(bench.shop, Bytes::from_static(b"not an event batch")).await;
    bench.publish(&fortnight(5)).await;
    let worker = Hired::with(bench.config()).await;
    bench.until_the_log_is_empty().await;
    worker.dismiss().await;
    assert_eq!(bench.stored().await, 5);
    let letters = dead_letters(&bench).await;
    assert_eq!(letters.len(), 1);
    assert_eq!(letters[0].reason, "unreadable");
    assert_eq!(letters[0].payload, "not an event batch");
    assert_eq!(letters[0].subject, Some(subjects::events(bench.shop)));
}

#[tokio::test(flavor = "multi_thread")]
async fn events_of_a_project_that_does_not_exist_are_kept_aside_with_the_reason() {
    let bench = Bench::new().await;
    let nowhere = ProjectId::new();
    let batch = EventBatch { project_id: nowhere, received_at: chrono::Utc::now(), events: fortnight(3) };
    bench.publish_raw(nowhere, wire::encode(&batch, &[], 1 << 20).remove(0).payload).await;
    bench.publish_raw(bench.shop, wire::encode(&batch, &[], 1 << 20).remove(0).payload).await;
    bench.publish(&fortnight(5)).await;
    let worker = Hired::with(bench.config()).await;
    bench.until_the_log_is_empty().await;
    worker.dismiss().await;
    assert_eq!(bench.stored().await, 5);
    let mut details: Vec<String> =
        dead_letters(&bench).await.into_iter().map(|letter| letter.detail).collect();
    details.sort();
    assert_eq!(
        details,
        [format!("project {nowhere} does not exist"), "the subject names another project".to_owned()]
    );
}

/// A database that does not hold events of this user.
async fn refuse(bench: &Bench, user: &str) {
    let law = format!("ALTER TABLE events ADD CONSTRAINT law CHECK (user_id <> '{user}')");
    bench.database.client().await.batch_execute(&law).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn three_events_that_the_database_refuses_do_not_keep_the_other_9997_out() {
    let bench = Bench::new().await;
    refuse(&bench, "mallory").await;
    let mut events = fortnight(10_000);
    for place in [0, 5_000, 9_999] {
        events[place].user_id = UserId::parse("mallory").unwrap();
    }
    bench.publish(&events).await;
    let worker = Hired::with(bench.config()).await;
    bench.until_the_log_is_empty().await;
    // As if nobody had settled the message: now there are repetitions beside what is refused.
    bench.publish(&events[..1_000]).await;
    bench.until_the_log_is_empty().await;
    worker.dismiss().await;
    assert_eq!(bench.stored().await, 9_997);
    let letters = dead_letters(&bench).await;
    assert_eq!(letters.len(), 3 + 1);
    for letter in &letters {
        assert_eq!((letter.reason.as_str(), letter.events.len()), ("refused", 1));
        assert_eq!(letter.events[0].user_id, "mallory");
        assert!(letter.detail.contains("23514"), "{}", letter.detail);
    }
    bench.assert_the_books_balance().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_project_whose_time_zone_nobody_knows_stops_no_other() {
    let bench = Bench::new().await;
    let mars = project(&bench.database.url(), "UTC").await;
    let zone = async |name: &str| {
        let set = "UPDATE projects SET timezone = $2 WHERE id = $1";
        bench.database.client().await.execute(set, &[&mars.0, &name]).await.unwrap();
    };
    zone("Mars/Olympus_Mons").await;
    bench.publish_of(mars, &fortnight(3)).await;
    bench.publish(&fortnight(5)).await;
    let worker = Hired::with(bench.config()).await;
    bench.until_the_log_is_empty().await;
    assert_eq!(bench.stored().await, 5);
    let letters = dead_letters(&bench).await;
    let [letter] = letters.as_slice() else { panic!("{letters:?}") };
    assert_eq!((letter.reason.as_str(), letter.events.len()), ("unusable_project", 3));
    assert!(letter.detail.contains("Mars/Olympus_Mons"), "{}", letter.detail);

    zone("UTC").await;
    let all = Order::Named { project: Some(mars), ids: vec![letter.id] };
    assert_eq!(orders::replay(&bench.broker, &all).await.unwrap().letters, 1);
    bench.until_the_log_is_empty().await;
    worker.dismiss().await;
    assert_eq!(bench.stored().await, 8);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_letter_says_where_it_came_from_and_is_stored_once_after_the_law_has_changed() {
    let bench = Bench::new().await;
    refuse(&bench, "mallory").await;
    let mut events = fortnight(4);
    events[2].user_id = UserId::parse("mallory").unwrap();
    let before = Utc::now();
    let key = KeyId::new();
    let source = |request: &str| {
        let source = Source::of(request).with_key(key).with_user_agent(Some("shop/1"));
        Origin { events: 2, ..source.with_address("192.0.2.7".parse().ok()).into() }
    };
    let batch = EventBatch { project_id: bench.shop, received_at: Utc::now(), events: events.clone() };
    publisher::publish(&bench.broker, &batch, &[source("morning"), source("evening")]).await.unwrap();
    let worker = Hired::with(bench.config()).await;
    bench.until_the_log_is_empty().await;

    let letters = dead_letters(&bench).await;
    let [letter] = letters.as_slice() else { panic!("{letters:?}") };
    assert_eq!(
        (letter.request_ids.as_slice(), letter.key_ids.as_slice()),
        (&["evening".to_owned()][..], &[key][..])
    );
    assert_eq!((letter.deliveries, letter.replays, letter.stream_sequence), (Some(1), 0, Some(1)));
    assert_eq!(letter.subject, Some(subjects::events(bench.shop)));
    let (first, last) = (letter.first_failed_at.unwrap(), letter.last_failed_at.unwrap());
    assert!(before <= first && first <= last);
    let kept = wire::decode(&letter.payload).unwrap();
    let source = kept.sources[0].as_ref().unwrap();
    assert_eq!(
        (source.user_agent.as_deref(), source.address),
        (Some("shop/1"), None),
        "addresses are not kept"
    );

    // Replayed too early, it fails again, and remembers when it failed first.
    let named = |id| Order::Named { project: Some(bench.shop), ids: vec![id] };
    let foreign = Order::Named { project: Some(ProjectId::new()), ids: vec![letter.id] };
    assert_eq!(orders::replay(&bench.broker, &foreign).await.unwrap().letters, 0);
    assert_eq!(orders::replay(&bench.broker, &named(letter.id)).await.unwrap().letters, 1);
    bench.until_the_log_is_empty().await;
    let letters = dead_letters(&bench).await;
    let [again] = letters.as_slice() else { panic!("{letters:?}") };
    assert_eq!((again.replays, again.first_failed_at), (1, letter.first_failed_at));
    assert!(again.id > letter.id && again.last_failed_at > letter.last_failed_at);
    assert_eq!(again.request_ids, ["evening"]);

    // As if whoever replayed it had ended before it was deleted: it is in the log twice.
    bench.database.client().await.batch_execute("ALTER TABLE events DROP CONSTRAINT law").await.unwrap();
    bench.publish_raw(bench.shop, again.payload.clone()).await;
    let filter = Filter { project: Some(bench.shop), ..Filter::default() };
    let newest = shelf::newest(&bench.broker).await.unwrap();
    let all = Order::Found { filter, after: None, until: newest };
    assert_eq!(orders::replay(&bench.broker, &all).await.unwrap().letters, 1);
    bench.until_the_log_is_empty().await;
    worker.dismiss().await;
    assert_eq!((bench.stored().await, dead_letters(&bench).await.len()), (4, 0));
    bench.assert_the_books_balance().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waiting_mends_is_waited_for() {
    let bench = Bench::new().await;
    // The database is in one bad state after the other, each for one try. A sequence counts on when others roll back.
    bench
        .database
        .client()
        .await
        .batch_execute(
            "CREATE SEQUENCE tries;
             CREATE FUNCTION moody() RETURNS trigger LANGUAGE plpgsql AS $$
             DECLARE
                 moods text[] := '{40001,40P01,53100,53300,25006,57014}';
                 try bigint := nextval('tries');
             BEGIN
                 IF try <= array_length(moods, 1) THEN
                     RAISE EXCEPTION 'not now' USING ERRCODE = moods[try];
                 END IF;
                 RETURN NULL;
             END $$;
             CREATE TRIGGER moody AFTER INSERT ON event_counts FOR EACH STATEMENT EXECUTE FUNCTION moody();",
        )
        .await
        .unwrap();
    bench.publish(&fortnight(50)).await;
    let worker = Hired::with(bench.config()).await;
    bench.until_the_log_is_empty().await;
    worker.dismiss().await;
    assert_eq!((bench.stored().await, dead_letters(&bench).await.len()), (50, 0));
    bench.assert_the_books_balance().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_broker_gives_up_on_is_found_among_the_dead_letters() {
    let bench = Bench::new().await;
    bench.publish(&fortnight(3)).await;
    // Somebody who takes messages and ends before anything is settled, twice.
    let careless =
        PullSettings { max_deliveries: Some(2), ack_wait: Duration::from_millis(300), ..bench.config().pull };
    let consumer = Consumer::of_events(&bench.broker, careless).await.unwrap();
    for _ in 0..2 {
        wait::until("it is delivered", async || !consumer.pull().await.unwrap().is_empty()).await;
    }
    wait::until("the broker gives it up", async || {
        let _ = consumer.pull().await.unwrap();
        backlog(&bench.broker, subjects::EXHAUSTED_STREAM).await.unwrap().messages == 1
    })
    .await;
    assert_eq!(backlog(&bench.broker, subjects::EVENTS_STREAM).await.unwrap().messages, 1, "it lies there");

    let mut config = bench.config();
    config.pull.max_deliveries = Some(2);
    let worker = Hired::with(config).await;
    bench.until_the_log_is_empty().await;
    wait::until("the advisory is settled", async || {
        backlog(&bench.broker, subjects::EXHAUSTED_STREAM).await.unwrap().messages == 0
    })
    .await;
    let letters = dead_letters(&bench).await;
    let [letter] = letters.as_slice() else { panic!("{letters:?}") };
    assert_eq!((letter.reason.as_str(), letter.deliveries, letter.events.len()), ("exhausted", Some(2), 3));
    let all = Order::Named { project: None, ids: vec![letter.id] };
    assert_eq!(orders::replay(&bench.broker, &all).await.unwrap().letters, 1);
    bench.until_the_log_is_empty().await;
    worker.dismiss().await;
    assert_eq!(bench.stored().await, 3);
}
