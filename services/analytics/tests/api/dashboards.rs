use futures_util::StreamExt;
use millrace_domain::access::Role;
use millrace_domain::notification::Notification;
use millrace_messaging::notifications;
use serde_json::{Value, json};

use crate::people::{Person, Reply};
use crate::stage::Stage;

const PATH: &str = "/api/v1/dashboards";

async fn insight(stage: &Stage, person: &Person, title: &str, visibility: &str) -> String {
    let content = json!({"title": title, "visibility": visibility});
    person.post(stage, "/api/v1/insights", content).await.good().id()
}

fn titles(reply: &Reply) -> Vec<&str> {
    let layout = reply.body["layout"].as_array().unwrap_or_else(|| panic!("{reply:?}"));
    layout.iter().map(|tile| tile["title"].as_str().unwrap()).collect()
}

#[actix_web::test]
async fn insights_come_onto_a_dashboard_move_and_leave() {
    let stage = Stage::set().await;
    let shop = stage.project("UTC").await.id;
    let ada = Person::member(&stage, shop, "ada", Role::Editor).await;
    let (orders, churn) =
        (insight(&stage, &ada, "Orders", "project").await, insight(&stage, &ada, "Churn", "project").await);
    let made = ada.post(&stage, PATH, json!({"name": "Growth"})).await.good();
    assert_eq!((made.status, made.tag.as_str(), titles(&made).len()), (201, "\"1\"", 0));
    let path = format!("{PATH}/{}", made.id());

    ada.post(&stage, &format!("{path}/insights/{orders}"), Value::Null).await.good();
    let both = ada.post(&stage, &format!("{path}/insights/{churn}"), Value::Null).await.good();
    assert_eq!((titles(&both), both.tag.as_str()), (vec!["Orders", "Churn"], "\"3\""));
    assert_eq!((&both.body["layout"][1]["x"], &both.body["layout"][1]["y"]), (&json!(0), &json!(4)));
    let again = ada.post(&stage, &format!("{path}/insights/{churn}"), Value::Null).await.good();
    assert_eq!(titles(&again), ["Orders", "Churn"]);

    let layout = json!([
        {"insight_id": churn, "x": 0, "y": 0, "width": 6, "height": 4},
        {"insight_id": orders, "x": 6, "y": 0, "width": 6, "height": 4},
    ]);
    let moved =
        ada.patch(&stage, &path, &again.tag, json!({"name": "Growing", "layout": layout})).await.good();
    assert_eq!((titles(&moved), &moved.body["name"]), (vec!["Churn", "Orders"], &json!("Growing")));
    let late = ada.patch(&stage, &path, &both.tag, json!({"name": "Other"})).await;
    assert_eq!((late.status, &late.body["current"]), (412, &moved.body));

    let left = ada.delete(&stage, &format!("{path}/insights/{churn}"), None).await.good();
    assert_eq!(titles(&left), ["Orders"]);
    assert_eq!(ada.delete(&stage, &format!("{path}/insights/{churn}"), None).await.status, 404);
    let mut heard = notifications::listen(&stage.broker().await, shop).await.unwrap();
    ada.delete(&stage, &format!("/api/v1/insights/{orders}"), Some("*")).await.good();
    let without = ada.get(&stage, &path).await.good();
    assert!(titles(&without).is_empty(), "what is deleted is gone from here, too");
    assert_ne!(without.tag, left.tag, "it is another layout");
    for expected in ["insight_removed_from_dashboard", "insight_deleted"] {
        let news: Notification = serde_json::from_slice(&heard.next().await.unwrap()).unwrap();
        assert_eq!(news.about.insight_id.unwrap().to_string(), orders);
        assert_eq!(news.kind.as_str(), expected);
    }

    let now = ada.get(&stage, &path).await.tag;
    assert_eq!(ada.delete(&stage, &path, Some(&now)).await.status, 204);
    assert_eq!(ada.get(&stage, &path).await.status, 404);
}

#[actix_web::test]
async fn what_is_private_on_a_dashboard_is_there_for_its_owner_alone() {
    let stage = Stage::set().await;
    let shop = stage.project("UTC").await.id;
    let ada = Person::member(&stage, shop, "ada", Role::Editor).await;
    let bob = Person::member(&stage, shop, "bob", Role::Editor).await;
    let (open, secret) =
        (insight(&stage, &ada, "Open", "project").await, insight(&stage, &ada, "Secret", "private").await);
    let made = ada.post(&stage, PATH, json!({"name": "Growth"})).await.good();
    let path = format!("{PATH}/{}", made.id());
    let mut heard = notifications::listen(&stage.broker().await, shop).await.unwrap();
    let mut hears = async |kind: &str, id: &str, everybody: bool| {
        let news: Notification = serde_json::from_slice(&heard.next().await.unwrap()).unwrap();
        assert_eq!((news.kind.as_str(), news.about.insight_id.unwrap().to_string().as_str()), (kind, id));
        assert_eq!((news.audience.has(Some(ada.id)), news.audience.has(Some(bob.id))), (true, everybody));
    };
    for (id, everybody) in [(&open, true), (&secret, false)] {
        let tile = format!("{path}/insights/{id}");
        ada.post(&stage, &tile, Value::Null).await.good();
        hears("insight_added_to_dashboard", id, everybody).await;
        ada.delete(&stage, &tile, None).await.good();
        hears("insight_removed_from_dashboard", id, everybody).await;
        ada.post(&stage, &tile, Value::Null).await.good();
        hears("insight_added_to_dashboard", id, everybody).await;
    }
    let seen = bob.get(&stage, &path).await.good();
    assert_eq!(titles(&seen), ["Open"]);
    assert_eq!(bob.post(&stage, &format!("{path}/insights/{secret}"), Value::Null).await.status, 404);

    bob.patch(&stage, &path, &seen.tag, json!({"layout": []})).await.good();
    assert_eq!(titles(&ada.get(&stage, &path).await), ["Secret"], "nobody removes what they do not see");
    let with_secret = json!({"layout": [{"insight_id": secret, "x": 0, "y": 0, "width": 1, "height": 1}]});
    let refused = bob.patch(&stage, &path, "*", with_secret).await;
    assert_eq!((refused.status, &refused.body["errors"][0]["code"]), (422, &json!("unknown_insight")));
}

#[actix_web::test]
async fn a_layout_that_cannot_be_drawn_is_refused_by_field() {
    let stage = Stage::set().await;
    let shop = stage.project("UTC").await.id;
    let ada = Person::member(&stage, shop, "ada", Role::Editor).await;
    let id = insight(&stage, &ada, "Orders", "project").await;
    let tile = |x: u8, width: u8| json!({"insight_id": id, "x": x, "y": 0, "width": width, "height": 1});
    for layout in [json!([tile(0, 0)]), json!([tile(11, 2)]), json!([tile(0, 1), tile(1, 1)])] {
        let refused = ada.post(&stage, PATH, json!({"name": "D", "layout": layout})).await;
        assert_eq!(
            (refused.status, &refused.body["errors"][0]["field"]),
            (422, &json!("layout")),
            "{layout}"
        );
    }
    let made = ada.post(&stage, PATH, json!({"name": "D", "layout": [tile(3, 9)]})).await.good();
    assert_eq!(titles(&made), ["Orders"]);
    assert_eq!(ada.post(&stage, PATH, json!({"layout": []})).await.body["errors"][0]["field"], "name");
}
