use bytes::Bytes;
use futures_util::StreamExt;
use millrace_domain::batch::EventBatch;
use millrace_domain::ids::ProjectId;
use millrace_messaging::{subjects, wire};

use crate::bench_of_work::{Bench, Hired, fortnight};

/// The dead letters so far: reason, detail, and the user ids of the events inside.
pub(crate) async fn dead_letters(bench: &Bench) -> Vec<(String, String, Vec<String>)> {
    let jetstream = async_nats::jetstream::new(bench.broker.client().clone());
    let mut stream = jetstream.get_stream(subjects::DEAD_LETTERS_STREAM).await.unwrap();
    let waiting = usize::try_from(stream.info().await.unwrap().state.messages).unwrap();
    let consumer = stream
        .create_consumer(async_nats::jetstream::consumer::pull::Config {
            ack_policy: async_nats::jetstream::consumer::AckPolicy::None,
            ..Default::default()
        })
        .await
        .unwrap();
    let messages = consumer.fetch().max_messages(waiting.max(1)).messages().await.unwrap();
    let letters = messages
        .map(|message| {
            let message = message.unwrap();
            let header = |name| message.headers.as_ref().unwrap().get(name).unwrap().to_string();
            let users = wire::decode(&message.payload)
                .map(|decoded| decoded.batch.events.iter().map(|event| event.user_id.to_string()).collect())
                .unwrap_or_default();
            (header(subjects::REASON_HEADER), header(subjects::DETAIL_HEADER), users)
        })
        .collect::<Vec<_>>();
    letters.await
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
    assert_eq!(letters[0].0, "unreadable");
}

#[tokio::test(flavor = "multi_thread")]
async fn events_of_a_project_that_does_not_exist_are_kept_aside_with_the_reason() {
    let bench = Bench::new().await;
    let nowhere = ProjectId::new();
    let batch = EventBatch { project_id: nowhere, received_at: chrono::Utc::now(), events: fortnight(3) };
    bench.publish_raw(nowhere, wire::encode(&batch, 1 << 20).remove(0).payload).await;
    bench.publish_raw(bench.shop, wire::encode(&batch, 1 << 20).remove(0).payload).await;
    bench.publish(&fortnight(5)).await;
    let worker = Hired::with(bench.config()).await;
    bench.until_the_log_is_empty().await;
    worker.dismiss().await;
    assert_eq!(bench.stored().await, 5);
    let mut details: Vec<String> = dead_letters(&bench).await.into_iter().map(|letter| letter.1).collect();
    details.sort();
    assert_eq!(
        details,
        [format!("project {nowhere} does not exist"), "the subject names another project".to_owned()]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn three_events_that_the_database_refuses_do_not_keep_the_other_997_out() {
    let bench = Bench::new().await;
    let client = bench.database.client().await;
    client
        .batch_execute("ALTER TABLE events ADD CONSTRAINT no_mallory CHECK (user_id <> 'mallory')")
        .await
        .unwrap();
    let mut events = fortnight(1_000);
    for place in [0, 500, 999] {
        events[place].user_id = millrace_domain::text::UserId::parse("mallory").unwrap();
    }
    bench.publish(&events).await;
    let worker = Hired::with(bench.config()).await;
    bench.until_the_log_is_empty().await;
    worker.dismiss().await;
    assert_eq!(bench.stored().await, 997);
    let letters = dead_letters(&bench).await;
    assert_eq!(letters.len(), 3);
    assert!(
        letters.iter().all(|(reason, _, users)| reason == "refused" && users == &["mallory"]),
        "{letters:?}"
    );
    bench.assert_the_books_balance().await;
}
