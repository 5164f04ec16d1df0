use millrace_domain::access::Role;
use millrace_domain::ids::ProjectId;
use millrace_domain::jobs::{Kind, Status};
use millrace_storage::jobs::{self, Filter};
use reqwest::Method;
use reqwest::header::LOCATION;
use serde_json::{Value, json};

use crate::stage::{Stage, answer};

fn names(list: &Value) -> Vec<&str> {
    list["data"].as_array().unwrap().iter().map(|project| project["name"].as_str().unwrap()).collect()
}

#[actix_web::test]
async fn whoever_creates_a_project_owns_it() {
    let stage = Stage::set().await;
    let ada = stage.person("ada").await;
    let body = json!({"name": "  Ada's shop ", "timezone": "Asia/Kolkata"});
    let request = stage.to(Method::POST, "/api/v1/projects").bearer_auth(&ada.access).json(&body);
    let response = request.send().await.unwrap();
    assert_eq!(response.status().as_u16(), 201);
    let location = response.headers()[LOCATION].to_str().unwrap().to_owned();
    let project: Value = response.json().await.unwrap();
    assert_eq!((&project["name"], &project["role"]), (&json!("Ada's shop"), &json!("owner")));
    assert_eq!(location, format!("/api/v1/projects/{}", project["id"].as_str().unwrap()));
    assert_eq!(stage.get(&location, &ada).await, (200, project));

    let (_, plain) = stage.post("/api/v1/projects", &ada, json!({"name": "Another"})).await;
    assert_eq!(plain["timezone"], "UTC");
    let (_, list) = stage.get("/api/v1/projects", &ada).await;
    assert_eq!(names(&list), ["Ada's shop", "Another"]);
}

#[actix_web::test]
async fn strangers_cannot_tell_a_project_from_nothing() {
    let stage = Stage::set().await;
    let (ada, bob) = (stage.person("ada").await, stage.person("bob").await);
    let project = stage.project_of(&ada, Role::Owner).await;
    assert_eq!(names(&stage.get("/api/v1/projects", &bob).await.1), Vec::<&str>::new());
    for path in ["", "/keys"] {
        let real = stage.get(&format!("/api/v1/projects/{project}{path}"), &bob).await;
        let nothing = stage.get(&format!("/api/v1/projects/{}{path}", ProjectId::new()), &bob).await;
        assert_eq!((real.0, nothing.0), (404, 404));
        assert_eq!(real.1["detail"], nothing.1["detail"]);
    }
    let key = json!({"name": "k", "scopes": ["read"]});
    assert_eq!(stage.post(&format!("/api/v1/projects/{project}/keys"), &bob, key).await.0, 404);
    assert_eq!(stage.get("/api/v1/projects/not-an-id", &bob).await.0, 404);
}

#[actix_web::test]
async fn a_system_admin_sees_every_project() {
    let stage = Stage::set().await;
    let (ada, root) = (stage.person("ada").await, stage.system_admin("root").await);
    let project = stage.project_of(&ada, Role::Owner).await;
    assert_eq!(names(&stage.get("/api/v1/projects", &root).await.1), ["A story"]);
    let (status, seen) = stage.get(&format!("/api/v1/projects/{project}"), &root).await;
    assert_eq!((status, &seen["role"]), (200, &json!("owner")));
    assert_eq!(stage.get(&format!("/api/v1/projects/{}", ProjectId::new()), &root).await.0, 404);
}

#[actix_web::test]
async fn a_project_that_breaks_a_law_is_refused_by_field() {
    let stage = Stage::set().await;
    let ada = stage.person("ada").await;
    for (body, field) in [
        (json!({}), "name"),
        (json!({"name": "   "}), "name"),
        (json!({"name": "x".repeat(101)}), "name"),
        (json!({"name": "nul\0"}), "name"),
        (json!({"name": "x", "timezone": "Middle-earth/Shire"}), "timezone"),
        (json!({"name": "x", "zone": "UTC"}), "zone"),
    ] {
        let (status, problem) = stage.post("/api/v1/projects", &ada, body.clone()).await;
        assert_eq!((status, &problem["errors"][0]["field"]), (422, &json!(field)), "{body}");
    }
    assert_eq!(stage.post("/api/v1/projects", &ada, json!({"name": "ü".repeat(100)})).await.0, 201);
}

/// What becomes of a zone change must not hang on who can be told of it: the sets would be of two zones for good.
#[actix_web::test]
async fn another_zone_comes_with_its_rebuild_though_nobody_can_be_told() {
    let stage = Stage::set().await;
    let ada = stage.person("ada").await;
    let project = stage.project_of(&ada, Role::Owner).await;
    let (_, granted) = stage.login(&ada.email, crate::stage::PASSWORD).await;
    let token = granted["access_token"].as_str().unwrap().to_owned();
    let to_kolkata = async || {
        let path = format!("/api/v1/projects/{project}");
        let body = json!({"timezone": "Asia/Kolkata"});
        answer(stage.to(Method::PATCH, &path).bearer_auth(&token).json(&body)).await
    };
    stage.nats_wire.cut();
    stage.redis_wire.cut();
    let (status, changed) = to_kolkata().await;
    assert_eq!((status, &changed["timezone"]), (200, &json!("Asia/Kolkata")), "{changed}");
    to_kolkata().await;
    stage.nats_wire.mend();
    stage.redis_wire.mend();
    let filter = Filter { project: Some(project), ..Filter::default() };
    let noted = jobs::page(&mut *stage.store().await, filter, None, 10).await.unwrap();
    let noted: Vec<_> = noted.iter().map(|job| (job.kind, job.status, job.created_by)).collect();
    assert_eq!(
        noted,
        [(Kind::Rebuild, Status::Pending, Some(ada.id))],
        "one, and no other for the same zone"
    );
}
