use millrace_domain::access::Role;
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
    ada.delete(&stage, &format!("/api/v1/insights/{orders}"), Some("*")).await.good();
    assert!(
        titles(&ada.get(&stage, &path).await.good()).is_empty(),
        "what is deleted is gone from here, too"
    );

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
    for id in [&open, &secret] {
        ada.post(&stage, &format!("{path}/insights/{id}"), Value::Null).await.good();
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
async fn each_role_does_with_dashboards_what_it_may_and_no_more() {
    let stage = Stage::set().await;
    let shop = stage.project("UTC").await.id;
    let author = Person::member(&stage, shop, "author", Role::Editor).await;
    let stranger =
        Person::member(&stage, stage.project("UTC").await.id, "stranger", Role::Owner).await.about(shop);
    let orders = insight(&stage, &author, "Orders", "project").await;
    let callers = [
        ("viewer", Person::member(&stage, shop, "viewer", Role::Viewer).await),
        ("editor", Person::member(&stage, shop, "editor", Role::Editor).await),
        ("admin", Person::member(&stage, shop, "admin", Role::Admin).await),
        ("system", Person::system_admin(&stage, shop).await),
        ("owner", Person::member(&stage, shop, "owner", Role::Owner).await),
        ("stranger", stranger),
        ("author", author),
    ];
    let author = &callers[6].1;
    // Read; read the data; rename; add; remove; list links; make one; revoke one; delete.
    let everything = [200, 200, 200, 200, 200, 200, 201, 204, 204];
    let table = [
        ("viewer", "project", [200, 200, 403, 403, 403, 403, 403, 403, 403]),
        ("editor", "project", [200, 200, 200, 200, 200, 403, 403, 403, 403]),
        ("admin", "project", everything),
        ("owner", "project", everything),
        ("system", "project", everything),
        ("author", "project", everything),
        ("stranger", "project", [404; 9]),
        ("viewer", "private", [404; 9]),
        ("editor", "private", [404; 9]),
        ("admin", "private", [404; 9]),
        ("owner", "private", [404; 9]),
        ("system", "private", everything),
        ("author", "private", everything),
    ];
    for (name, visibility, expected) in table {
        let caller = &callers.iter().find(|(called, _)| *called == name).unwrap().1;
        let made = author.post(&stage, PATH, json!({"name": "D", "visibility": visibility})).await.good();
        let path = format!("{PATH}/{}", made.id());
        let (tile, shares) = (format!("{path}/insights/{orders}"), format!("{path}/shares"));
        let link = author.post(&stage, &shares, json!({})).await.good().id();
        let statuses = [
            caller.get(&stage, &path).await.status,
            caller.get(&stage, &format!("{path}/data")).await.status,
            caller.patch(&stage, &path, "*", json!({"name": "E"})).await.status,
            caller.post(&stage, &tile, Value::Null).await.status,
            caller.delete(&stage, &tile, None).await.status,
            caller.get(&stage, &shares).await.status,
            caller.post(&stage, &shares, json!({})).await.status,
            caller.delete(&stage, &format!("{shares}/{link}"), None).await.status,
            caller.delete(&stage, &path, Some("*")).await.status,
        ];
        assert_eq!(statuses, expected, "{name} and what is {visibility}");
    }
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
