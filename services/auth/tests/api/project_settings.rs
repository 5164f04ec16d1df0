//! What a project may send and be asked, and whose pages may send for it.

use millrace_domain::access::Role;
use millrace_messaging::project_tables::{API_LIMITS, EVENT_LIMITS, EVENT_ORIGINS};
use reqwest::Method;
use serde_json::{Value, json};

use crate::stage::{Person, Stage, answer};

async fn change(stage: &Stage, path: &str, person: &Person, what: Value) -> (u16, Value) {
    answer(stage.to(Method::PATCH, path).bearer_auth(&person.access).json(&what)).await
}

#[actix_web::test]
async fn a_change_holds_for_other_services_and_is_recorded() {
    let stage = Stage::set().await;
    let (owner, root) = (stage.person("owner").await, stage.system_admin("root").await);
    let project = stage.project_of(&owner, Role::Owner).await;
    let (_, granted) = stage.login(&owner.email, crate::stage::PASSWORD).await;
    let owner = Person { access: granted["access_token"].as_str().unwrap().to_owned(), ..owner };
    let path = format!("/api/v1/projects/{project}/settings");
    let at_first = json!({"event_limit": "off", "api_limit": "off", "event_origins": ["*"]});
    assert_eq!(stage.get(&path, &owner).await, (200, at_first));

    let origins = json!({"event_origins": ["https://shop.example/", "http://localhost:5173"]});
    let (status, settings) = change(&stage, &path, &owner, origins).await;
    assert_eq!(status, 200, "{settings}");
    assert_eq!(settings["event_origins"], json!(["https://shop.example", "http://localhost:5173"]));
    let limits = json!({"event_limit": "1000/s", "api_limit": "20/s burst 100"});
    let (status, problem) = change(&stage, &path, &owner, limits.clone()).await;
    assert_eq!((status, &problem["code"]), (403, &json!("forbidden")), "limits protect the installation");
    let (status, settings) = change(&stage, &path, &root, limits).await;
    let now = json!({
        "event_limit": "1000/s burst 1000", "api_limit": "20/s burst 100",
        "event_origins": ["https://shop.example", "http://localhost:5173"],
    });
    assert_eq!((status, &settings), (200, &now));

    let broker = stage.broker().await;
    assert_eq!(EVENT_LIMITS.get(&broker, project).await.unwrap().unwrap().burst(), 1000);
    assert_eq!(API_LIMITS.get(&broker, project).await.unwrap().unwrap().burst(), 100);
    assert!(EVENT_ORIGINS.get(&broker, project).await.unwrap().unwrap().allow("https://shop.example"));

    for (wrong, field) in [
        (json!({"event_limit": "1000"}), "event_limit"),
        (json!({"api_limit": "0/s"}), "api_limit"),
        (json!({"event_origins": ["shop.example"]}), "event_origins"),
    ] {
        let (status, problem) = change(&stage, &path, &root, wrong).await;
        assert_eq!((status, &problem["errors"][0]["field"]), (422, &json!(field)), "{problem}");
    }
    assert_eq!(stage.get(&path, &owner).await, (200, now), "what is refused changes nothing");

    millrace_testkit::wait::until("both changes are in the audit log", async || {
        let entries = stage.get("/api/v1/audit?action=project.settings_changed", &root).await.1;
        let details: Vec<Value> =
            entries["data"].as_array().unwrap().iter().map(|e| e["details"].clone()).collect();
        details
            == [
                json!({"event_limit": "1000/s burst 1000", "api_limit": "20/s burst 100"}),
                json!({"event_origins": "https://shop.example,http://localhost:5173"}),
            ]
    })
    .await;
}
