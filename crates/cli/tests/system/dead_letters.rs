use millrace_testkit::story::did;
use millrace_testkit::wait;
use serde_json::json;

use crate::product::Product;

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_mends_what_was_wrong_and_replays_what_was_refused() {
    let product = Product::start("UTC").await;
    let client = product.database.client().await;
    client.batch_execute("ALTER TABLE events ADD CONSTRAINT law CHECK (user_id <> 'mallory')").await.unwrap();
    let users = ["ada", "mallory", "bob", "mallory"];
    let events: Vec<_> = users.iter().map(|user| did(user, "login", "2026-11-01T12:00:00Z").json()).collect();
    let sent = reqwest::Client::new()
        .post(format!("{}/api/v1/events?wait=stored", product.url))
        .bearer_auth(product.ingest_key())
        .header("x-request-id", "story-1")
        .json(&json!(events));
    let told: serde_json::Value = sent.send().await.unwrap().json().await.unwrap();
    assert_eq!((&told["accepted"], &told["rejected"]), (&json!(2), &json!(2)), "{told}");

    let url = product.database.url();
    let create = ["admin", "create-user", "root@example.com", "--admin"];
    let (code, printed) = product.millrace_with(&[("DATABASE_URL", &url)], &create).await;
    assert_eq!(code, 0, "{printed}");
    let password = printed.lines().next().unwrap();
    let account = [("MILLRACE_ADMIN_EMAIL", "root@example.com"), ("MILLRACE_ADMIN_PASSWORD", password)];
    let dead_letters = async |arguments: &[&str]| {
        let arguments = [&["admin", "dead-letters"], arguments].concat();
        let (code, printed) = product.millrace_with(&account, &arguments).await;
        assert_eq!(code, 0, "{printed}");
        printed
    };
    let listed = dead_letters(&["list", "--reason", "refused"]).await;
    assert_eq!(listed.lines().filter(|line| line.contains("login by mallory")).count(), 2, "{listed}");
    let listed = dead_letters(&["list", "--json"]).await;
    let letter: serde_json::Value = serde_json::from_str(listed.lines().next().unwrap()).unwrap();
    assert_eq!(letter["request_ids"], json!(["story-1"]));
    assert_eq!((letter["key_ids"].as_array().unwrap().len(), &letter["deliveries"]), (1, &json!(1)));

    client.batch_execute("ALTER TABLE events DROP CONSTRAINT law").await.unwrap();
    let id = letter["id"].to_string();
    assert!(dead_letters(&["replay", &id]).await.contains("1 dead letters"), "the one that is named");
    let project = product.project.to_string();
    assert!(dead_letters(&["drop", "--project", &project]).await.contains("1 dead letters"), "the other");
    assert_eq!(dead_letters(&["list"]).await, "");
    wait::until("it is stored", async || {
        let row = client.query_one("SELECT count(*) FROM events", &[]).await.unwrap();
        row.get::<_, i64>(0) == 3
    })
    .await;
}
