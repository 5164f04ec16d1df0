//! What the properties of event types must look like: who says so, and what is taken.

use millrace_domain::access::Role;
use reqwest::Method;
use serde_json::{Value, json};

use crate::stage::{Stage, answer};

fn order() -> Value {
    json!({"type": "object", "properties": {"value": {"type": "number"}}, "required": ["value"]})
}

#[actix_web::test]
async fn a_schema_is_set_shown_replaced_and_ended_and_the_log_tells() {
    let stage = Stage::set().await;
    let ada = stage.person("ada").await;
    let project = stage.project_of(&ada, Role::Admin).await;
    let path = "/api/v1/schema/order%20completed";
    let ask = |method: Method| stage.to(method, path).bearer_auth(&ada.access);
    assert_eq!(answer(ask(Method::GET)).await.0, 404);

    let (status, set) = answer(ask(Method::PUT).json(&order())).await;
    assert_eq!((status, &set["event_type"], &set["schema"]), (200, &json!("order completed"), &order()));
    assert_eq!(answer(ask(Method::GET)).await, (200, set.clone()));
    let (status, replaced) = answer(ask(Method::PUT).json(&json!({"minProperties": 1}))).await;
    assert_eq!((status, &replaced["schema"]), (200, &json!({"minProperties": 1})));
    assert!(replaced["changed_at"].as_str() > set["changed_at"].as_str());

    assert_eq!(answer(ask(Method::DELETE)).await.0, 204);
    assert_eq!(answer(ask(Method::DELETE)).await.0, 404);
    answer(ask(Method::PUT).json(&order())).await;
    assert_eq!(answer(ask(Method::PUT).json(&Value::Null)).await.0, 204);
    assert_eq!(answer(ask(Method::GET)).await.0, 404);

    let root = stage.system_admin("root").await;
    let log = format!("/api/v1/audit?action=event_schema.&project_id={project}");
    let told = millrace_testkit::wait::until_some("the log tells", async || {
        let (_, log) = answer(stage.to(Method::GET, &log).bearer_auth(&root.access)).await;
        Some(log).filter(|log| log["data"].as_array().is_some_and(|entries| entries.len() == 5))
    })
    .await;
    assert_eq!(told["data"][0]["action"], "event_schema.ended");
    assert_eq!(told["data"][0]["details"]["event_type"], "order completed");
}

#[actix_web::test]
async fn what_cannot_be_used_is_refused_with_the_reason() {
    let stage = Stage::set().await;
    let ada = stage.person("ada").await;
    stage.project_of(&ada, Role::Owner).await;
    let put = |event_type: &str, schema: &Value| {
        stage.to(Method::PUT, &format!("/api/v1/schema/{event_type}")).bearer_auth(&ada.access).json(schema)
    };
    for (schema, reason) in [
        (json!({"$ref": "https://example.com/order.json"}), "nothing is fetched"),
        (json!({"type": "text"}), "text"),
        (json!([]), "object"),
        (json!({"description": "x".repeat(33_000)}), "bytes"),
    ] {
        let (status, said) = answer(put("order", &schema)).await;
        let message = said["errors"][0]["message"].as_str().unwrap();
        assert_eq!((status, &said["errors"][0]["field"]), (422, &json!("schema")), "{said}");
        assert!(message.contains(reason), "{message}");
    }
    let (status, said) = answer(put(&"x".repeat(101), &order())).await;
    assert_eq!((status, &said["errors"][0]["field"]), (422, &json!("event_type")));
}
