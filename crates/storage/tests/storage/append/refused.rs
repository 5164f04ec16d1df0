//! What the database refuses, and what it costs the others.

use chrono::Utc;
use millrace_domain::event::Event;
use millrace_domain::ids::ProjectId;
use millrace_domain::text::UserId;
use millrace_storage::append::Appender;
use millrace_storage::error::StorageError;
use millrace_testkit::database::TestDatabase;
use millrace_testkit::recount::assert_roll_ups_equal_the_events;
use millrace_testkit::story::{did, project};

use super::{append, appender, fortnight, stored};

/// A database that does not hold events of mallory, and counts the statements and the rows that it is sent for
/// `events`, also those that it refuses: a sequence counts on when others roll back.
async fn strict_and_counting(database: &TestDatabase) {
    let laws = "
        ALTER TABLE events ADD CONSTRAINT no_mallory CHECK (user_id <> 'mallory');
        CREATE SEQUENCE statements;
        CREATE SEQUENCE rows;
        CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            PERFORM nextval(TG_ARGV[0]::regclass);
            RETURN NEW;
        END $$;
        CREATE TRIGGER statements BEFORE INSERT ON events FOR EACH STATEMENT EXECUTE FUNCTION note('statements');
        CREATE TRIGGER rows BEFORE INSERT ON events FOR EACH ROW EXECUTE FUNCTION note('rows');";
    database.client().await.batch_execute(laws).await.unwrap();
}

async fn noted(database: &TestDatabase, sequence: &str) -> i64 {
    let last = format!("SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM {sequence}");
    database.client().await.query_one(&last, &[]).await.unwrap().get(0)
}

/// Three of 10,000 events are refused, one of them late in the order of their times.
async fn three_are_refused(database: &TestDatabase, shop: ProjectId, appender: &mut Appender) {
    let mut events = fortnight(10_000);
    let latest =
        (0..10_000).max_by_key(|place| (events[*place].occurred_at, events[*place].event_id)).unwrap();
    for place in [17, 5_000, latest] {
        events[place].user_id = UserId::parse("mallory").unwrap();
    }
    let (statements, rows) = (noted(database, "statements").await, noted(database, "rows").await);
    let appended = append(appender, shop, &events).await.unwrap();
    let mut places: Vec<usize> = appended.refused.iter().map(|refusal| refusal.place).collect();
    places.sort_unstable();
    let mut refused = [17, 5_000, latest];
    refused.sort_unstable();
    assert_eq!(places, refused);
    assert!(appended.refused.iter().all(|refusal| refusal.words.contains("no_mallory")));
    assert_eq!((stored(&appended), appended.duplicates), (9_997, 0));
    // Five pieces; for each refusal what is before it, itself, and what is behind it in two pieces.
    let statements = noted(database, "statements").await - statements;
    assert!(statements <= 5 + 3 * 4, "{statements} statements");
    // In vain: a piece for each refusal.
    let rows = noted(database, "rows").await - rows;
    assert!(rows <= 10_000 + 3 * 2_048, "{rows} rows");
    assert_roll_ups_equal_the_events(database, shop, "UTC").await;
}

#[tokio::test]
async fn refused_events_are_named_and_cost_a_piece_each() {
    let database = TestDatabase::create().await;
    let shop = project(&database.url(), "UTC").await;
    strict_and_counting(&database).await;
    three_are_refused(&database, shop, &mut appender(&database)).await;
}

#[tokio::test]
async fn refused_events_cost_no_more_where_repetitions_are_expected() {
    let database = TestDatabase::create().await;
    let shop = project(&database.url(), "UTC").await;
    strict_and_counting(&database).await;
    let mut appender = appender(&database);
    let twice = fortnight(10);
    append(&mut appender, shop, &twice).await.unwrap();
    assert_eq!(append(&mut appender, shop, &twice).await.unwrap().duplicates, 10);
    three_are_refused(&database, shop, &mut appender).await;
}

#[tokio::test]
async fn repetitions_and_refused_events_may_be_anywhere_in_an_append() {
    let database = TestDatabase::create().await;
    let shop = project(&database.url(), "UTC").await;
    strict_and_counting(&database).await;
    let mut events = fortnight(9_000);
    // Long after the others, so that the first pieces are copied before a repetition is met.
    let late: Vec<Event> =
        (0..50).map(|n| did("ada", "login", &format!("2026-11-20T12:{n:02}:00Z")).event()).collect();
    let mut appender = appender(&database);
    append(&mut appender, shop, &late).await.unwrap();
    events.extend(late);
    let many = (0..9_000).step_by(400);
    for place in many.clone() {
        events[place].user_id = UserId::parse("mallory").unwrap();
    }
    let refused = many.count();
    for wary in [false, true] {
        let appended = append(&mut appender, shop, &events).await.unwrap();
        assert_eq!(appended.refused.len(), refused);
        let (new, duplicates) = if wary { (0, 9_050 - refused) } else { (9_000 - refused, 50) };
        assert_eq!((stored(&appended), appended.duplicates), (new as u64, duplicates as u64));
    }
    assert_roll_ups_equal_the_events(&database, shop, "UTC").await;
}

#[tokio::test]
async fn events_that_are_all_refused_store_nothing() {
    let database = TestDatabase::create().await;
    let shop = project(&database.url(), "UTC").await;
    strict_and_counting(&database).await;
    let mut events = fortnight(40);
    events.iter_mut().for_each(|event| event.user_id = UserId::parse("mallory").unwrap());
    let appended = append(&mut appender(&database), shop, &events).await.unwrap();
    assert_eq!((appended.refused.len(), stored(&appended), appended.duplicates), (40, 0, 0));
    let count = database.client().await.query_one("SELECT count(*) FROM events", &[]).await.unwrap();
    assert_eq!(count.get::<_, i64>(0), 0);
}

#[tokio::test]
async fn what_is_refused_without_saying_which_event_is_meant_stores_nothing() {
    let database = TestDatabase::create().await;
    let shop = project(&database.url(), "UTC").await;
    let law = "ALTER TABLE event_counts ADD CONSTRAINT few CHECK (count < 3)";
    database.client().await.batch_execute(law).await.unwrap();
    let mut events = fortnight(10);
    events.iter_mut().for_each(|event| event.occurred_at = Utc::now());
    let error = append(&mut appender(&database), shop, &events).await;
    let events = database.client().await.query_one("SELECT count(*) FROM events", &[]).await.unwrap();
    assert_eq!(events.get::<_, i64>(0), 0);
    assert!(matches!(error, Err(StorageError::Refused(_))), "{error:?}");
}
