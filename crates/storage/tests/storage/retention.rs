use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use millrace_domain::event::Event;
use millrace_domain::ids::ProjectId;
use millrace_storage::append::{Appender, NewEvent};
use millrace_storage::database::{Database, PoolSettings};
use millrace_storage::retention::{Mark, delete_events};
use millrace_testkit::database::TestDatabase;
use millrace_testkit::story::{did, project};

async fn store(database: &TestDatabase, project_id: ProjectId, events: &[Event]) {
    let rows: Vec<NewEvent<'_>> = events
        .iter()
        .map(|event| NewEvent { project_id, stream_seq: 7, received_at: Utc::now(), event })
        .collect();
    Appender::new(database.url(), Duration::from_secs(10)).append(&rows).await.unwrap();
}

#[tokio::test]
async fn old_events_go_step_by_step_and_no_others() {
    let database = TestDatabase::create().await;
    let shop = project(&database.url(), "UTC").await;
    let other = project(&database.url(), "UTC").await;
    let cutoff: DateTime<Utc> = "2026-10-27T00:00:00Z".parse().unwrap();
    // Three weeks around it, and many at one instant: more than a step takes.
    let at = |n: i64| match n % 3 {
        0 => cutoff - TimeDelta::days(3),
        _ => cutoff + TimeDelta::hours(n % 500 - 250),
    };
    let events = || -> Vec<Event> {
        (0..600)
            .map(|n| {
                let event_type = ["login", "page_view"][usize::from(n % 2 == 0)];
                let mut event = did("ada", event_type, "2026-10-27T00:00:00Z").event();
                event.occurred_at = at(n);
                event
            })
            .collect()
    };
    store(&database, shop, &events()).await;
    store(&database, other, &events()).await;
    let old = (0..600).filter(|n| at(*n) < cutoff).count();

    let pool = Database::new(&database.url(), PoolSettings::named("test")).unwrap();
    let mut conn = pool.connection().await.unwrap();
    let (mut mark, mut steps) = (Mark::default(), Vec::new());
    while let Some(next) = delete_events(&mut conn, shop, cutoff, &mark, 50).await.unwrap() {
        steps.push(next.events());
        mark = next;
    }
    assert_eq!(steps.iter().sum::<u64>(), old as u64);
    assert!(
        steps.len() == old.div_ceil(50) && steps.iter().rev().skip(1).all(|step| *step == 50),
        "{steps:?}"
    );
    let left = "SELECT count(*) FILTER (WHERE project_id = $1), count(*) FILTER (WHERE project_id = $2),
                       min(occurred_at) FILTER (WHERE project_id = $1) >= $3 FROM events";
    let row = database.client().await.query_one(left, &[&shop.0, &other.0, &cutoff]).await.unwrap();
    let left: (i64, i64, bool) = (row.get(0), row.get(1), row.get(2));
    assert_eq!(left, (i64::try_from(600 - old).unwrap(), 600, true));
}
