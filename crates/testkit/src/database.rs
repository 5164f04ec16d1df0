//! A fresh database for a test: a copy of a template that was migrated once.

use std::sync::OnceLock;
use std::time::Duration;

use tokio_postgres::{Client, NoTls};
use url::Url;
use uuid::Uuid;

use crate::{servers, wait};

/// Migrating and copying the template exclude each other, across processes.
const TEMPLATE_LOCK: i64 = 7_205_759_403_792_793_700;

/// A migrated database that is dropped with this value.
#[derive(Debug)]
pub struct TestDatabase {
    name: String,
}

impl TestDatabase {
    /// Creates a database from the template, which is made first if this is the first test that needs it.
    pub async fn create() -> Self {
        let admin = connect(&servers::database_url()).await;
        // One at a time: a template cannot be copied while it is being made or copied by a session that is connected.
        admin.execute("SELECT pg_advisory_lock($1)", &[&TEMPLATE_LOCK]).await.unwrap();
        let template = template(&admin).await;
        let name = format!("test_{}", Uuid::now_v7().simple());
        admin.batch_execute(&format!("CREATE DATABASE {name} TEMPLATE {template}")).await.unwrap();
        Self { name }
    }

    /// A database without a schema.
    pub async fn empty() -> Self {
        let admin = connect(&servers::database_url()).await;
        let name = format!("test_{}", Uuid::now_v7().simple());
        admin.batch_execute(&format!("CREATE DATABASE {name}")).await.unwrap();
        Self { name }
    }

    /// Its address.
    pub fn url(&self) -> String {
        url_of(&self.name)
    }

    /// A connection that speaks SQL, to look behind the product.
    pub async fn client(&self) -> Client {
        connect(&self.url()).await
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        let name = self.name.clone();
        // A runtime may be running on this thread; dropping must not depend on it.
        let dropping = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(drop_database(&name));
        });
        if !std::thread::panicking() {
            dropping.join().expect("the database can be dropped");
        }
    }
}

/// Tries until it succeeds: a vacuum that is at work in the database belongs to the server, and cannot be ended by us.
async fn drop_database(name: &str) {
    let admin = connect(&servers::database_url()).await;
    let sql = format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)");
    wait::until("the database can be dropped", async || admin.batch_execute(&sql).await.is_ok()).await;
}

async fn template(admin: &Client) -> &'static str {
    static NAME: OnceLock<String> = OnceLock::new();
    // A template per set of migrations: an older one in a server that is kept is not taken for this one.
    let name = NAME.get_or_init(|| format!("template_{}", millrace_storage::migrations::fingerprint()));
    let ready = "SELECT 1 FROM pg_database WHERE datname = $1 AND NOT datallowconn";
    if admin.query_opt(ready, &[name]).await.unwrap().is_none() {
        admin.batch_execute(&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).await.unwrap();
        admin.batch_execute(&format!("CREATE DATABASE {name}")).await.unwrap();
        let url = url_of(name);
        // The migration harness blocks its thread, which a current-thread runtime does not allow.
        tokio::task::spawn_blocking(move || {
            let runtime =
                tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
            runtime
                .block_on(millrace_storage::migrations::apply(&url, Duration::from_secs(7 * 24 * 3600)))
                .unwrap();
        })
        .await
        .unwrap();
        admin.batch_execute(&format!("ALTER DATABASE {name} WITH ALLOW_CONNECTIONS false")).await.unwrap();
    }
    name
}

fn url_of(name: &str) -> String {
    let mut url: Url = servers::database_url().parse().expect("MILLRACE_TEST_DATABASE_URL is a URL");
    url.set_path(name);
    url.into()
}

async fn connect(url: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.expect("PostgreSQL answers");
    tokio::spawn(connection);
    client
}
