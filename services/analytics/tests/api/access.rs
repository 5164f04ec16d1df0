use millrace_domain::access::{Role, Scope};
use millrace_domain::ids::ProjectId;
use millrace_security::api_key::ApiKey;
use serde_json::json;

use crate::people::{account, join, sign_in};
use crate::stage::{Stage, problem};

const PATH: &str = "/api/v1/stats/dau?from=2026-11-01&to=2026-11-01";

#[actix_web::test]
async fn without_a_good_key_nothing_is_told() {
    let stage = Stage::set().await;
    let project = stage.project("UTC").await;
    let unknown = ApiKey::generate().unwrap();
    for request in [
        stage.anonymous(PATH),
        stage.anonymous(PATH).bearer_auth("nonsense"),
        stage.anonymous(PATH).basic_auth("mr", Some("mr")),
        stage.request(PATH, &unknown),
        stage.anonymous(PATH).header("X-Api-Key", unknown.reveal()),
        stage.anonymous(PATH).bearer_auth("a.b.c"),
    ] {
        let (status, problem) = problem(request).await;
        assert_eq!((status, &problem["code"]), (401, &json!("unauthenticated")));
    }
    let request = stage.anonymous(PATH).header("X-Api-Key", project.key.reveal());
    assert_eq!(request.send().await.unwrap().status(), 200);
}

#[actix_web::test]
async fn a_key_that_may_only_send_events_and_the_key_of_another_project_are_forbidden() {
    let stage = Stage::set().await;
    let project = stage.project("UTC").await;
    let sender = stage.key(project.id, &[Scope::Ingest]).await;
    let (status, refused) = problem(stage.request(PATH, &sender)).await;
    assert_eq!(status, 403);
    assert!(refused["detail"].as_str().unwrap().contains("`read`"), "{refused}");

    let naming = |id: ProjectId| stage.request(PATH, &project.key).header("X-Project-Id", id.to_string());
    assert_eq!(problem(naming(ProjectId::new())).await.0, 403);
    assert_eq!(naming(project.id).send().await.unwrap().status(), 200);
}

#[actix_web::test]
async fn a_key_sees_its_own_project_only() {
    let stage = Stage::set().await;
    let (one, other) = (stage.project("UTC").await, stage.project("UTC").await);
    let event = crate::chronicle::did("ada", "visit", "2026-11-01T12:00:00Z");
    crate::chronicle::tell(&mut stage.teller(), &one, &[event]).await;
    let users = async |project| stage.ask(project, PATH).await.body["data"][0]["users"].clone();
    assert_eq!((users(&one).await, users(&other).await), (json!(1), json!(0)));
}

#[actix_web::test]
async fn members_ask_about_their_projects_and_see_no_others() {
    let stage = Stage::set().await;
    let (shop, blog, foreign) =
        (stage.project("UTC").await.id, stage.project("UTC").await.id, stage.project("UTC").await.id);
    let ada = account(&stage, "ada@example.com", false).await;
    join(&stage, ada, shop, Role::Viewer).await;

    let token = sign_in(&stage, "ada@example.com").await;
    let ask = || stage.anonymous(PATH).bearer_auth(&token);
    let about = |project: ProjectId| ask().header("X-Project-Id", project.to_string());
    assert_eq!(ask().send().await.unwrap().status(), 200);
    assert_eq!(about(shop).send().await.unwrap().status(), 200);
    for nowhere in [foreign, ProjectId::new()] {
        assert_eq!(problem(about(nowhere)).await.0, 404);
    }

    join(&stage, ada, blog, Role::Viewer).await;
    // What a token opens is remembered for a while; a new one is not.
    let token = sign_in(&stage, "ada@example.com").await;
    let ask = || stage.anonymous(PATH).bearer_auth(&token);
    let (status, refused) = problem(ask()).await;
    assert_eq!((status, &refused["errors"][0]["field"]), (422, &json!("X-Project-Id")));
    assert_eq!(ask().header("X-Project-Id", blog.to_string()).send().await.unwrap().status(), 200);
    assert_eq!(problem(ask().header("X-Project-Id", "blog")).await.0, 422);
}

#[actix_web::test]
async fn an_admin_asks_about_any_project_by_its_name() {
    let stage = Stage::set().await;
    let shop = stage.project("UTC").await.id;
    account(&stage, "root@example.com", true).await;
    let token = sign_in(&stage, "root@example.com").await;
    let about = |project: ProjectId| {
        stage.anonymous(PATH).bearer_auth(&token).header("X-Project-Id", project.to_string())
    };
    assert_eq!(about(shop).send().await.unwrap().status(), 200);
    assert_eq!(problem(about(ProjectId::new())).await.0, 404);
    assert_eq!(problem(stage.anonymous(PATH).bearer_auth(&token)).await.0, 422);
}
