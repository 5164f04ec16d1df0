use millrace_domain::access::Scope;
use millrace_testkit::wait;
use serde_json::{Value, json};

use crate::chronicle::{did, tell};
use crate::stage::{Project, Stage, problem};

const PATH: &str = "/api/v1/stats/dau?from=2026-11-01&to=2026-11-01";

async fn health(stage: &Stage) -> Value {
    stage.anonymous("/health").send().await.unwrap().json().await.unwrap()
}

async fn is_ready(stage: &Stage) -> bool {
    stage.anonymous("/health/ready").send().await.unwrap().status() == 200
}

async fn status(stage: &Stage, project: &Project) -> u16 {
    stage.request(PATH, &project.key).send().await.unwrap().status().as_u16()
}

#[actix_web::test]
async fn with_the_database_away_a_question_is_to_be_asked_again() {
    let stage = Stage::with_wires().await;
    let project = stage.project("UTC").await;
    stage.database_wire.cut();
    let response = stage.request(PATH, &project.key).send().await.unwrap();
    assert_eq!(response.status(), 503);
    assert!(response.headers().contains_key("retry-after"));
    let refused: Value = response.json().await.unwrap();
    assert_eq!(refused["code"], "unavailable");
    assert!(!is_ready(&stage).await);
    let health = health(&stage).await;
    assert_eq!(
        (&health["status"], &health["dependencies"][0]["name"]),
        (&json!("unavailable"), &json!("postgres"))
    );

    stage.database_wire.mend();
    wait::until("it answers again", async || status(&stage, &project).await == 200).await;
    assert!(is_ready(&stage).await);
}

#[actix_web::test]
async fn with_nats_away_known_keys_go_on_working() {
    let stage = Stage::with_wires().await;
    let project = stage.project("UTC").await;
    let stranger = stage.key(project.id, &[Scope::Read]).await;
    stage.nats_wire.cut();
    wait::until("the service has noticed", async || health(&stage).await["status"] == "degraded").await;
    assert_eq!(status(&stage, &project).await, 200);
    assert!(is_ready(&stage).await);
    assert_eq!(problem(stage.request(PATH, &stranger)).await.0, 503);

    stage.nats_wire.mend();
    wait::until("unknown keys work again", async || {
        stage.request(PATH, &stranger).send().await.unwrap().status() == 200
    })
    .await;
}

#[actix_web::test]
async fn a_question_that_takes_too_long_is_ended_and_the_next_one_answered() {
    let stage = Stage::with_wires().await;
    let project = stage.project("UTC").await;
    let mut keeper = stage.database.client().await;
    let locked = keeper.transaction().await.unwrap();
    locked.execute("LOCK TABLE activity IN ACCESS EXCLUSIVE MODE", &[]).await.unwrap();
    assert_eq!(status(&stage, &project).await, 503);
    locked.rollback().await.unwrap();
    assert_eq!(status(&stage, &project).await, 200);
}

#[actix_web::test]
async fn a_question_leaves_no_transaction_open_whatever_becomes_of_it() {
    let stage = Stage::with_wires().await;
    let project = stage.project("UTC").await;
    tell(&mut stage.teller(), &project, &[did("ada", "visit", "2026-11-01T12:00:00Z")]).await;
    let spoilt = "INSERT INTO activity (project_id, event_type, day, users) VALUES ($1, '', '2026-10-01', 'no bitmap')";
    let client = stage.database.client().await;
    client.execute(spoilt, &[&project.id.0]).await.unwrap();

    for (question, expected) in [
        ("dau?from=2026-11-01&to=2026-11-01", 200),
        ("retention?from=2017-01-01&to=2026-11-30&periods=366", 422),
        ("dau?from=2026-10-01&to=2026-10-01", 500),
    ] {
        let path = format!("/api/v1/stats/{question}");
        let status = stage.request(&path, &project.key).send().await.unwrap().status();
        assert_eq!(status, expected, "{question}");
        let open = "SELECT count(*) FROM pg_stat_activity
                    WHERE datname = current_database() AND application_name = 'millrace-analytics'
                      AND state LIKE 'idle in transaction%'";
        let open: i64 = client.query_one(open, &[]).await.unwrap().get(0);
        assert_eq!(open, 0, "{question}");
    }
}
