//! The connection to NATS.

use std::time::Duration;

use async_nats::connection::State;
use async_nats::jetstream::{self, context::ContextBuilder};
use async_nats::{Client, ConnectOptions, Event, ServerAddr};
use tokio::sync::watch;

use crate::error::MessagingError;
use crate::room::Room;

/// A connection that reconnects by itself for as long as the process lives. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Broker {
    pub(crate) client: Client,
    pub(crate) jetstream: jetstream::Context,
    connects: watch::Receiver<u64>,
    pub(crate) room: Room,
}

impl Broker {
    /// Connects, or fails at once: a service that starts without its broker says so and ends. `publish_timeout` is
    /// how long JetStream may take to acknowledge.
    ///
    /// # Errors
    /// When the broker does not answer.
    pub async fn connect(
        url: &str,
        service: &str,
        publish_timeout: Duration,
    ) -> Result<Self, MessagingError> {
        Self::build(url, service, publish_timeout, false).await
    }

    /// Connects in the background, for a service that has work to do while the broker is away.
    ///
    /// # Errors
    /// When the address is none.
    pub async fn connect_in_time(
        url: &str,
        service: &str,
        publish_timeout: Duration,
    ) -> Result<Self, MessagingError> {
        Self::build(url, service, publish_timeout, true).await
    }

    async fn build(
        url: &str,
        service: &str,
        publish_timeout: Duration,
        in_time: bool,
    ) -> Result<Self, MessagingError> {
        let (sender, connects) = watch::channel(0u64);
        let address: ServerAddr = url.parse().map_err(MessagingError::unavailable)?;
        // The client library reads an address's user and password and does not use them.
        let options = match (address.username(), address.password()) {
            (Some(user), Some(password)) => {
                ConnectOptions::with_user_and_password(user.to_owned(), password.to_owned())
            }
            (Some(token), None) => ConnectOptions::with_token(token.to_owned()),
            _ => ConnectOptions::new(),
        };
        let options = if in_time { options.retry_on_initial_connect() } else { options };
        let client = options
            .name(format!("millrace-{service}"))
            .connection_timeout(Duration::from_secs(5))
            .ping_interval(Duration::from_secs(10))
            .reconnect_delay_callback(|attempt| {
                Duration::from_millis(
                    u64::try_from(attempt).unwrap_or(u64::MAX).saturating_mul(50).clamp(50, 1_000),
                )
            })
            .event_callback(move |event| {
                match &event {
                    Event::Connected => sender.send_modify(|connects| *connects += 1),
                    other => tracing::warn!(event = %other, "the connection to the broker changed"),
                }
                std::future::ready(())
            })
            .connect(address)
            .await
            .map_err(MessagingError::unavailable)?;
        let jetstream = ContextBuilder::new().timeout(publish_timeout).build(client.clone());
        Ok(Self { client, jetstream, connects, room: Room::default() })
    }

    /// Whether the broker answers, JetStream included.
    ///
    /// # Errors
    /// When it does not.
    pub async fn ping(&self) -> Result<(), MessagingError> {
        self.check_connected()?;
        self.jetstream.query_account().await.map(drop).map_err(MessagingError::unavailable)
    }

    /// Fails at once while there is no connection, where a publish would wait in the client's buffer.
    ///
    /// # Errors
    /// [`MessagingError::Unavailable`].
    pub fn check_connected(&self) -> Result<(), MessagingError> {
        match self.client.connection_state() {
            State::Connected => Ok(()),
            state => Err(MessagingError::Unavailable(format!("not connected ({state})"))),
        }
    }

    /// Fails at once when the log was full a moment ago: to be asked before the work that a refusal would make vain.
    ///
    /// # Errors
    /// [`MessagingError::Full`].
    pub fn has_room(&self) -> Result<(), MessagingError> {
        self.room.check()
    }

    /// Changes whenever a connection is made. What was broadcast before may have been missed.
    pub(crate) fn connects(&self) -> watch::Receiver<u64> {
        self.connects.clone()
    }

    /// Sends what is still buffered, and closes.
    pub async fn close(&self) {
        if let Err(error) = self.client.drain().await {
            tracing::debug!(%error, "the broker's client was closed already");
        }
    }

    /// The client itself, for protocols that this crate does not wrap.
    #[must_use]
    pub fn client(&self) -> &Client {
        &self.client
    }
}
