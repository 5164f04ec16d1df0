use chrono::Utc;
use millrace_domain::workspace::layout::{Place, Tile};
use millrace_domain::workspace::sharing::Visibility;
use millrace_storage::alerts::{self, Content};
use millrace_storage::dashboards::{self, Change, NewDashboard};
use millrace_storage::error::StorageError;
use millrace_storage::insights;
use millrace_testkit::database::TestDatabase;

use crate::alerts::{alert, connect};

/// Whether it is done, or there was nothing left to do it to.
fn goes_on<T: std::fmt::Debug>(done: &Result<T, StorageError>) {
    assert!(matches!(done, Ok(_) | Err(StorageError::Missing(_))), "{done:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_deletes_an_insight_waits_for_nobody_who_waits_for_them() {
    let database = TestDatabase::create().await;
    let mut conn = connect(&database).await;
    let (mut deleting, mut adding) = (connect(&database).await, connect(&database).await);
    let (mut moving, mut removing, mut changing) =
        (connect(&database).await, connect(&database).await, connect(&database).await);
    let first = alert(&database, &mut conn).await;
    let (project, ada) = (first.project_id, first.kept.owner.unwrap());
    for _ in 0..20 {
        let content = insights::Content {
            title: Some("Orders"),
            body: Some(""),
            visibility: Some("project"),
            tags: Some(Vec::new()),
            query: None,
        };
        let insight = insights::create(&mut conn, project, ada, content, Utc::now()).await.unwrap();
        let place = Place { x: 0, y: 0, width: 1, height: 1 };
        let layout = [Tile { insight: insight.id, place }];
        let new = NewDashboard { name: "Growth", visibility: Visibility::Project, layout: &layout };
        let one = dashboards::create(&mut conn, project, ada, new, Utc::now()).await.unwrap().id;
        let new = NewDashboard { layout: &[], ..new };
        let other = dashboards::create(&mut conn, project, ada, new, Utc::now()).await.unwrap().id;
        let watched = Content {
            name: Some("Orders"),
            visibility: Some("project"),
            condition: Some(serde_json::json!({"kind": "no_data"})),
            times: Some(1),
            every_seconds: Some(60),
            enabled: Some(true),
            by_mail: Some(false),
            ..Content::default()
        };
        let id = millrace_domain::ids::AlertId::new();
        let about = (project, insight.id);
        alerts::create(&mut conn, id, about, ada, watched.clone(), None, Utc::now()).await.unwrap();
        let (gone, added, moved, removed, changed) = tokio::join!(
            insights::delete(&mut deleting, project, insight.id, 1, Utc::now()),
            dashboards::add(&mut adding, other, insight.id, Utc::now()),
            dashboards::change(&mut moving, project, one, 1, Change::default(), Some(&layout), Utc::now()),
            dashboards::remove(&mut removing, one, insight.id, Utc::now()),
            alerts::change(&mut changing, project, id, 1, watched, None, Utc::now()),
        );
        let gone = gone.unwrap().unwrap();
        assert_eq!(gone.alerts.len(), 1);
        goes_on(&added);
        goes_on(&moved);
        goes_on(&removed);
        goes_on(&changed);
        // Each dashboard that lost it is another version than the one that had it.
        for dashboard in gone.dashboards {
            let now = dashboards::find(&mut conn, project, dashboard.id).await.unwrap().unwrap();
            assert!(now.version >= dashboard.version && dashboard.version > 1);
        }
    }
}
