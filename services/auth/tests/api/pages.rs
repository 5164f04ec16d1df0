//! Long lists come a page at a time.

use std::collections::BTreeSet;

use millrace_domain::access::Role;
use millrace_storage::{accounts, members};
use serde_json::{Value, json};

use crate::stage::Stage;

#[actix_web::test]
async fn projects_keys_and_members_come_in_pages() {
    let stage = Stage::set().await;
    let (root, ada) = (stage.system_admin("root").await, stage.person("ada").await);
    let mut projects = BTreeSet::new();
    for _ in 0..5 {
        projects.insert(stage.project_of(&ada, Role::Owner).await);
    }
    let project = *projects.first().unwrap();
    let mut store = stage.store().await;
    for name in ["bob", "eve", "joe", "kim"] {
        let new = accounts::NewAccount {
            email: &format!("{name}@example.com"),
            password_hash: None,
            full_name: None,
            is_admin: false,
            email_verified: true,
        };
        let member = accounts::create(&mut store, new).await.unwrap().id;
        members::set(&mut store, project, member, Role::Viewer).await.unwrap();
        let body = json!({"name": name, "scopes": ["read"]});
        assert_eq!(stage.post(&format!("/api/v1/projects/{project}/keys"), &ada, body).await.0, 201);
    }
    let keys = format!("/api/v1/projects/{project}/keys");
    let members = format!("/api/v1/projects/{project}/members");
    for (path, person, entries, sizes) in [
        ("/api/v1/projects", &ada, 5, vec![2, 2, 1]),
        ("/api/v1/projects", &root, 5, vec![2, 2, 1]),
        (&keys, &ada, 4, vec![2, 2]),
        (&members, &ada, 5, vec![2, 2, 1]),
    ] {
        let (mut seen, mut found, mut query) = (BTreeSet::new(), Vec::new(), "limit=2".to_owned());
        loop {
            let (status, page) = stage.get(&format!("{path}?{query}"), person).await;
            assert_eq!(status, 200, "{page}");
            let data = page["data"].as_array().unwrap();
            found.push(data.len());
            seen.extend(data.iter().map(|one| one.get("id").unwrap_or(&one["account_id"]).to_string()));
            match page["next_cursor"].as_str() {
                Some(cursor) => query = format!("limit=2&cursor={cursor}"),
                None => break,
            }
        }
        assert_eq!((seen.len(), found), (entries, sizes), "{path}");
        let (_, whole) = stage.get(path, person).await;
        assert_eq!((whole["data"].as_array().unwrap().len(), &whole["next_cursor"]), (entries, &Value::Null));
        let (status, problem) = stage.get(&format!("{path}?cursor=x"), person).await;
        assert_eq!((status, &problem["errors"][0]["field"]), (422, &json!("cursor")), "{path}");
    }
}
