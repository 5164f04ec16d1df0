//! What the product says of its API, held against what it does by a program that knows only the description.

use millrace_testkit::peers;
use millrace_testkit::sql_login::SqlLogin;
use reqwest::Client;
use serde_json::{Value, json};

use crate::product::Product;

const ADA: &str = "ada@example.com";
const PASSWORD: &str = "the mill turns at night";

/// The JSON of a successful answer.
async fn sent(request: reqwest::RequestBuilder) -> Value {
    let answer = request.send().await.unwrap();
    let (status, text) = (answer.status(), answer.text().await.unwrap());
    assert!(status.is_success(), "{status} {text}");
    serde_json::from_str(&text).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_is_as_the_description_of_the_api_says() {
    let product = Product::start("UTC").await;
    let sql = SqlLogin::made(&product.database).await;
    let client = Client::new();
    let post = |path: &str, body: Value| client.post(format!("{}/api/v1{path}", product.url)).json(&body);

    let ada = sent(post("/auth/register", json!({"email": ADA, "password": PASSWORD}))).await;
    let elsewhere = sent(post("/auth/login", json!({"email": ADA, "password": PASSWORD}))).await;
    let token = ada["access_token"].as_str().unwrap();
    let project = sent(post("/projects", json!({"name": "A story"})).bearer_auth(token)).await;
    let asked = json!({
        "url": product.url,
        "token": token,
        "other_token": elsewhere["access_token"],
        "ingest_key": product.ingest_key(),
        "read_key": product.read_key(),
        "project": project["id"],
    });
    let report = peers::run("openapi.py", &asked.to_string()).await;
    assert!(report.contains("No issues found"), "{report}");
    println!("{report}");
    sql.gone().await;
}
