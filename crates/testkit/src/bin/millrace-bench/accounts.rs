//! Token checks, and what a storm of logins does to everything else.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::Context;
use millrace_security::password::{Cost, Password};
use millrace_storage::accounts::{self, NewAccount};
use millrace_storage::database::{Database, PoolSettings};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::probe::Probe;
use crate::product::Product;
use crate::report::Report;

const TIME: Duration = Duration::from_secs(10);
const CONNECTIONS: u32 = 64;
/// Requests a second that measure how long things take.
const PROBES: u32 = 200;
/// Logins a second that are asked for: many times what two cores can try.
const LOGINS: u32 = 50;
const PEOPLE: u32 = 50;
const PASSWORD: &str = "the mill turns at night";

pub async fn measure(report: &mut Report) -> anyhow::Result<()> {
    let product = Product::start(&["auth", "ingest", "worker", "gateway"]).await?;
    create_people(&product).await?;
    let client = reqwest::Client::new();
    let login = format!("{}/api/v1/auth/login", product.url());
    let granted: Value = client.post(&login).json(&person(0)).send().await?.json().await?;
    let token = granted["access_token"].as_str().context("somebody can sign in")?;

    let (gateway, auth): (SocketAddr, SocketAddr) = (product.address("gateway")?, product.address("auth")?);
    let alive = Probe::get(gateway, "/health/live", "");
    let check = Probe::get(gateway, "/api/v1/auth/verify", &format!("Authorization: Bearer {token}\r\n"));
    let auth_alive = Probe::get(auth, "/health/live", "");

    let limit = alive.flat_out(CONNECTIONS, TIME).await?;
    let checks = check.flat_out(CONNECTIONS, TIME).await?;
    report.compare(
        "token checks through the gateway",
        checks.per_second,
        "requests/s",
        "/health/live of the gateway",
        limit.per_second,
    );
    report.add("latency of a token check, p50", checks.millis(0.50), "ms");
    report.add("latency of a token check, p99", checks.millis(0.99), "ms");

    let idle = (auth_alive.at_rate(PROBES, TIME).await?, check.at_rate(PROBES, TIME).await?);
    let (storm, busy) = tokio::join!(log_in_all_the_time(&client, &login), async {
        // The first logins are a wave of their own.
        tokio::time::sleep(Duration::from_secs(2)).await;
        anyhow::Ok((auth_alive.at_rate(PROBES, TIME).await?, check.at_rate(PROBES, TIME).await?))
    });
    let (storm, busy) = (storm?, busy?);
    report.compare(
        "/health/live of auth during logins, p99",
        busy.0.millis(0.99),
        "ms",
        "without",
        idle.0.millis(0.99),
    );
    report.compare(
        "token check during logins, p99",
        busy.1.millis(0.99),
        "ms",
        "without",
        idle.1.millis(0.99),
    );
    let seconds = STORM.as_secs_f64();
    report.add("logins asked for", storm.asked as f64 / seconds, "1/s");
    report.add("logins that succeeded", storm.succeeded as f64 / seconds, "1/s");
    Ok(())
}

/// Both probes, and the two seconds before them.
const STORM: Duration = Duration::from_secs(22);

struct Storm {
    asked: u64,
    succeeded: u64,
}

/// People who sign in, each with the right password, whether or not those before them have got in.
async fn log_in_all_the_time(client: &reqwest::Client, url: &str) -> anyhow::Result<Storm> {
    let succeeded = Arc::new(AtomicU64::new(0));
    let mut tries = JoinSet::new();
    let mut ticks = tokio::time::interval(Duration::from_secs(1) / LOGINS);
    let total = STORM.as_secs() * u64::from(LOGINS);
    for number in 0..total {
        ticks.tick().await;
        let request = client.post(url).json(&person(u32::try_from(number)? % PEOPLE));
        let succeeded = Arc::clone(&succeeded);
        tries.spawn(async move {
            if request.send().await.is_ok_and(|answer| answer.status().is_success()) {
                succeeded.fetch_add(1, Ordering::Relaxed);
            }
        });
    }
    while tries.join_next().await.is_some() {}
    Ok(Storm { asked: total, succeeded: succeeded.load(Ordering::Relaxed) })
}

async fn create_people(product: &Product) -> anyhow::Result<()> {
    let hash = Password::parse(PASSWORD)?.hash(Cost::default())?;
    let pool = Database::new(&product.database.url(), PoolSettings::named("bench"))?;
    let mut conn = pool.connection().await?;
    for number in 0..PEOPLE {
        let email = email(number);
        let new = NewAccount {
            email: &email,
            password_hash: Some(&hash),
            full_name: None,
            is_admin: false,
            email_verified: true,
        };
        accounts::create(&mut conn, new).await?;
    }
    Ok(())
}

fn email(number: u32) -> String {
    format!("person-{number}@example.com")
}

fn person(number: u32) -> Value {
    json!({"email": email(number), "password": PASSWORD})
}
