//! How events are stored and counted.

use std::time::Duration;

use chrono::{TimeDelta, Utc};
use millrace_domain::event::Event;
use millrace_domain::ids::ProjectId;
use millrace_storage::append::{Appended, Appender, NewEvent};
use millrace_storage::error::StorageError;
use millrace_testkit::database::TestDatabase;
use millrace_testkit::proxy::ChaosProxy;
use millrace_testkit::recount::assert_roll_ups_equal_the_events;
use millrace_testkit::story::{did, project};
use millrace_testkit::wait;
use serde_json::json;

mod refused;

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
async fn repetitions_among_new_events_cost_the_new_ones_nothing() {
    let database = TestDatabase::create().await;
    let shop = project(&database.url(), "UTC").await;
    let mut appender = appender(&database);
    let events = fortnight(3_000);
    append(&mut appender, shop, &events[..10]).await.unwrap();
    // Each append begins with what the one before it ended with; then, for a long while, none does.
    for start in (0..300).step_by(30) {
        let appended = append(&mut appender, shop, &events[start..start + 40]).await.unwrap();
        assert_eq!((stored(&appended), appended.duplicates), (30, 10));
    }
    for batch in events[310..].chunks(100) {
        let appended = append(&mut appender, shop, batch).await.unwrap();
        assert_eq!((stored(&appended), appended.duplicates), (batch.len() as u64, 0));
    }
    let again = append(&mut appender, shop, &events).await.unwrap();
    assert_eq!((stored(&again), again.duplicates), (0, 3_000));
    assert_roll_ups_equal_the_events(&database, shop, "UTC").await;
}

#[tokio::test]
async fn an_event_is_stored_as_it_is_whichever_way_it_comes_in() {
    let database = TestDatabase::create().await;
    let shop = project(&database.url(), "UTC").await;
    let mut appender = appender(&database);
    let full = || {
        did("ada", "login", "2005-04-07T22:13:13.123456Z")
            .with("session_id", "s-1")
            .with("properties", json!({"é": [1.50, null, {"b": true}], "text": "\u{1F600}"}))
            .with("context", json!({"library": "web"}))
            .event()
    };
    let bare = || did("bob", "logout", "2026-11-01T12:00:00Z").event();
    // The first is copied. The second meets a repetition and goes the other way.
    let first = [full(), bare()];
    let second = [full(), bare(), first[0].clone()];
    append(&mut appender, shop, &first).await.unwrap();
    append(&mut appender, shop, &second).await.unwrap();

    let rows = database
        .client()
        .await
        .query(
            "SELECT occurred_at, user_id, event_type, session_id, properties::text, context::text, stream_seq, user_no
             FROM events WHERE project_id = $1 AND event_id = ANY($2) ORDER BY event_id",
            &[&shop.0, &first.iter().chain(&second[..2]).map(|event| event.event_id.0).collect::<Vec<_>>()],
        )
        .await
        .unwrap();
    assert_eq!(rows.len(), 4);
    for (row, number) in rows.iter().zip([0, 1, 0, 1]) {
        let event = &first[number];
        assert_eq!(row.get::<_, chrono::DateTime<Utc>>(0), event.occurred_at);
        assert_eq!(
            (row.get::<_, &str>(1), row.get::<_, &str>(2)),
            (event.user_id.as_str(), event.event_type.as_str())
        );
        assert_eq!(row.get::<_, Option<&str>>(3), event.session_id.as_ref().map(|id| id.as_str()));
        let json = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
        assert_eq!(json(row.get(4)), json(event.properties.as_str()));
        assert_eq!(
            row.get::<_, Option<&str>>(5).map(json),
            event.context.as_ref().map(|context| json(context.as_str()))
        );
        assert_eq!((row.get::<_, i64>(6), row.get::<_, i32>(7)), (7, i32::try_from(number).unwrap()));
    }
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
async fn a_turn_ends_with_its_append_or_its_connection() {
    let database = TestDatabase::create().await;
    let shop = project(&database.url(), "UTC").await;
    let (mut one, mut other) = (appender(&database).taking_turns(1), appender(&database).taking_turns(1));
    assert!(one.take_turn().await.unwrap() && one.take_turn().await.unwrap());
    assert!(!other.take_turn().await.unwrap());
    append(&mut one, shop, &fortnight(10)).await.unwrap();
    assert!(other.take_turn().await.unwrap());
    assert!(!one.take_turn().await.unwrap());
    drop(other);
    wait::until("the turn is free", async || appender(&database).taking_turns(1).take_turn().await.unwrap())
        .await;
    // Whoever has taken none takes one to append.
    append(&mut appender(&database).taking_turns(1), shop, &fortnight(10)).await.unwrap();
}
