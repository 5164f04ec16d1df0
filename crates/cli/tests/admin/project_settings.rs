//! How many events projects may send, how much they may be asked, and whose pages may send for them.

use millrace_storage::audit::{self, Filter};
use millrace_testkit::database::TestDatabase;
use millrace_testkit::nats::TestNats;

use crate::command::{admin, admin_with_broker, result, store};

#[tokio::test]
async fn a_project_is_limited_and_let_go_again() {
    let (database, nats) = tokio::join!(TestDatabase::create(), TestNats::isolated());
    let created = admin(&database, &["create-project", "Shop"]);
    let project = result(&created);
    let limits = || admin_with_broker(&database, nats.url(), &["list-event-limits"]);
    let limit = |limit| admin_with_broker(&database, nats.url(), &["limit-events", project, limit]);
    assert_eq!(limits().stdout, "");
    for rate in ["1000/s burst 1000", "50/s burst 20000"] {
        assert_eq!(limit(rate).code, Some(0));
        assert_eq!(result(&limits()), format!("{project}  {rate}"));
    }
    assert_eq!(limit("off").code, Some(0));
    assert_eq!(limits().stdout, "");

    for (command, listing, value) in [
        ("limit-api", "list-api-limits", "5/s burst 9"),
        ("allow-origins", "list-origins", "https://shop.example,http://localhost:5173"),
    ] {
        assert_eq!(admin_with_broker(&database, nats.url(), &[command, project, value]).code, Some(0));
        let listed = admin_with_broker(&database, nats.url(), &[listing]);
        assert_eq!(result(&listed), format!("{project}  {value}"));
    }
    assert_eq!(admin_with_broker(&database, nats.url(), &["allow-origins", project, "*"]).code, Some(0));
    assert_eq!(admin_with_broker(&database, nats.url(), &["list-origins"]).stdout, "");

    let recorded = audit::page(&mut *store(&database).await, &Filter::default(), None, 100).await.unwrap();
    let changes = recorded.iter().rev().filter(|entry| entry.action.as_str() == "project.settings_changed");
    let details: Vec<&str> = changes.map(|entry| entry.details.as_str()).collect();
    assert_eq!(
        details,
        [
            r#"{"event_limit":"1000/s burst 1000"}"#,
            r#"{"event_limit":"50/s burst 20000"}"#,
            r#"{"event_limit":"off"}"#,
            r#"{"api_limit":"5/s burst 9"}"#,
            r#"{"event_origins":"https://shop.example,http://localhost:5173"}"#,
            r#"{"event_origins":"*"}"#,
        ]
    );
}

#[tokio::test]
async fn a_limit_that_cannot_be_is_refused() {
    let (database, nats) = tokio::join!(TestDatabase::create(), TestNats::isolated());
    let nobody = "00000000-0000-7000-8000-000000000000";
    for (limit, said) in [("1000/s", "there is no project"), ("1000", "must be a rate")] {
        let refused = admin_with_broker(&database, nats.url(), &["limit-events", nobody, limit]);
        assert!(refused.code == Some(2) && refused.stderr.contains(said), "{refused:?}");
    }
}
