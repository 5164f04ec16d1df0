use std::time::Duration;

use chrono::{DateTime, Utc};
use millrace_domain::ids::{ProjectId, UserNo};
use millrace_domain::text::EventType;
use millrace_storage::append::{Appender, NewEvent};
use millrace_storage::database::{Connection, Database, PoolSettings};
use millrace_storage::postings::building::build;
use millrace_storage::postings::due::look;
use millrace_storage::postings::editions;
use millrace_storage::postings::stored::{Day, load};
use millrace_storage::{projects, retention};
use millrace_testkit::database::TestDatabase;
use millrace_testkit::story::{did, project};
use millrace_testkit::wait;

struct Shop {
    database: TestDatabase,
    pool: Database,
    id: ProjectId,
}

impl Shop {
    async fn open() -> Self {
        let database = TestDatabase::create().await;
        let id = project(&database.url(), "UTC").await;
        let pool = Database::new(&database.url(), PoolSettings::named("test")).unwrap();
        Self { database, pool, id }
    }

    async fn connection(&self) -> Connection {
        self.pool.connection().await.unwrap()
    }

    async fn visit(&self, user: &str, time: &str) {
        let event = did(user, "visit", time).event();
        let row = NewEvent { project_id: self.id, stream_seq: 1, received_at: Utc::now(), event: &event };
        Appender::new(self.database.url(), Duration::from_secs(10)).append(&[row]).await.unwrap();
    }

    /// What is stored of a day as it is now.
    async fn stored(&self, start: DateTime<Utc>) -> Vec<(UserNo, i64)> {
        let mut conn = self.connection().await;
        let shop = projects::find(&mut conn, self.id).await.unwrap().unwrap();
        let bounds = [start, start + chrono::TimeDelta::days(1)];
        let edition = editions(&mut conn, &shop, &[&visits()], &bounds).await.unwrap()[0][0];
        let day = Day { event_type: visits(), start, edition };
        let mut events = Vec::new();
        for part in load(&mut conn, self.id, &[day]).await.unwrap().concat() {
            part.each(|user, at| events.push((user, at)));
        }
        events
    }

    /// The days that are found to be due, from a walk of several looks.
    async fn due(&self) -> Vec<String> {
        let (mut days, mut place) = (Vec::new(), None);
        loop {
            let due = look(&mut *self.connection().await, place, 2).await.unwrap();
            days.extend(due.days.into_iter().map(|(day, _)| day.start.date_naive().to_string()));
            place = due.place;
            if place.is_none() {
                return days;
            }
        }
    }
}

fn visits() -> EventType {
    EventType::parse("visit").unwrap()
}

fn at(time: &str) -> DateTime<Utc> {
    time.parse().unwrap()
}

#[tokio::test]
async fn what_is_stored_of_a_day_is_used_as_long_as_its_events_are_the_same() {
    let shop = Shop::open().await;
    let day = at("2026-11-01T00:00:00Z");
    for (user, time) in [
        ("bob", "2026-11-01T23:59:59.999999Z"),
        ("ada", "2026-11-01T12:00:00Z"),
        ("bob", "2026-11-01T00:00:00Z"),
        ("ada", "2026-11-02T00:00:00Z"),
        ("ada", "2026-11-20T18:00:00Z"),
    ] {
        shop.visit(user, time).await;
    }
    assert_eq!(shop.due().await, ["2026-11-01", "2026-11-02", "2026-11-20"]);
    assert!(shop.stored(day).await.is_empty());

    assert!(build(&mut *shop.connection().await, shop.id, &visits(), day).await.unwrap());
    let times: Vec<i64> = shop.stored(day).await.into_iter().map(|(_, at)| at).collect();
    let expected = ["2026-11-01T00:00:00Z", "2026-11-01T23:59:59.999999Z", "2026-11-01T12:00:00Z"];
    assert_eq!(times, expected.map(|time| at(time).timestamp_micros()));
    assert_eq!(shop.due().await, ["2026-11-02", "2026-11-20"]);

    shop.visit("cy", "2026-11-01T06:00:00Z").await;
    assert!(shop.stored(day).await.is_empty(), "what is stored is old");
    assert_eq!(shop.due().await, ["2026-11-01", "2026-11-02", "2026-11-20"]);
    assert!(build(&mut *shop.connection().await, shop.id, &visits(), day).await.unwrap());
    assert_eq!(shop.stored(day).await.len(), 4);
}

#[tokio::test]
async fn what_was_read_before_somebody_took_events_away_is_not_stored_after() {
    let shop = Shop::open().await;
    let day = at("2026-11-01T00:00:00Z");
    shop.visit("ada", "2026-11-01T12:00:00Z").await;
    let mut eraser = shop.database.client().await;
    let taking_away = eraser.transaction().await.unwrap();
    let stop = "SELECT pg_advisory_xact_lock(hashtextextended('postings' || ($1::uuid)::text, 0))";
    taking_away.execute(stop, &[&shop.id.0]).await.unwrap();
    let mut conn = shop.connection().await;
    let building = tokio::spawn({
        let id = shop.id;
        async move { build(&mut conn, id, &visits(), day).await }
    });
    let watcher = shop.database.client().await;
    let waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted
                   AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
    wait::until("the day is read", async || {
        watcher.query_one(waiting, &[]).await.unwrap().get::<_, i64>(0) == 1
    })
    .await;
    taking_away.batch_execute("DELETE FROM events; UPDATE event_counts SET count = 0").await.unwrap();
    taking_away.commit().await.unwrap();
    assert!(!building.await.unwrap().unwrap());
    let rows = watcher.query_one("SELECT count(*) FROM postings", &[]).await.unwrap();
    assert_eq!(rows.get::<_, i64>(0), 0);
}

#[tokio::test]
async fn nothing_is_stored_of_days_whose_events_have_gone_for_their_age() {
    let shop = Shop::open().await;
    let (old, new) = (at("2026-10-01T00:00:00Z"), at("2026-11-01T00:00:00Z"));
    shop.visit("ada", "2026-10-01T12:00:00Z").await;
    shop.visit("ada", "2026-11-01T12:00:00Z").await;
    for day in [old, new] {
        assert!(build(&mut *shop.connection().await, shop.id, &visits(), day).await.unwrap());
    }
    retention::announce(&mut *shop.connection().await, shop.id, at("2026-10-01T18:00:00Z")).await.unwrap();
    assert!(shop.stored(old).await.is_empty());
    assert_eq!(shop.stored(new).await.len(), 1);
    assert_eq!(shop.due().await, [""; 0]);
    assert!(!build(&mut *shop.connection().await, shop.id, &visits(), old).await.unwrap());
    assert!(shop.stored(old).await.is_empty());
}
