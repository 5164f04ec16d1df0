use std::time::Duration;

use chrono::Utc;
use millrace_domain::ids::AlertId;
use millrace_domain::workspace::alert::{Reading, Standing};
use millrace_storage::accounts::{self, NewAccount};
use millrace_storage::alerts::deliveries::{self, Settled};
use millrace_storage::alerts::evaluation::{self, Outcome};
use millrace_storage::alerts::{self, Alert, Content, history};
use millrace_storage::database::{Connection, Database, PoolSettings};
use millrace_storage::insights;
use millrace_testkit::database::TestDatabase;
use millrace_testkit::story::project;
use serde_json::json;

const LONG: Duration = Duration::from_secs(60);

pub(crate) async fn connect(database: &TestDatabase) -> Connection {
    Database::new(&database.url(), PoolSettings::named("test")).unwrap().connection().await.unwrap()
}

pub(crate) async fn alert(database: &TestDatabase, conn: &mut Connection) -> Alert {
    let shop = project(&database.url(), "UTC").await;
    let new = NewAccount {
        email: "ada@example.com",
        password_hash: None,
        full_name: None,
        is_admin: false,
        email_verified: true,
    };
    let ada = accounts::create(conn, new).await.unwrap().id;
    let content = insights::Content {
        title: Some("Orders"),
        body: Some(""),
        visibility: Some("project"),
        tags: Some(Vec::new()),
        query: None,
    };
    let insight = insights::create(conn, shop, ada, content, Utc::now()).await.unwrap().id;
    let content = Content {
        name: Some("No orders"),
        visibility: Some("project"),
        condition: Some(json!({"kind": "no_data"})),
        times: Some(1),
        every_seconds: Some(3_600),
        enabled: Some(true),
        by_mail: Some(false),
        ..Content::default()
    };
    alerts::create(conn, AlertId::new(), (shop, insight), ada, content, None, Utc::now()).await.unwrap()
}

fn firing() -> Outcome {
    let reading = Ok(Reading { number: Some(0.0), previous: None });
    Outcome { standing: Standing { firing: true, against: 0 }, reading }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alert_is_looked_at_by_one_however_many_look() {
    let database = TestDatabase::create().await;
    let mut conn = connect(&database).await;
    let alert = alert(&database, &mut conn).await;
    let looks = (0..8).map(|_| async {
        let mut conn = connect(&database).await;
        evaluation::take(&mut conn, LONG).await.unwrap()
    });
    let taken: Vec<_> = futures_util::future::join_all(looks).await.into_iter().flatten().collect();
    assert_eq!(taken.len(), 1);
    assert!(evaluation::finish(&mut conn, &taken[0], &firing(), Utc::now()).await.unwrap());
    assert!(!evaluation::finish(&mut conn, &taken[0], &firing(), Utc::now()).await.unwrap(), "not twice");
    assert!(evaluation::take(&mut conn, LONG).await.unwrap().is_none(), "it is not due for an hour");
    let events = history::page(&mut conn, alert.id, None, 10).await.unwrap();
    assert_eq!((events.len(), events[0].deliveries.len()), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_was_overtaken_writes_nothing() {
    let database = TestDatabase::create().await;
    let mut conn = connect(&database).await;
    let alert = alert(&database, &mut conn).await;
    let slow = evaluation::take(&mut conn, Duration::ZERO).await.unwrap().unwrap();
    let quick = evaluation::take(&mut conn, LONG).await.unwrap().unwrap();
    assert!(!evaluation::finish(&mut conn, &slow, &firing(), Utc::now()).await.unwrap());
    let off = Content { enabled: Some(false), ..Content::default() };
    alerts::change(&mut conn, alert.project_id, alert.id, 1, off, None, Utc::now()).await.unwrap().unwrap();
    assert!(!evaluation::finish(&mut conn, &quick, &firing(), Utc::now()).await.unwrap(), "it was changed");
    assert!(evaluation::take(&mut conn, LONG).await.unwrap().is_none(), "it is switched off");
    assert!(history::page(&mut conn, alert.id, None, 10).await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_to_be_told_is_told_by_one_at_a_time_and_again_until_it_is_heard() {
    let database = TestDatabase::create().await;
    let mut conn = connect(&database).await;
    let alert = alert(&database, &mut conn).await;
    let taken = evaluation::take(&mut conn, LONG).await.unwrap().unwrap();
    evaluation::finish(&mut conn, &taken, &firing(), Utc::now()).await.unwrap();

    let lost = deliveries::take(&mut conn, Duration::ZERO).await.unwrap().unwrap();
    let held = deliveries::take(&mut conn, LONG).await.unwrap().unwrap();
    assert_eq!((lost.id, lost.attempts, held.attempts), (held.id, 1, 2));
    assert!(deliveries::take(&mut conn, LONG).await.unwrap().is_none());
    deliveries::settle(&mut conn, &lost, Settled::Dead("late")).await.unwrap();
    deliveries::settle(&mut conn, &held, Settled::Later(Duration::ZERO, "busy")).await.unwrap();
    let again = deliveries::take(&mut conn, LONG).await.unwrap().unwrap();
    deliveries::settle(&mut conn, &again, Settled::Delivered).await.unwrap();
    let events = history::page(&mut conn, alert.id, None, 10).await.unwrap();
    let delivery = &events[0].deliveries[0];
    assert_eq!((delivery.status.as_str(), delivery.attempts, &delivery.error), ("delivered", 3, &None));
}
