use std::time::Duration;

use chrono::{TimeDelta, Utc};
use millrace_domain::event::Event;
use millrace_domain::ids::ProjectId;
use millrace_domain::text::UserId;
use millrace_storage::append::{Appended, Appender, NewEvent};
use millrace_storage::error::StorageError;
use millrace_testkit::database::TestDatabase;
use millrace_testkit::proxy::ChaosProxy;
use millrace_testkit::recount::assert_roll_ups_equal_the_events;
use millrace_testkit::story::{did, project};

fn appender(database: &TestDatabase) -> Appender {
    Appender::new(database.url(), Duration::from_secs(10))
}

async fn append(
    appender: &mut Appender,
    project_id: ProjectId,
    events: &[Event],
) -> Result<Appended, StorageError> {
    let received_at = Utc::now();
    let rows: Vec<NewEvent<'_>> =
        events.iter().map(|event| NewEvent { project_id, stream_seq: 7, received_at, event }).collect();
    appender.append(&rows).await
}

fn stored(appended: &Appended) -> u64 {
    appended.by_message.values().sum()
}

/// A busy fortnight: events of several users and types, out of order.
fn fortnight(events: i64) -> Vec<Event> {
    let types = ["page_view", "login", "order_completed"];
    (0..events)
        .map(|n| {
            let user = format!("user-{}", n * 7 % 23);
            let mut event =
                did(&user, types[usize::try_from(n % 3).unwrap()], "2026-10-20T00:00:00Z").event();
            event.occurred_at += TimeDelta::seconds(n * 7919 % (14 * 86_400));
            event
        })
        .collect()
}

#[tokio::test]
async fn events_that_come_twice_are_stored_and_counted_once() {
    let database = TestDatabase::create().await;
    let shop = project(&database.url(), "Asia/Kolkata").await;
    let mut appender = appender(&database);
    let events = fortnight(500);

    let first = append(&mut appender, shop, &events).await.unwrap();
    assert_eq!((stored(&first), first.duplicates), (500, 0));
    let again = append(&mut appender, shop, &events).await.unwrap();
    assert_eq!((stored(&again), again.duplicates), (0, 500));

    assert_roll_ups_equal_the_events(&database, shop, "Asia/Kolkata").await;
}

#[tokio::test]
async fn an_event_that_stands_twice_in_one_append_is_stored_once() {
    let database = TestDatabase::create().await;
    let shop = project(&database.url(), "UTC").await;
    let mut events = fortnight(20);
    events.extend(events.clone());
    let appended = append(&mut appender(&database), shop, &events).await.unwrap();
    assert_eq!((stored(&appended), appended.duplicates), (20, 20));
    assert_roll_ups_equal_the_events(&database, shop, "UTC").await;
}

#[tokio::test]
async fn workers_that_store_the_same_events_at_once_do_not_count_them_twice() {
    let database = TestDatabase::create().await;
    let shop = project(&database.url(), "UTC").await;
    let events = fortnight(2_000);
    let workers = (0..4).map(|worker| {
        let (mut appender, mut events) = (appender(&database), events.clone());
        if worker % 2 == 1 {
            events.reverse();
        }
        tokio::spawn(async move {
            let mut sum = Appended::default();
            for batch in events.chunks(100 + worker * 37) {
                sum.add(append(&mut appender, shop, batch).await.unwrap());
            }
            stored(&sum)
        })
    });
    let mut total = 0;
    for worker in workers.collect::<Vec<_>>() {
        total += worker.await.unwrap();
    }
    assert_eq!(total, 2_000);
    assert_roll_ups_equal_the_events(&database, shop, "UTC").await;
}

#[tokio::test]
async fn users_are_numbered_densely_and_once() {
    let database = TestDatabase::create().await;
    let shop = project(&database.url(), "UTC").await;
    let tasks: Vec<_> = (0..4)
        .map(|_| {
            let (mut appender, events) = (appender(&database), fortnight(300));
            tokio::spawn(async move { append(&mut appender, shop, &events).await.unwrap() })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    let rows =
        database.client().await.query("SELECT user_no FROM users ORDER BY user_no", &[]).await.unwrap();
    let numbers: Vec<i32> = rows.iter().map(|row| row.get(0)).collect();
    assert_eq!(numbers, (0..23).collect::<Vec<i32>>());
}

#[tokio::test]
async fn seven_years_in_one_append_are_fine() {
    let database = TestDatabase::create().await;
    let shop = project(&database.url(), "America/New_York").await;
    let events: Vec<Event> = (0..2_500i64)
        .map(|day| {
            let mut event = did("ada", "commit", "2005-04-07T00:00:00Z").event();
            event.occurred_at += TimeDelta::days(day);
            event
        })
        .collect();
    assert_eq!(stored(&append(&mut appender(&database), shop, &events).await.unwrap()), 2_500);
    assert_roll_ups_equal_the_events(&database, shop, "America/New_York").await;
}

#[tokio::test]
async fn a_project_that_does_not_exist_is_named() {
    let database = TestDatabase::create().await;
    let nowhere = ProjectId::new();
    let error = append(&mut appender(&database), nowhere, &fortnight(3)).await.unwrap_err();
    assert!(matches!(error, StorageError::UnknownProject(project) if project == nowhere), "{error}");
}

#[tokio::test]
async fn a_cut_wire_is_transient_and_the_next_append_connects_again() {
    let database = TestDatabase::create().await;
    let shop = project(&database.url(), "UTC").await;
    let wire = ChaosProxy::before(&database.url()).await;
    let mut appender = Appender::new(wire.url(&database.url()), Duration::from_secs(10));
    let events = fortnight(50);
    append(&mut appender, shop, &events[..25]).await.unwrap();

    wire.cut();
    let error = append(&mut appender, shop, &events).await.unwrap_err();
    assert!(error.is_transient(), "{error}");

    wire.mend();
    let appended = append(&mut appender, shop, &events).await.unwrap();
    assert_eq!((stored(&appended), appended.duplicates), (25, 25));
    assert_roll_ups_equal_the_events(&database, shop, "UTC").await;
}

#[tokio::test]
async fn what_the_database_refuses_is_refused_for_good_and_stores_nothing() {
    let database = TestDatabase::create().await;
    let shop = project(&database.url(), "UTC").await;
    database
        .client()
        .await
        .batch_execute("ALTER TABLE events ADD CONSTRAINT no_mallory CHECK (user_id <> 'mallory')")
        .await
        .unwrap();
    let mut events = fortnight(10);
    events[4].user_id = UserId::parse("mallory").unwrap();
    let error = append(&mut appender(&database), shop, &events).await.unwrap_err();
    assert!(matches!(error, StorageError::Refused(_)), "{error}");
    let count = database.client().await.query_one("SELECT count(*) FROM events", &[]).await.unwrap();
    assert_eq!(count.get::<_, i64>(0), 0);
}
