//! Who may read the audit log, and how it is asked.

use chrono::Utc;
use millrace_domain::access::Role;
use millrace_domain::audit::Target;
use millrace_domain::audit::action::Action;
use millrace_domain::ids::ProjectId;
use millrace_storage::members;
use reqwest::Method;
use serde_json::json;

use super::{anonymous, text};
use crate::stage::{Person, Stage, answer};

#[actix_web::test]
async fn who_sees_what() {
    let stage = Stage::set().await;
    let root = stage.system_admin("root").await;
    let (ada, bob, eve) = (stage.person("ada").await, stage.person("bob").await, stage.person("eve").await);
    let (shop, other) =
        (stage.project_of(&ada, Role::Owner).await, stage.project_of(&eve, Role::Owner).await);
    let mut store = stage.store().await;
    members::set(&mut store, shop, bob.id, Role::Editor).await.unwrap();
    for (person, project) in [(&ada, shop), (&eve, other)] {
        let body = json!({"name": "k", "scopes": ["read"]});
        assert_eq!(stage.post(&format!("/api/v1/projects/{project}/keys"), person, body).await.0, 201);
    }
    stage.has_recorded(6).await;
    let status =
        async |person: &Person, query: &str| stage.get(&format!("/api/v1/audit?{query}"), person).await.0;
    assert_eq!(stage.audit(&root, "").await.len(), 6);
    let of_shop = format!("project_id={shop}");
    assert_eq!(stage.audit(&root, &of_shop).await.len(), 1);
    let seen = stage.audit(&ada, &of_shop).await;
    assert_eq!((seen.len(), &seen[0]["project_id"]), (1, &json!(shop)));
    members::set(&mut store, shop, eve.id, Role::Admin).await.unwrap();
    assert_eq!(stage.audit(&eve, &of_shop).await.len(), 1);
    assert_eq!(status(&ada, "").await, 403, "everything is for system admins");
    assert_eq!(status(&ada, &format!("project_id={other}")).await, 404);
    assert_eq!(status(&ada, &format!("project_id={}", ProjectId::new())).await, 404);
    assert_eq!(status(&bob, &of_shop).await, 403);
    assert_eq!(answer(stage.to(Method::GET, "/api/v1/audit")).await.0, 401);
    stage.has_recorded(7).await;
    assert_eq!(stage.audit(&ada, &of_shop).await[0]["action"], "access.denied");
}

#[actix_web::test]
async fn entries_are_filtered() {
    let stage = Stage::set().await;
    let root = stage.system_admin("root").await;
    let ada = stage.person("ada").await;
    let project = stage.project_of(&ada, Role::Owner).await;
    assert_eq!(stage.login(&ada.email, "wrong").await.0, 401);
    stage.has_recorded(3).await;
    let between = Utc::now();
    let body = json!({"name": "k", "scopes": ["read"]});
    let (_, key) = stage.post(&format!("/api/v1/projects/{project}/keys"), &ada, body).await;
    stage.has_recorded(4).await;
    let between = between.format("%Y-%m-%dT%H:%M:%S%.6fZ");
    for (query, places) in [
        ("action=login.succeeded".to_owned(), vec![2, 1]),
        ("action=login.".to_owned(), vec![3, 2, 1]),
        ("action=api_key.".to_owned(), vec![4]),
        ("outcome=failure".to_owned(), vec![3]),
        ("outcome=denied".to_owned(), vec![]),
        (format!("actor={}", ada.id), vec![4, 2]),
        (format!("target={}", ada.id), vec![3]),
        (format!("target={}", text(&key["id"])), vec![4]),
        (format!("project_id={project}"), vec![4]),
        (format!("actor={}&action=login.", ada.id), vec![2]),
        (format!("from={between}"), vec![4]),
        (format!("to={between}"), vec![3, 2, 1]),
    ] {
        let found = stage.audit(&root, &query).await;
        let found: Vec<i64> = found.iter().map(|entry| entry["seq"].as_i64().unwrap()).collect();
        assert_eq!(found, places, "{query}");
    }
    for (query, field) in [
        ("action=log", "action"),
        ("action=", "action"),
        ("outcome=good", "outcome"),
        ("actor=ada", "actor"),
        ("target=", "target"),
        ("target=%00", "target"),
        ("project_id=shop", "project_id"),
        ("from=yesterday", "from"),
        ("to=2026-11-20", "to"),
        ("limit=0", "limit"),
        ("limit=201", "limit"),
        ("cursor=!", "cursor"),
        ("cursor=IngI", "cursor"),
        ("page=2", "page"),
    ] {
        let (status, problem) = stage.get(&format!("/api/v1/audit?{query}"), &root).await;
        assert_eq!((status, &problem["errors"][0]["field"]), (422, &json!(field)), "{query}: {problem}");
    }
}

#[actix_web::test]
async fn pages_hold_still_while_new_entries_arrive() {
    let stage = Stage::set().await;
    let root = stage.system_admin("root").await;
    stage.has_recorded(1).await;
    let mut store = stage.store().await;
    let events: Vec<_> = (0..6).map(|_| anonymous(Action::LoginFailed)).collect();
    millrace_storage::audit::append(&mut store, &events).await.unwrap();
    let (mut seen, mut path) = (Vec::new(), "/api/v1/audit?limit=3".to_owned());
    loop {
        let (_, page) = stage.get(&path, &root).await;
        seen.extend(page["data"].as_array().unwrap().iter().map(|entry| entry["seq"].as_i64().unwrap()));
        let new = anonymous(Action::LoginFailed).on(Target::Account(root.id));
        millrace_storage::audit::append(&mut store, &[new]).await.unwrap();
        match page["next_cursor"].as_str() {
            Some(cursor) => path = format!("/api/v1/audit?limit=3&cursor={cursor}"),
            None => break,
        }
    }
    assert_eq!(seen, [7, 6, 5, 4, 3, 2, 1]);
}
