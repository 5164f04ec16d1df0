//! The broadcast that something was revoked. It says what; listeners that remember answers of auth forget all of them,
//! because revocations are rare and a question to auth is cheap.

use futures_util::StreamExt;
use millrace_domain::ids::{AccountId, KeyId};
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use crate::broker::Broker;
use crate::error::MessagingError;
use crate::subjects;

/// What was revoked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Revoked {
    /// An API key.
    Key {
        /// Its public id.
        key_id: KeyId,
    },
    /// Access tokens of an account: a session of it has ended, or several.
    Sessions {
        /// The account.
        account_id: AccountId,
    },
    /// Access tokens of everybody: the keys that sign them have changed.
    SigningKeys,
    /// What is remembered of an account's roles: they are others now, more or fewer.
    Roles {
        /// The account.
        account_id: AccountId,
    },
}

/// Tells every service.
///
/// # Errors
/// When the broker is away. Services then find out when what they remember expires.
pub async fn announce(broker: &Broker, revoked: &Revoked) -> Result<(), MessagingError> {
    broker.check_connected()?;
    let payload = serde_json::to_vec(revoked).map_err(MessagingError::unavailable)?;
    broker.client.publish(subjects::REVOKED, payload.into()).await.map_err(MessagingError::unavailable)?;
    broker.client.flush().await.map_err(MessagingError::unavailable)
}

/// Calls `heard` with whatever is revoked, until `shutdown`; with `None` when something may have been missed, or cannot
/// be read because a later version has sent it.
///
/// # Errors
/// When the broker ends the subscription.
pub async fn listen(
    broker: &Broker,
    shutdown: CancellationToken,
    heard: impl Fn(Option<Revoked>),
) -> Result<(), MessagingError> {
    let mut revocations =
        broker.client.subscribe(subjects::REVOKED).await.map_err(MessagingError::unavailable)?;
    let mut connects = broker.connects();
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return Ok(()),
            revoked = revocations.next() => match revoked {
                Some(message) => heard(serde_json::from_slice(&message.payload).ok()),
                None => return Err(MessagingError::Unavailable("the subscription to revocations ended".to_owned())),
            },
            Ok(()) = connects.changed() => heard(None),
        }
    }
}
