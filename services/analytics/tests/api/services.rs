use std::time::Duration;

use millrace_domain::ids::ProjectId;
use millrace_messaging::broker::Broker;
use millrace_messaging::queries::{QueryAnswer, QueryProblem, QueryQuestion, ask};
use serde_json::{Value, json};

use crate::chronicle::{did, tell};
use crate::stage::Stage;

#[actix_web::test]
async fn services_ask_over_the_broker_and_get_the_same_answers() {
    let stage = Stage::set().await;
    let project = stage.project("UTC").await;
    tell(&mut stage.teller(), &project, &[did("ada", "visit", "2026-11-01T12:00:00Z")]).await;
    let broker = Broker::connect(stage.nats.url(), "test", Duration::from_secs(5)).await.unwrap();
    let question = json!({"kind": "trends", "from": "2026-11-01", "to": "2026-11-01"});
    let ask = async |project_id: ProjectId, query: &Value| {
        let question = QueryQuestion { project_id, query: query.as_object().unwrap().clone() };
        ask(&broker, &question, Duration::from_secs(10)).await.unwrap()
    };
    let QueryAnswer::Answer(answer) = ask(project.id, &question).await else { panic!("there is an answer") };
    let answer: Value = serde_json::from_str(answer.get()).unwrap();
    assert_eq!(answer, stage.answer(&project, &question).await.body);
    assert_eq!(answer["data"][0]["total"], 1);

    let QueryAnswer::Problem(refused) = ask(project.id, &json!({"kind": "trend"})).await else {
        panic!("it is refused")
    };
    let QueryProblem { status, code, field, message } = refused;
    assert_eq!((status, code.as_str(), field.as_deref()), (422, "invalid", Some("kind")));
    assert!(message.contains("\"trend\""), "{message}");
    let QueryAnswer::Problem(refused) = ask(ProjectId::new(), &question).await else {
        panic!("it is refused")
    };
    assert_eq!(refused.status, 404);
}
