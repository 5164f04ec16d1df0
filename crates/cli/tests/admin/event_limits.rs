//! How many events projects may send.

use millrace_testkit::database::TestDatabase;
use millrace_testkit::nats::TestNats;

use crate::command::{admin, admin_with_broker, result};

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
