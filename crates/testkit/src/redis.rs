//! A Redis database for a test whose keys carry no project's id.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_postgres::{Client, NoTls};
use url::Url;

use crate::servers;

/// The databases of a Redis that nobody configured: 0, which is shared, to 15.
const DATABASES: std::ops::Range<i32> = 1..16;
/// The class of the advisory locks by which tests share the databases out.
const LOCK_CLASS: i32 = 7_206;

/// A database that nobody else uses for as long as this value lives.
#[derive(Debug)]
pub struct TestRedis {
    url: String,
    _lock: Client,
}

impl TestRedis {
    /// Takes a free database and empties it.
    pub async fn isolated() -> Self {
        let (client, connection) =
            tokio_postgres::connect(&servers::database_url(), NoTls).await.expect("PostgreSQL answers");
        tokio::spawn(connection);
        let database = crate::wait::until_some("a free Redis database", async || {
            for database in DATABASES {
                let row =
                    client.query_one("SELECT pg_try_advisory_lock($1, $2)", &[&LOCK_CLASS, &database]).await;
                if row.expect("PostgreSQL answers").get(0) {
                    return Some(database);
                }
            }
            None
        })
        .await;
        let mut url: Url = servers::redis_url().parse().expect("MILLRACE_TEST_REDIS_URL is a URL");
        empty(&url, database).await;
        url.set_path(&database.to_string());
        Self { url: url.into(), _lock: client }
    }

    /// Its address.
    pub fn url(&self) -> &str {
        &self.url
    }
}

async fn empty(url: &Url, database: i32) {
    const DONE: &[u8] = b"+OK\r\n+OK\r\n";
    let host = url.host_str().expect("the URL has a host");
    let mut redis = TcpStream::connect((host, url.port().unwrap_or(6379))).await.expect("Redis answers");
    redis.write_all(format!("SELECT {database}\r\nFLUSHDB\r\n").as_bytes()).await.expect("Redis listens");
    let mut answer = [0; DONE.len()];
    redis.read_exact(&mut answer).await.expect("Redis answers");
    assert_eq!(answer, DONE, "Redis empties database {database}");
}
