use chrono::Utc;
use millrace_domain::batch::EventBatch;
use millrace_messaging::publisher;
use millrace_messaging::source::Source;
use millrace_messaging::trace::Origin;
use millrace_testkit::story::did;
use serde_json::{Value, json};

use crate::bench_of_work::{Bench, Hired};
use crate::geoip;

const FIREFOX: &str = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:121.0) Gecko/20100101 Firefox/121.0";
const GOOGLEBOT: &str = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)";

#[tokio::test(flavor = "multi_thread")]
async fn what_follows_from_an_event_and_its_request_is_stored_with_it() {
    let bench = Bench::new().await;
    let folder = tempfile::tempdir().unwrap();
    let countries = folder.path().join("countries.mmdb");
    std::fs::write(&countries, geoip::of_documentation_addresses("IN")).unwrap();
    let at = "2026-11-01T12:00:00Z";
    let page = "https://shop.example/sale?utm_source=mail&utm_campaign=spring%00%0A%20sale";
    let events = [
        did("ada", "page_view", at)
            .with("properties", json!({"url": page, "referrer": "https://www.example.org/post"})),
        did("bob", "page_view", at)
            .with("context", json!({"$os": "BeOS", "ip": "192.0.2.9", "userAgent": GOOGLEBOT})),
        did("server", "invoice_sent", at),
    ];
    let events = events.map(|event| event.event()).to_vec();
    let browser = Source::of("a").with_user_agent(Some(FIREFOX)).with_address("192.0.2.7".parse().ok());
    let elsewhere = Source::of("b").with_user_agent(Some(FIREFOX)).with_address("198.51.100.1".parse().ok());
    let backend = Source::of("c").with_user_agent(Some("python-requests/2.32"));
    let origins = [browser, elsewhere, backend].map(|source| Origin { events: 1, ..source.into() });
    let batch = EventBatch { project_id: bench.shop, received_at: Utc::now(), events };
    publisher::publish(&bench.broker, &batch, &origins).await.unwrap();
    let mut config = bench.config();
    config.geoip_database = Some(countries);
    let worker = Hired::with(config).await;
    bench.until_the_log_is_empty().await;
    worker.dismiss().await;

    let client = bench.database.client().await;
    let rows = client.query("SELECT context::text FROM events ORDER BY user_id", &[]).await.unwrap();
    let contexts: Vec<Value> = rows
        .iter()
        .map(|row| {
            row.get::<_, Option<&str>>(0).map_or(Value::Null, |text| serde_json::from_str(text).unwrap())
        })
        .collect();
    assert_eq!(
        contexts,
        [
            json!({
                "$browser": "Firefox", "$browser_version": "121.0", "$os": "Windows 10", "$os_version": "NT 10.0",
                "$device": "desktop", "$country": "IN", "$utm_source": "mail", "$utm_campaign": "spring sale",
                "$referrer": "https://www.example.org/post", "$referring_domain": "example.org",
            }),
            json!({
                "$os": "BeOS", "ip": "192.0.2.9", "userAgent": GOOGLEBOT, "$browser": "Googlebot", "$bot": true,
                "$country": "IN",
            }),
            Value::Null,
        ]
    );
}
