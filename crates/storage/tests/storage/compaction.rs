use std::time::Duration;

use chrono::Utc;
use millrace_storage::append::{Appender, NewEvent};
use millrace_storage::compaction::compact;
use millrace_storage::database::{Database, PoolSettings};
use millrace_testkit::database::TestDatabase;
use millrace_testkit::recount::assert_roll_ups_equal_the_events;
use millrace_testkit::story::{did, project};

#[tokio::test]
async fn merging_changes_how_sets_are_stored_and_not_what_they_say() {
    let database = TestDatabase::create().await;
    let shop = project(&database.url(), "UTC").await;
    let mut appender = Appender::new(database.url(), Duration::from_secs(10));
    for n in 0..30 {
        let event = did(&format!("user-{}", n % 7), ["a", "b"][n % 2], "2026-11-01T12:00:00Z").event();
        let row = NewEvent { project_id: shop, stream_seq: 1, received_at: Utc::now(), event: &event };
        appender.append(&[row]).await.unwrap();
    }
    let parts = async || {
        let row = database.client().await.query_one("SELECT count(*) FROM activity", &[]).await.unwrap();
        row.get::<_, i64>(0)
    };
    assert_eq!(parts().await, 60, "each event adds to its type's set and to that of any event");

    let pool = Database::new(&database.url(), PoolSettings::named("test")).unwrap();
    let (mut one, mut other) = (pool.connection().await.unwrap(), pool.connection().await.unwrap());
    let (first, second) = tokio::join!(compact(&mut one, 100), compact(&mut other, 100));
    assert!(first.unwrap() + second.unwrap() >= 3);
    assert_eq!(parts().await, 3);
    assert_eq!(compact(&mut one, 100).await.unwrap(), 0, "nothing is left to merge");
    assert_roll_ups_equal_the_events(&database, shop, "UTC").await;
}
