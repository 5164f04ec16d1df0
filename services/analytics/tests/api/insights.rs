use futures_util::StreamExt;
use millrace_domain::access::Role;
use millrace_domain::notification::Notification;
use millrace_messaging::notifications;
use reqwest::Method;
use serde_json::{Value, json};

use crate::people::Person;
use crate::stage::Stage;

const PATH: &str = "/api/v1/insights";

#[actix_web::test]
async fn an_insight_is_kept_changed_and_deleted_and_the_team_hears_of_it() {
    let stage = Stage::set().await;
    let shop = stage.project("UTC").await.id;
    let ada = Person::member(&stage, shop, "ada", Role::Editor).await;
    let mut heard = notifications::listen(&stage.broker().await, shop).await.unwrap();

    let content =
        json!({"title": " Sign-ups ", "body": "Since the *new* page <script>x</script>", "tags": ["Growth"]});
    let kept = ada.post(&stage, PATH, content).await.good();
    assert_eq!((kept.status, kept.tag.as_str()), (201, "\"1\""));
    assert_eq!(kept.body["title"], "Sign-ups");
    assert_eq!(kept.body["body_html"], "<p>Since the <em>new</em> page </p>\n");
    assert_eq!((&kept.body["visibility"], &kept.body["query"]), (&json!("project"), &Value::Null));
    assert_eq!((&kept.body["tags"], &kept.body["owner_id"]), (&json!(["growth"]), &json!(ada.id)));
    let path = format!("{PATH}/{}", kept.id());
    assert_eq!(ada.get(&stage, &path).await.good().body, kept.body);

    let changed = ada.patch(&stage, &path, &kept.tag, json!({"title": "Sign-ups a day"})).await.good();
    assert_eq!((changed.tag.as_str(), &changed.body["title"]), ("\"2\"", &json!("Sign-ups a day")));
    assert_eq!(changed.body["body"], kept.body["body"], "what is absent stays");

    assert_eq!(ada.delete(&stage, &path, Some(&changed.tag)).await.status, 204);
    assert_eq!(ada.get(&stage, &path).await.status, 404);

    for kind in ["insight_created", "insight_updated", "insight_deleted"] {
        let told: Notification = serde_json::from_slice(&heard.next().await.unwrap()).unwrap();
        assert_eq!((told.kind.as_str(), told.actor_id), (kind, Some(ada.id)));
        assert_eq!(told.about.insight_id.unwrap().to_string(), kept.id());
    }
}

#[actix_web::test]
async fn nobody_overwrites_what_they_have_not_seen() {
    let stage = Stage::set().await;
    let shop = stage.project("UTC").await.id;
    let ada = Person::member(&stage, shop, "ada", Role::Editor).await;
    let bob = Person::member(&stage, shop, "bob", Role::Editor).await;
    let kept = ada.post(&stage, PATH, json!({"title": "Orders"})).await.good();
    let path = format!("{PATH}/{}", kept.id());

    let first = ada.patch(&stage, &path, &kept.tag, json!({"title": "Orders in Paris"})).await.good();
    let second = bob.patch(&stage, &path, &kept.tag, json!({"title": "Orders in Rome"})).await;
    assert_eq!((second.status, &second.body["code"]), (412, &json!("changed_meanwhile")));
    assert_eq!(second.body["current"], first.body, "he sees what she wrote");
    assert_eq!(ada.delete(&stage, &path, Some(&kept.tag)).await.status, 412);
    let blind = bob.send(&stage, Method::PATCH, &path, None, Some(&json!({"title": "Mine"}))).await;
    assert_eq!((blind.status, &blind.body["code"]), (428, &json!("version_required")));
    let again = bob.patch(&stage, &path, &first.tag, json!({"title": "Orders in Rome"})).await;
    assert_eq!(again.good().body["version"], 3);

    // However many write at once, one of those who have seen the same version wins.
    let seen = ada.get(&stage, &path).await.tag;
    let attempts = (0..10).map(|n| ada.patch(&stage, &path, &seen, json!({"title": format!("Orders {n}")})));
    let mut statuses: Vec<u16> =
        futures_util::future::join_all(attempts.map(async |sent| sent.await.status)).await;
    statuses.sort_unstable();
    assert_eq!(statuses, [vec![200], vec![412; 9]].concat());
}

#[actix_web::test]
async fn insights_are_found_by_words_tags_and_owner_in_any_order() {
    let stage = Stage::set().await;
    let shop = stage.project("UTC").await.id;
    let ada = Person::member(&stage, shop, "ada", Role::Editor).await;
    let bob = Person::member(&stage, shop, "bob", Role::Editor).await;
    for (title, body, tags) in [
        ("Churn", "who leaves", json!(["growth"])),
        ("Active users", "100% of them", json!(["growth", "daily"])),
        ("Basket", "value_of a basket", json!([])),
    ] {
        ada.post(&stage, PATH, json!({"title": title, "body": body, "tags": tags})).await.good();
    }
    bob.post(&stage, PATH, json!({"title": "Bob's own", "visibility": "private"})).await.good();
    let titles = async |person: &Person, query: &str| -> Vec<String> {
        let page = person.get(&stage, &format!("{PATH}{query}")).await.good().body;
        let data = page["data"].as_array().unwrap().iter();
        data.map(|insight| insight["title"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(titles(&ada, "?sort=title").await, ["Active users", "Basket", "Churn"]);
    assert_eq!(titles(&bob, "?sort=title").await, ["Active users", "Basket", "Bob's own", "Churn"]);
    assert_eq!(titles(&ada, "").await, ["Basket", "Active users", "Churn"]);
    assert_eq!(titles(&ada, "?sort=created&tag=Growth").await, ["Active users", "Churn"]);
    assert_eq!(titles(&ada, "?q=LEAVES").await, ["Churn"]);
    assert_eq!(titles(&ada, "?q=100%25").await, ["Active users"]);
    assert_eq!(titles(&ada, "?q=e_o").await, ["Basket"], "what means something to LIKE means itself");
    assert_eq!(titles(&bob, &format!("?owner={}", bob.id)).await, ["Bob's own"]);

    for sort in ["title", "updated", "created"] {
        let whole = titles(&bob, &format!("?sort={sort}")).await;
        let mut walked = Vec::new();
        let mut cursor = String::new();
        loop {
            let page = bob.get(&stage, &format!("{PATH}?sort={sort}&limit=3{cursor}")).await.good().body;
            let data = page["data"].as_array().unwrap();
            walked.extend(data.iter().map(|insight| insight["title"].as_str().unwrap().to_owned()));
            let Some(next) = page["next_cursor"].as_str() else { break };
            cursor = format!("&cursor={next}");
        }
        assert_eq!(walked, whole, "page by page, by {sort}");
    }
    assert_eq!(ada.get(&stage, &format!("{PATH}?sort=age")).await.status, 422);
}

#[actix_web::test]
async fn what_an_insight_cannot_be_is_refused_by_field() {
    let stage = Stage::set().await;
    let shop = stage.project("UTC").await.id;
    let ada = Person::member(&stage, shop, "ada", Role::Editor).await;
    for (content, field) in [
        (json!({}), "title"),
        (json!({"title": "  "}), "title"),
        (json!({"title": "x".repeat(201)}), "title"),
        (json!({"title": "a", "body": "x\0"}), "body"),
        (json!({"title": "a", "body": "x".repeat(20_001)}), "body"),
        (json!({"title": "a", "tags": [""]}), "tags"),
        (json!({"title": "a", "visibility": "public"}), "visibility"),
        (json!({"title": "a", "colour": "red"}), "colour"),
        (json!({"title": "a", "query": "SELECT 1"}), "query"),
        (json!({"title": "a", "query": {"kind": "trend"}}), "query.kind"),
        (json!({"title": "a", "query": {"kind": "trends", "to": "2026-11-01"}}), "query.from"),
    ] {
        let refused = ada.post(&stage, PATH, content.clone()).await;
        assert_eq!((refused.status, &refused.body["errors"][0]["field"]), (422, &json!(field)), "{content}");
    }
    assert_eq!(ada.get(&stage, &format!("{PATH}/nonsense")).await.status, 404);

    let query = json!({"kind": "trends", "from": "2026-11-01", "to": "2026-11-30", "event_type": "order"});
    let kept = ada.post(&stage, PATH, json!({"title": "Orders", "query": query})).await.good();
    assert_eq!(kept.body["query"], query, "it is kept as it was written");
    let note = ada.patch(&stage, &format!("{PATH}/{}", kept.id()), &kept.tag, json!({"query": null})).await;
    assert_eq!(note.good().body["query"], Value::Null);
}
