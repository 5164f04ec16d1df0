use millrace_domain::access::Role;
use serde_json::{Value, json};

use crate::chronicle::{did, tell};
use crate::people::Person;
use crate::stage::Stage;

const PATH: &str = "/api/v1/dashboard-templates";

#[actix_web::test]
async fn a_dashboard_begins_with_one_request_and_all_of_it_answers() {
    let stage = Stage::set().await;
    let shop = stage.project("Europe/Paris").await;
    let ada = Person::member(&stage, shop.id, "ada", Role::Editor).await;
    let now = chrono::Utc::now().to_rfc3339();
    let steps = ["page_view", "product_viewed", "added_to_cart", "checkout_started", "order_completed"];
    tell(&mut stage.teller(), &shop, &steps.map(|step| did("bob", step, &now))).await;

    let offered = ada.get(&stage, PATH).await.good().body;
    let names: Vec<&str> =
        offered["data"].as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["product", "web", "shop"]);
    for (template, name) in offered["data"].as_array().unwrap().iter().zip(names) {
        let made = ada.post(&stage, &format!("{PATH}/{name}"), json!({})).await.good();
        assert_eq!((made.status, &made.body["name"]), (201, &template["title"]));
        let shown = ada.get(&stage, &format!("/api/v1/dashboards/{}/data", made.id())).await.good().body;
        let titles: Vec<&Value> =
            shown["data"].as_array().unwrap().iter().map(|tile| &tile["title"]).collect();
        assert_eq!(json!(titles), template["insights"]);
        for tile in shown["data"].as_array().unwrap() {
            assert!(tile["error"].is_null(), "{tile}");
        }
        if name == "shop" {
            assert_eq!(shown["data"][1]["answer"]["data"][3]["users"], 1, "{shown}");
        }
    }

    let own =
        ada.post(&stage, &format!("{PATH}/web"), json!({"name": " Ours ", "visibility": "private"})).await;
    assert_eq!((&own.good().body["name"]), &json!("Ours"));
    assert_eq!(ada.post(&stage, &format!("{PATH}/web"), json!({"name": ""})).await.status, 422);
    assert_eq!(ada.post(&stage, &format!("{PATH}/moon"), json!({})).await.status, 404);
}

#[actix_web::test]
async fn each_role_begins_what_it_may_keep() {
    let stage = Stage::set().await;
    let shop = stage.project("UTC").await;
    let stranger = Person::member(&stage, stage.project("UTC").await.id, "stranger", Role::Owner).await;
    for (caller, read, make) in [
        (Person::member(&stage, shop.id, "viewer", Role::Viewer).await, 200, 403),
        (Person::member(&stage, shop.id, "editor", Role::Editor).await, 200, 201),
        (Person::system_admin(&stage, shop.id).await, 200, 201),
        (stranger.about(shop.id), 404, 404),
    ] {
        let made = caller.post(&stage, &format!("{PATH}/shop"), json!({})).await.status;
        assert_eq!((caller.get(&stage, PATH).await.status, made), (read, make));
    }
    let by_key = stage.request(PATH, &shop.key).send().await.unwrap();
    assert_eq!(by_key.status(), 403);
}
