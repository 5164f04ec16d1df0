//! Files in and out, and a user who wants to be forgotten, by way of the gateway.

use millrace_domain::access::Role;
use millrace_storage::database::{Database, PoolSettings};
use millrace_storage::{accounts, members};
use millrace_testkit::wait;
use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};

use crate::product::Product;

/// Somebody at the front door.
struct Person<'a> {
    product: &'a Product,
    token: String,
}

impl<'a> Person<'a> {
    /// Somebody who registers; a member with `role`, if there is one.
    async fn arrives(product: &'a Product, name: &str, role: Option<Role>) -> Self {
        let email = format!("{name}@example.com");
        let credentials = json!({"email": email, "password": "a mill wheel turns slowly"});
        let registered =
            product.client.post(format!("{}/api/v1/auth/register", product.url)).json(&credentials);
        assert_eq!(registered.send().await.unwrap().status(), 201);
        if let Some(role) = role {
            let pool = Database::new(&product.database.url(), PoolSettings::named("test")).unwrap();
            let mut conn = pool.connection().await.unwrap();
            let account = accounts::find_by_email(&mut conn, &email).await.unwrap().unwrap();
            members::set(&mut conn, product.project, account.id, role).await.unwrap();
        }
        let login = product.client.post(format!("{}/api/v1/auth/login", product.url)).json(&credentials);
        let granted: Value = login.send().await.unwrap().json().await.unwrap();
        Self { product, token: granted["access_token"].as_str().unwrap().to_owned() }
    }

    fn to(&self, method: Method, path: &str) -> RequestBuilder {
        self.product.client.request(method, format!("{}{path}", self.product.url)).bearer_auth(&self.token)
    }

    async fn asks_for(&self, job: Value) -> (StatusCode, Value) {
        let answer = self.to(Method::POST, "/api/v1/jobs").json(&job).send().await.unwrap();
        (answer.status(), answer.json().await.unwrap())
    }

    async fn sees(&self, job: &Value) -> (StatusCode, Value) {
        let path = format!("/api/v1/jobs/{}", job["id"].as_str().unwrap());
        let answer = self.to(Method::GET, &path).send().await.unwrap();
        (answer.status(), answer.json().await.unwrap())
    }

    /// The job once it has succeeded.
    async fn waits_for(&self, job: &Value) -> Value {
        wait::until_some("the job ends", async || {
            let (_, job) = self.sees(job).await;
            let ended = ["succeeded", "failed", "cancelled"].contains(&job["status"].as_str().unwrap());
            ended.then(|| {
                assert_eq!(job["status"], "succeeded", "{job}");
                job
            })
        })
        .await
    }

    async fn downloads(&self, job: &Value) -> reqwest::Response {
        self.to(Method::GET, job["download"].as_str().unwrap()).send().await.unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_comes_in_and_goes_out_and_a_user_is_forgotten() {
    let product = Product::start("Europe/Paris").await;
    let editor = Person::arrives(&product, "editor", Some(Role::Editor)).await;
    let viewer = Person::arrives(&product, "viewer", Some(Role::Viewer)).await;
    let owner = Person::arrives(&product, "owner", Some(Role::Owner)).await;
    let stranger = Person::arrives(&product, "stranger", None).await;

    // More than the body of any other request may have.
    let mut file = "ts,user_id,event_type,note\n".to_owned();
    for n in 0..3_000 {
        let (day, hour) = (1 + n % 28, n % 24);
        file += &format!("2026-10-{day:02}T{hour:02}:00:00Z,user-{},view,{}\n", n % 50, "x".repeat(4_000));
    }
    file += "never,user-1,view,\n";
    assert!(file.len() > 11 << 20);
    let import = "/api/v1/jobs/import?name=history.csv&map=ts=occurred_at";
    let refused = viewer.to(Method::POST, import).body(file.clone()).send().await.unwrap();
    assert_eq!(refused.status(), 403);
    let accepted = editor.to(Method::POST, import).body(file).send().await.unwrap();
    assert_eq!(accepted.status(), 202);
    let job: Value = accepted.json().await.unwrap();
    let job = editor.waits_for(&job).await;
    assert_eq!((&job["result"]["stored"], &job["result"]["rejected"]), (&json!(3_000), &json!(1)));
    let rejected = editor.downloads(&job).await.text().await.unwrap();
    assert!(rejected.contains("3002,invalid_occurred_at") && rejected.contains("never,user-1"), "{rejected}");
    assert_eq!(product.ask("top-events?from=2026-10-01&to=2026-10-31").await[0]["count"], 3_000);

    // Whose jobs they are not do not learn that there are any.
    assert_eq!(stranger.sees(&job).await.0, 404);
    assert_eq!(viewer.sees(&job).await.0, 200);
    let listed: Value =
        viewer.to(Method::GET, "/api/v1/jobs?kind=import").send().await.unwrap().json().await.unwrap();
    assert_eq!(listed["data"].as_array().unwrap().len(), 1);

    let (status, export) = editor.asks_for(json!({"kind": "export", "parameters": {"format": "csv"}})).await;
    assert_eq!(status, 202, "{export}");
    let export = editor.waits_for(&export).await;
    let answer = viewer.downloads(&export).await;
    assert_eq!(answer.headers()["content-type"], "text/csv; charset=utf-8");
    assert!(
        answer.headers()["content-disposition"]
            .to_str()
            .unwrap()
            .starts_with("attachment; filename=\"export-")
    );
    let length: u64 = answer.headers()["content-length"].to_str().unwrap().parse().unwrap();
    let exported = answer.text().await.unwrap();
    assert_eq!((exported.lines().count(), exported.len() as u64), (3_001, length));

    // What cannot be done is refused at once, with the field.
    let (status, refused) = editor.asks_for(json!({"kind": "export", "parameters": {"format": "xls"}})).await;
    assert_eq!((status.as_u16(), &refused["errors"][0]["field"]), (422, &json!("parameters")));
    let (status, refused) = editor.asks_for(json!({"kind": "dance"})).await;
    assert_eq!((status.as_u16(), &refused["errors"][0]["field"]), (422, &json!("kind")));
    assert_eq!(
        owner.asks_for(json!({"kind": "statistics"})).await.0,
        403,
        "maintenance is the installation's"
    );

    let forget = json!({"kind": "delete_user", "parameters": {"user_id": "user-7"}});
    assert_eq!(editor.asks_for(forget.clone()).await.0, 403);
    let (status, job) = owner.asks_for(forget).await;
    assert_eq!(status, 202, "{job}");
    let job = owner.waits_for(&job).await;
    assert_eq!((&job["result"]["events"], &job["parameters"]["user_id"]), (&json!(60), &Value::Null));
    assert_eq!(editor.downloads(&export).await.status(), 409, "the export had them in it");
    wait::until("the answers are without them", async || {
        product.ask("top-events?from=2026-10-01&to=2026-10-31").await[0]["count"] == 2_940
    })
    .await;
    let audit = format!("/api/v1/audit?project_id={}&action=job.", product.project);
    wait::until("the log says who wanted it", async || {
        let log: Value = owner.to(Method::GET, &audit).send().await.unwrap().json().await.unwrap();
        let log = log["data"].as_array().unwrap().clone();
        log.len() == 2
            && log[0]["action"] == "job.user_deletion_started"
            && log[0]["target"]["id"] == job["id"]
    })
    .await;

    // Another zone: the roll-ups are rebuilt.
    let path = format!("/api/v1/projects/{}", product.project);
    let changed =
        owner.to(Method::PATCH, &path).json(&json!({"timezone": "Asia/Tokyo", "retention_days": 3_650}));
    let changed: Value = changed.send().await.unwrap().json().await.unwrap();
    assert_eq!((&changed["timezone"], &changed["retention_days"]), (&json!("Asia/Tokyo"), &json!(3_650)));
    let listed: Value =
        owner.to(Method::GET, "/api/v1/jobs?kind=rebuild").send().await.unwrap().json().await.unwrap();
    owner.waits_for(&listed["data"][0]).await;
    millrace_testkit::recount::assert_roll_ups_equal_the_events(
        &product.database,
        product.project,
        "Asia/Tokyo",
    )
    .await;
}
