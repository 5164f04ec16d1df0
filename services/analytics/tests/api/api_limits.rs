//! How many questions may be asked of a project.

use std::time::Duration;

use millrace_domain::access::Scope;
use millrace_messaging::broker::Broker;
use millrace_messaging::project_tables::API_LIMITS;
use millrace_testkit::wait;

use crate::stage::Stage;

const QUESTION: &str = "/api/v1/event-types";

#[actix_web::test]
async fn a_project_is_asked_as_many_questions_as_it_may_whoever_asks() {
    let stage = Stage::set().await;
    let (shop, other) = (stage.project("UTC").await, stage.project("UTC").await);
    let second_key = stage.key(shop.id, &[Scope::Read]).await;
    let ask = async |key| stage.request(QUESTION, key).send().await.unwrap();
    let broker = Broker::connect(stage.nats.url(), "test", Duration::from_secs(2)).await.unwrap();
    API_LIMITS.set(&broker, shop.id, Some(&"1/h burst 3".parse().unwrap())).await.unwrap();
    wait::until("there is no more room", async || ask(&shop.key).await.status() == 429).await;

    let refused = ask(&second_key).await;
    assert_eq!(refused.status(), 429, "another key opens the same project");
    assert_eq!(refused.headers()["ratelimit-policy"], r#""project";q=3;w=10800"#);
    assert!(refused.headers().contains_key("retry-after"));
    assert_eq!(ask(&other.key).await.status(), 200);

    API_LIMITS.set(&broker, shop.id, None).await.unwrap();
    wait::until("anything may be asked again", async || ask(&shop.key).await.status() == 200).await;
}
