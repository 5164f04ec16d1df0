//! Jobs, as an operator starts and stops them.

use millrace_testkit::database::TestDatabase;

use crate::command::{admin, result};

#[tokio::test]
async fn an_operator_starts_stops_and_resumes_jobs() {
    let database = TestDatabase::create().await;
    let created = admin(&database, &["create-project", "Shop"]);
    let project = result(&created);
    let started = admin(&database, &["rebuild", project]);
    let rebuild = result(&started);
    let started = admin(
        &database,
        &["jobs", "start", "export", "--project", project, "--parameters", r#"{"format": "csv"}"#],
    );
    let export = result(&started);
    let started = admin(&database, &["jobs", "start", "statistics"]);
    let statistics = result(&started);

    let cancelled = admin(&database, &["jobs", "cancel", export]);
    assert_eq!(result(&cancelled), format!("{export} is cancelled"));
    let listed = admin(&database, &["jobs", "list"]).stdout;
    let lines: Vec<&str> = listed.lines().collect();
    assert_eq!(
        lines,
        [
            format!("{statistics}  statistics  pending  0  -"),
            format!("{export}  export  cancelled  0  {project}"),
            format!("{rebuild}  rebuild  pending  0  {project}"),
        ]
    );
    assert_eq!(admin(&database, &["jobs", "resume", export]).code, Some(0));
    let waiting = admin(&database, &["jobs", "list", "--status", "pending", "--kind", "export"]).stdout;
    assert_eq!(waiting.lines().count(), 1);

    for (arguments, said) in [
        (vec!["jobs", "start", "export"], "needs a --project"),
        (vec!["jobs", "start", "statistics", "--project", project], "about the installation"),
        (vec!["jobs", "start", "export", "--project", project], "format"),
        (vec!["jobs", "resume", export], "there is no job"),
        (vec!["jobs", "start", "dance"], "no kind of job"),
    ] {
        let refused = admin(&database, &arguments);
        assert!(refused.code == Some(2) && refused.stderr.contains(said), "{refused:?}");
    }
}
