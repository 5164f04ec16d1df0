//! One PostgreSQL connection with its statements prepared.

use std::time::Duration;

use tokio::task::JoinHandle;
use tokio_postgres::{Client, Config, NoTls};

use super::statements::Statements;
use crate::database::DECOMPRESS_ALL;
use crate::error::StorageError;

/// How long a connection may take to be made, and how long the server may leave sent bytes unacknowledged.
const NETWORK_TIMEOUT: Duration = Duration::from_secs(5);

/// A worker that is gone without a word is noticed within a minute: it holds locks that others wait for.
const SETTINGS: &str = "-c timezone=UTC -c tcp_keepalives_idle=30 -c tcp_keepalives_interval=10 \
                        -c tcp_keepalives_count=3 -c client_connection_check_interval=5s";

#[derive(Debug)]
pub(super) struct Session {
    pub(super) client: Client,
    pub(super) statements: Statements,
    /// The turn that it has.
    pub(super) turn: Option<i32>,
    driver: JoinHandle<()>,
}

impl Session {
    pub(super) async fn connect(url: &str, statement_timeout: Duration) -> Result<Self, StorageError> {
        let mut config: Config = url.parse()?;
        config
            .application_name("millrace-append")
            .connect_timeout(NETWORK_TIMEOUT)
            .tcp_user_timeout(NETWORK_TIMEOUT + statement_timeout)
            .options(format!("-c statement_timeout={} {SETTINGS}", statement_timeout.as_millis()));
        let connecting = tokio::time::timeout(NETWORK_TIMEOUT, config.connect(NoTls));
        let (client, connection) = connecting
            .await
            .map_err(|_elapsed| StorageError::Unavailable("no connection in time".to_owned()))??;
        let driver = tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::warn!(%error, "the append connection broke");
            }
        });
        client.batch_execute(DECOMPRESS_ALL).await?;
        let statements = Statements::prepare(&client).await?;
        Ok(Self { client, statements, turn: None, driver })
    }

    pub(super) fn is_open(&self) -> bool {
        !self.client.is_closed()
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.driver.abort();
    }
}
