//! A NATS account for a test. Streams and subjects have fixed names, so tests that run side by side need a world each.

use async_nats::{ConnectOptions, jetstream};
use futures_util::TryStreamExt;
use tokio_postgres::{Client, NoTls};
use url::Url;

use crate::servers;

/// The accounts that the test servers are configured with: `t00` to `t31`.
const ACCOUNTS: i32 = 32;
/// The class of the advisory locks by which tests share the accounts out.
const LOCK_CLASS: i32 = 7_205;

/// An account that nobody else uses for as long as this value lives.
#[derive(Debug)]
pub struct TestNats {
    url: String,
    _lock: Client,
}

impl TestNats {
    /// Takes a free account and empties it.
    pub async fn isolated() -> Self {
        let (client, connection) =
            tokio_postgres::connect(&servers::database_url(), NoTls).await.expect("PostgreSQL answers");
        tokio::spawn(connection);
        let account = crate::wait::until_some("a free NATS account", async || {
            for account in 0..ACCOUNTS {
                let row =
                    client.query_one("SELECT pg_try_advisory_lock($1, $2)", &[&LOCK_CLASS, &account]).await;
                if row.expect("PostgreSQL answers").get(0) {
                    return Some(account);
                }
            }
            None
        })
        .await;
        let mut url: Url = servers::nats_url().parse().expect("MILLRACE_TEST_NATS_URL is a URL");
        let user = format!("t{account:02}");
        url.set_username(&user)
            .and_then(|()| url.set_password(Some(&user)))
            .expect("a NATS URL may hold a user");
        empty(&url, &user).await;
        Self { url: url.into(), _lock: client }
    }

    /// Its address, with the account's user.
    pub fn url(&self) -> &str {
        &self.url
    }
}

async fn empty(url: &Url, user: &str) {
    let options = ConnectOptions::with_user_and_password(user.to_owned(), user.to_owned());
    let jetstream = jetstream::new(options.connect(url.as_str()).await.expect("NATS answers"));
    let names: Vec<String> = jetstream.stream_names().try_collect().await.expect("JetStream answers");
    for name in names {
        jetstream.delete_stream(name).await.expect("a stream can be deleted");
    }
}
