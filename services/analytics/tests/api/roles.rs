//! Role × action × owner, for every route that is about what people keep. A route without a row fails.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::alerts::above;
use crate::people::{Person, cast};
use crate::stage::{Stage, problem};

/// What a caller has to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Needs {
    /// Anybody of the project; it is about no thing of somebody's.
    List,
    /// An editor; it is about no thing of somebody's.
    Create,
    /// Whoever sees the thing.
    Read,
    /// An editor who sees it.
    Change,
    /// Its owner, or an admin who sees it.
    Dispose,
}

use Needs::{Change, Create, Dispose, List, Read};

/// The operation, what a caller of it has to be, and what such a caller is answered.
const TABLE: [(&str, Needs, u16); 34] = [
    ("list_insights", List, 200),
    ("create_insight", Create, 201),
    ("show_insight", Read, 200),
    ("change_insight", Change, 200),
    ("change_insight (who sees it)", Dispose, 200),
    ("delete_insight", Dispose, 204),
    ("list_dashboards", List, 200),
    ("create_dashboard", Create, 201),
    ("show_dashboard", Read, 200),
    ("show_dashboard_data", Read, 200),
    ("change_dashboard", Change, 200),
    ("change_dashboard (who sees it)", Dispose, 200),
    ("delete_dashboard", Dispose, 204),
    ("add_insight_to_dashboard", Change, 200),
    ("remove_insight_from_dashboard", Change, 200),
    ("list_shares", Dispose, 200),
    ("create_share", Dispose, 201),
    ("revoke_share", Dispose, 204),
    ("list_dashboard_templates", List, 200),
    ("create_dashboard_from_template", Create, 201),
    ("list_alerts", List, 200),
    ("create_alert", Create, 201),
    ("show_alert", Read, 200),
    ("change_alert", Change, 200),
    ("change_alert (who sees it)", Dispose, 200),
    ("delete_alert", Dispose, 204),
    ("create_webhook_secret", Dispose, 201),
    ("list_alert_history", Read, 200),
    ("retry_alert_delivery", Change, 200),
    ("list_cohorts", List, 200),
    ("create_cohort", Create, 201),
    ("show_cohort", Read, 200),
    ("change_cohort", Change, 200),
    ("delete_cohort", Dispose, 204),
];

/// What somebody is answered by name, as [`cast`] calls them.
fn expected(name: &str, needs: Needs, visibility: &str, done: u16) -> u16 {
    let sees =
        visibility == "project" || matches!(needs, List | Create) || ["author", "system"].contains(&name);
    match (name, needs) {
        ("stranger", _) => 404,
        _ if !sees => 404,
        (_, List | Read) => done,
        ("viewer", _) => 403,
        ("editor", Dispose) => 403,
        _ => done,
    }
}

/// The methods and paths of what people keep, by the names of their operations.
fn operations() -> Vec<(String, Method, String)> {
    let document = serde_json::to_value(millrace_analytics::routes::openapi()).unwrap();
    let mut found = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let tag = operation["tags"][0].as_str().unwrap();
            if ["insights", "dashboards", "alerts", "cohorts"].contains(&tag) {
                let name = operation["operationId"].as_str().unwrap().to_owned();
                found.push((name, method.to_uppercase().parse().unwrap(), path.clone()));
            }
        }
    }
    found
}

/// What there is to act upon, made anew for each who acts.
struct Shop<'a> {
    stage: &'a Stage,
    author: &'a Person,
    /// An insight of the project.
    orders: String,
}

impl Shop<'_> {
    async fn make(&self, path: &str, content: Value) -> String {
        self.author.post(self.stage, path, content).await.good().id()
    }

    /// The path, about something of the author's.
    async fn filled(&self, path: &str, visibility: &str) -> String {
        let path =
            path.replace("{name}", "web").replace("{insight_id}", &self.orders).replace("{channel}", "mail");
        let Some((kind, _)) = path.split_once("/{id}") else { return path };
        let id = match kind {
            "/api/v1/insights" => self.make(kind, json!({"title": "I", "visibility": visibility})).await,
            "/api/v1/cohorts" => self.make(kind, json!({"name": "C", "definition": {"did": {}}})).await,
            "/api/v1/dashboards" => self.make(kind, json!({"name": "D", "visibility": visibility})).await,
            "/api/v1/alerts" => self.make(kind, self.alert(visibility)).await,
            other => panic!("what is there at {other}?"),
        };
        let path = path.replace("{id}", &id);
        if path.contains("/dashboards/") {
            self.author
                .post(self.stage, &format!("{kind}/{id}/insights/{}", self.orders), Value::Null)
                .await
                .good();
        }
        if path.contains("{share_id}") {
            return path.replace("{share_id}", &self.make(&format!("{kind}/{id}/shares"), json!({})).await);
        }
        if path.contains("{event_id}") {
            return path.replace("{event_id}", &self.given_up(&id).await);
        }
        path
    }

    fn alert(&self, visibility: &str) -> Value {
        json!({
            "insight_id": self.orders, "name": "A", "condition": above(100.0), "enabled": false,
            "visibility": visibility, "webhook": "https://hooks.example.com/secret",
        })
    }

    /// Something that an alert could not tell.
    async fn given_up(&self, alert: &str) -> String {
        let (event, alert): (Uuid, Uuid) = (Uuid::now_v7(), alert.parse().unwrap());
        let database = self.stage.database.client().await;
        let happened =
            "INSERT INTO alert_events (id, alert_id, kind, occurred_at) VALUES ($1, $2, 'fired', now())";
        database.execute(happened, &[&event, &alert]).await.unwrap();
        let dead = "INSERT INTO alert_deliveries (id, event_id, channel, status, due_at)
                    VALUES (gen_random_uuid(), $1, 'mail', 'dead', now())";
        database.execute(dead, &[&event]).await.unwrap();
        event.to_string()
    }

    fn body(&self, operation: &str, visibility: &str) -> Option<Value> {
        let other = if visibility == "project" { "private" } else { "project" };
        Some(match operation {
            "create_insight" => json!({"title": "Mine"}),
            "change_insight" => json!({"title": "Changed"}),
            "create_dashboard" => json!({"name": "Mine"}),
            "create_alert" => self.alert(visibility),
            "change_dashboard" | "change_alert" | "change_cohort" => json!({"name": "Changed"}),
            "create_cohort" => json!({"name": "Mine", "definition": {"did": {}}}),
            "create_share" | "create_dashboard_from_template" => json!({}),
            hides if hides.ends_with(" (who sees it)") => json!({"visibility": other}),
            _ => return None,
        })
    }
}

#[actix_web::test]
async fn each_role_does_what_it_may_with_what_people_keep_and_no_more() {
    let stage = Stage::set().await;
    let project = stage.project("UTC").await;
    let callers = cast(&stage, project.id).await;
    let author = &callers[0].1;
    let query = json!({"kind": "trends", "event_type": "order", "last": "7d"});
    let orders =
        author.post(&stage, "/api/v1/insights", json!({"title": "Orders", "query": query})).await.good().id();
    let shop = Shop { stage: &stage, author, orders };
    let mut without_a_row = BTreeSet::new();
    for (operation, method, path) in operations() {
        let rows = TABLE.iter().filter(|(row, ..)| row.split(' ').next() == Some(operation.as_str()));
        let rows: Vec<_> = rows.collect();
        if rows.is_empty() {
            without_a_row.insert(operation);
            continue;
        }
        for (row, needs, done) in rows {
            let one_for_all = path.starts_with("/api/v1/cohorts") || matches!(needs, List | Create);
            let visibilities: &[&str] = if one_for_all { &["project"] } else { &["project", "private"] };
            for visibility in visibilities {
                for (name, caller) in &callers {
                    let path = shop.filled(&path, visibility).await;
                    let body = shop.body(row, visibility);
                    let reply = caller.send(&stage, method.clone(), &path, Some("*"), body.as_ref()).await;
                    let expected = expected(name, *needs, visibility, *done);
                    assert_eq!(
                        reply.status, expected,
                        "{row}: {name} and what is {visibility}: {}",
                        reply.body
                    );
                }
            }
            let path = shop.filled(&path, "project").await;
            let anonymous = stage.to(method.clone(), &path);
            assert_eq!(problem(anonymous).await.0, 401, "{row}: nobody");
            let program = stage.to(method.clone(), &path).bearer_auth(project.key.reveal());
            assert_eq!(problem(program).await.0, 403, "{row}: a program keeps nothing");
        }
    }
    assert!(without_a_row.is_empty(), "who may do this? {without_a_row:?}");
}

#[actix_web::test]
async fn lists_hold_what_their_reader_sees_and_the_system_admin_sees_all() {
    let stage = Stage::set().await;
    let project = stage.project("UTC").await;
    let callers = cast(&stage, project.id).await;
    let author = &callers[0].1;
    let query = json!({"kind": "trends", "event_type": "order", "last": "7d"});
    let insight = json!({"title": "Orders", "query": query});
    let orders = author.post(&stage, "/api/v1/insights", insight).await.good().id();
    let shop = Shop { stage: &stage, author, orders };
    shop.make("/api/v1/insights", json!({"title": "Secret", "visibility": "private"})).await;
    for visibility in ["project", "private"] {
        shop.make("/api/v1/dashboards", json!({"name": "D", "visibility": visibility})).await;
        shop.make("/api/v1/alerts", shop.alert(visibility)).await;
    }
    for (name, caller) in &callers {
        for path in ["/api/v1/insights", "/api/v1/dashboards", "/api/v1/alerts"] {
            let listed = caller.get(&stage, path).await;
            if *name == "stranger" {
                assert_eq!(listed.status, 404);
                continue;
            }
            let data = listed.body["data"].as_array().unwrap();
            let sees_all = ["author", "system"].contains(name);
            assert_eq!(data.len(), if sees_all { 2 } else { 1 }, "{name}: {path}");
            // Where an alert is posted may be a secret; whoever may change it may know.
            let hides_webhooks = data.iter().all(|thing| thing["webhook"].is_null());
            assert_eq!(hides_webhooks, *name == "viewer" || !path.ends_with("alerts"), "{name}: {path}");
        }
    }
}
