//! What dashboards show: to members, and to whoever has a link.

use millrace_domain::access::Role;
use millrace_messaging::project_tables::API_LIMITS;
use millrace_storage::audit::{self, Filter};
use millrace_testkit::wait;
use serde_json::{Value, json};

use crate::chronicle::{did, tell};
use crate::people::{Person, join, leave};
use crate::stage::{Project, Stage, header, problem};

const DASHBOARDS: &str = "/api/v1/dashboards";
const INSIGHTS: &str = "/api/v1/insights";
const SHARED: &str = "/api/v1/shared/dashboard";

/// Orders a day; what happened; a note.
fn contents() -> [Value; 3] {
    let period = json!({"from": "2026-11-01", "to": "2026-11-02"});
    let asking = |kind: &str, more: Value| {
        let mut query = period.clone();
        query["kind"] = kind.into();
        query.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        query
    };
    [
        json!({"title": "Orders", "query": asking("trends", json!({"event_type": "order"}))}),
        json!({"title": "What happens", "query": asking("top_events", json!({}))}),
        json!({"title": "A note", "body": "*Look* here"}),
    ]
}

/// A shop with three orders and a dashboard with these insights. Returns the path of the dashboard.
async fn shop(stage: &Stage, contents: &[Value]) -> (Project, Person, String) {
    let shop = stage.project("UTC").await;
    let ada = Person::member(stage, shop.id, "ada", Role::Editor).await;
    let orders = ["2026-11-01T12:00:00Z", "2026-11-01T13:00:00Z", "2026-11-02T12:00:00Z"];
    tell(&mut stage.teller(), &shop, &orders.map(|time| did("bob", "order", time))).await;
    let made = ada.post(stage, DASHBOARDS, json!({"name": "Growth"})).await.good();
    let path = format!("{DASHBOARDS}/{}", made.id());
    for content in contents {
        let insight = ada.post(stage, INSIGHTS, content.clone()).await.good().id();
        ada.post(stage, &format!("{path}/insights/{insight}"), Value::Null).await.good();
    }
    (shop, ada, path)
}

#[actix_web::test]
async fn a_dashboard_shows_what_each_of_its_insights_would_answer_alone() {
    let stage = Stage::set().await;
    let (shop, ada, path) = shop(&stage, &contents()).await;
    let shown = ada.get(&stage, &format!("{path}/data")).await.good();
    let tiles = shown.body["data"].as_array().unwrap();
    let titles: Vec<&Value> = tiles.iter().map(|tile| &tile["title"]).collect();
    assert_eq!(titles, ["Orders", "What happens", "A note"]);
    for (tile, content) in tiles.iter().zip(contents()).take(2) {
        assert_eq!(tile["answer"], stage.answer(&shop, &content["query"]).await.body);
    }
    assert_eq!(tiles[0]["answer"]["data"][0]["values"], json!([2, 1]));
    assert_eq!(
        (&tiles[2]["answer"], &tiles[2]["body_html"]),
        (&Value::Null, &json!("<p><em>Look</em> here</p>\n"))
    );
    assert_eq!((&tiles[1]["x"], &tiles[1]["y"], &tiles[1]["width"]), (&json!(0), &json!(4), &json!(6)));

    let again = ada.get(&stage, &format!("{path}/data")).await.good();
    assert_eq!((&again.tag, &again.body), (&shown.tag, &shown.body));
    let known = ada.get_if_changed(&stage, &format!("{path}/data"), &shown.tag).await;
    assert_eq!(known.status, 304);

    let late = [did("eve", "order", "2026-11-02T13:00:00Z")];
    tell(&mut stage.teller(), &shop, &late).await;
    let changed = ada.get_if_changed(&stage, &format!("{path}/data"), &shown.tag).await.good();
    assert_eq!(
        changed.body["data"][0]["answer"]["data"][0]["values"],
        json!([2, 2]),
        "what came late is in it"
    );
}

#[actix_web::test]
async fn what_cannot_be_answered_is_alone_in_that_and_shows_its_last_answer() {
    let stage = Stage::set().await;
    let (shop, ada, path) = shop(&stage, &contents()).await;
    let data = format!("{path}/data");
    let first = ada.get(&stage, &data).await.good().body;
    let broker = stage.broker().await;
    API_LIMITS.set(&broker, shop.id, Some(&"1/h burst 1".parse().unwrap())).await.unwrap();
    let limited = wait::until_some("the limit is known", async || {
        let shown = ada.get(&stage, &data).await.good().body;
        let refused = |tile: &&Value| tile["error"]["status"] == 429;
        (shown["data"].as_array().unwrap().iter().filter(refused).count() == 2).then_some(shown)
    })
    .await;
    for (tile, before) in
        limited["data"].as_array().unwrap().iter().zip(first["data"].as_array().unwrap()).take(2)
    {
        assert_eq!((&tile["answer"], &tile["error"]["code"]), (&Value::Null, &json!("too_many_requests")));
        assert_eq!(tile["last_result"]["answer"], before["answer"]);
        assert!(tile["last_result"]["answered_at"].is_string(), "{tile}");
    }
    assert_eq!(limited["data"][2], first["data"][2], "a note asks nothing");

    let insight = format!("{INSIGHTS}/{}", first["data"][0]["insight_id"].as_str().unwrap());
    let kept = ada.get(&stage, &insight).await.good();
    assert_eq!(kept.body["last_result"]["answer"], first["data"][0]["answer"]);
    let renamed = ada.patch(&stage, &insight, &kept.tag, json!({"title": "Sales"})).await.good();
    assert_eq!(renamed.body["last_result"], kept.body["last_result"]);
    let asks_other = json!({"query": {"kind": "top_events", "last": "7d"}});
    let changed = ada.patch(&stage, &insight, &renamed.tag, asks_other).await.good();
    assert_eq!(changed.body["last_result"], Value::Null, "that was the answer to another question");
}

#[actix_web::test]
async fn whoever_has_a_link_sees_the_dashboard_and_nothing_besides() {
    let stage = Stage::set().await;
    let [orders, events, note] = contents();
    let secret = json!({"title": "Secret", "visibility": "private", "body": "for me alone"});
    let (shop, ada, path) = shop(&stage, &[orders, secret, events, note]).await;
    let link = ada.post(&stage, &format!("{path}/shares"), json!({})).await.good();
    let follow = |token: &str| stage.anonymous(SHARED).bearer_auth(token);
    let token = link.body["token"].as_str().unwrap().to_owned();
    let shown = follow(&token).send().await.unwrap();
    assert_eq!(
        (shown.status().as_u16(), header(&shown, "cache-control")),
        (200, "private, no-cache".to_owned())
    );
    let text = shown.text().await.unwrap();
    let body: Value = serde_json::from_str(&text).unwrap();
    let titles: Vec<&Value> = body["data"].as_array().unwrap().iter().map(|tile| &tile["title"]).collect();
    assert_eq!(titles, ["Orders", "What happens", "A note"]);
    assert_eq!(body["data"][0]["answer"]["data"][0]["values"], json!([2, 1]));
    for hidden in ["Secret", "for me alone", "@example.com", &ada.id.to_string()] {
        assert!(!text.contains(hidden), "{hidden} in {text}");
    }

    // It opens nothing else, and nothing else opens it.
    let insights = stage.anonymous(INSIGHTS).bearer_auth(&token);
    assert_eq!(problem(insights).await.0, 401);
    for other in ["mrs_made-up", "nonsense", "mr_made-up"] {
        assert_eq!(problem(follow(other)).await.0, 401, "{other}");
    }
    assert_eq!(problem(stage.anonymous(SHARED)).await.0, 401);

    let revoke = ada.delete(&stage, &format!("{path}/shares/{}", link.id()), None).await;
    assert_eq!(revoke.status, 204);
    let (status, refused) = problem(follow(&token)).await;
    assert_eq!((status, &refused["code"]), (401, &json!("unauthenticated")));

    let soon = chrono::Utc::now() + chrono::TimeDelta::seconds(1);
    let brief = ada.post(&stage, &format!("{path}/shares"), json!({"expires_at": soon})).await.good();
    let brief = brief.body["token"].as_str().unwrap().to_owned();
    wait::until("it has expired", async || follow(&brief).send().await.unwrap().status() == 401).await;

    let audited = wait::until_some("auth has written it down", async || {
        let filter = Filter { project: Some(shop.id), ..Filter::default() };
        let entries = audit::page(&mut *stage.connection().await, &filter, None, 10).await.unwrap();
        (entries.len() == 3).then_some(entries)
    })
    .await;
    let revoked = audited.iter().find(|entry| entry.action == "share.revoked").unwrap();
    assert_eq!((revoked.target_id.as_deref(), revoked.actor_id), (Some(link.id().as_str()), Some(ada.id.0)));
    assert_eq!(audited.iter().filter(|entry| entry.action == "share.created").count(), 2);
}

#[actix_web::test]
async fn a_link_to_a_private_dashboard_opens_nothing_once_its_owner_has_left() {
    let stage = Stage::set().await;
    let (shop, ada, open) = shop(&stage, &[]).await;
    let private = json!({"name": "Mine", "visibility": "private"});
    let private = format!("{DASHBOARDS}/{}", ada.post(&stage, DASHBOARDS, private).await.good().id());
    let link = async |path: &str| {
        let made = ada.post(&stage, &format!("{path}/shares"), json!({})).await.good();
        made.body["token"].as_str().unwrap().to_owned()
    };
    let (open, private) = (link(&open).await, link(&private).await);
    let follow = async |token: &str| {
        stage.anonymous(SHARED).bearer_auth(token).send().await.unwrap().status().as_u16()
    };
    assert_eq!((follow(&open).await, follow(&private).await), (200, 200));
    leave(&stage, ada.id, shop.id).await;
    assert_eq!((follow(&open).await, follow(&private).await), (200, 401), "what is the project's stays");
    join(&stage, ada.id, shop.id, Role::Viewer).await;
    assert_eq!(follow(&private).await, 200);
    stage.database.client().await.execute("DELETE FROM accounts WHERE id = $1", &[&ada.id.0]).await.unwrap();
    assert_eq!((follow(&open).await, follow(&private).await), (200, 401), "nobody sees it any more");
}

#[actix_web::test]
async fn a_link_is_followed_as_often_as_people_look() {
    let stage = Stage::set().await;
    let (_, ada, path) = shop(&stage, &[]).await;
    let link = async || {
        let made = ada.post(&stage, &format!("{path}/shares"), json!({})).await.good();
        made.body["token"].as_str().unwrap().to_owned()
    };
    let (one, other) = (link().await, link().await);
    let follow = async |token: &str| stage.anonymous(SHARED).bearer_auth(token).send().await.unwrap();
    for _ in 0..30 {
        assert_eq!(follow(&one).await.status(), 200);
    }
    let refused = wait::until_some("it was followed often", async || {
        Some(follow(&one).await).filter(|answer| answer.status() == 429)
    })
    .await;
    assert!(refused.headers().contains_key("retry-after"));
    assert_eq!(follow(&other).await.status(), 200);
}

#[actix_web::test]
async fn a_hundred_links_work_and_are_listed_page_by_page() {
    let stage = Stage::set().await;
    let (_, ada, path) = shop(&stage, &[]).await;
    let shares = format!("{path}/shares");
    let mut made = Vec::new();
    for _ in 0..100 {
        made.push(ada.post(&stage, &shares, json!({})).await.good().id());
    }
    let refused = ada.post(&stage, &shares, json!({})).await;
    assert_eq!((refused.status, &refused.body["code"]), (409, &json!("conflict")));
    assert!(refused.body["detail"].as_str().unwrap().contains("revoke one"), "{refused:?}");

    let (mut listed, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = ada.get(&stage, &format!("{shares}?limit=40{cursor}")).await.good().body;
        let data = page["data"].as_array().unwrap();
        listed.extend(data.iter().map(|share| share["id"].as_str().unwrap().to_owned()));
        let Some(next) = page["next_cursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(listed, made, "oldest first");

    // What has expired is none of the hundred.
    let expire = "UPDATE dashboard_shares SET expires_at = now() - interval '1 s' WHERE id::text = $1";
    stage.database.client().await.execute(expire, &[&made[0]]).await.unwrap();
    ada.post(&stage, &shares, json!({})).await.good();
}

#[actix_web::test]
async fn a_link_that_is_on_no_record_is_not_made() {
    let stage = Stage::with_wires().await;
    let (_, ada, path) = shop(&stage, &[]).await;
    let shares = format!("{path}/shares");
    ada.get(&stage, &shares).await.good();
    stage.nats_wire.cut();
    let refused = ada.post(&stage, &shares, json!({})).await;
    assert_eq!((refused.status, &refused.body["code"]), (503, &json!("unavailable")));
    stage.nats_wire.mend();
    let listed = wait::until_some("it is back", async || {
        Some(ada.get(&stage, &shares).await).filter(|reply| reply.status == 200)
    });
    assert_eq!(listed.await.body["data"], json!([]));
}
