//! The broadcast that something was revoked. It says what, for logs; listeners forget everything they remember,
//! because revocations are rare and a question to auth is cheap.

use millrace_domain::ids::{AccountId, KeyId};
use serde::{Deserialize, Serialize};

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
