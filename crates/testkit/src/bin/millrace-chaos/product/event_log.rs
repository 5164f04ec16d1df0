//! The log: filled up, and waited for.

use std::time::{Duration, Instant};

use anyhow::bail;
use async_nats::jetstream;

use super::{EVENTS_BYTES, Product, logs};

impl Product {
    /// For a while the log has no room for more.
    pub async fn fill_the_log(&self, lasting: Duration) -> anyhow::Result<()> {
        // A service that starts meanwhile gives the log its room back.
        self.resize_log(|bytes| bytes.max(1)).await?;
        tokio::time::sleep(lasting).await;
        self.resize_log(|_| EVENTS_BYTES).await
    }

    async fn resize_log(&self, size: impl Fn(i64) -> i64) -> anyhow::Result<()> {
        let jetstream = self.jetstream().await?;
        let stream = jetstream.get_stream("EVENTS").await?;
        let mut config = stream.cached_info().config.clone();
        config.max_bytes = size(i64::try_from(stream.cached_info().state.bytes)?);
        jetstream.update_stream(config).await?;
        Ok(())
    }

    /// JetStream, by a wire that nobody cuts.
    pub async fn jetstream(&self) -> anyhow::Result<jetstream::Context> {
        let deadline = Instant::now() + Duration::from_secs(30);
        let url: url::Url = self.nats.url().parse()?;
        loop {
            let options = async_nats::ConnectOptions::with_user_and_password(
                url.username().to_owned(),
                url.password().unwrap_or_default().to_owned(),
            );
            match options.connect(url.as_str()).await {
                Ok(client) => return Ok(jetstream::new(client)),
                Err(error) if Instant::now() > deadline => return Err(error.into()),
                Err(_starting) => tokio::time::sleep(Duration::from_millis(100)).await,
            }
        }
    }

    /// Until every message is settled.
    pub async fn until_the_log_is_empty(&self, patience: Duration) -> anyhow::Result<()> {
        let deadline = Instant::now() + patience;
        let jetstream = self.jetstream().await?;
        loop {
            // A broker that was killed takes a moment to find its streams again.
            let waiting =
                jetstream.get_stream("EVENTS").await.map(|stream| stream.cached_info().state.messages);
            match waiting {
                Ok(0) => return Ok(()),
                waiting if Instant::now() > deadline => {
                    bail!(
                        "the log is not empty after {patience:?}: {waiting:?}; the logs are in {}",
                        logs().display()
                    )
                }
                _ => tokio::time::sleep(Duration::from_millis(100)).await,
            }
        }
    }
}
