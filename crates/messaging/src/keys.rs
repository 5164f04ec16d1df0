//! What an API key grants: a question to auth behind a local memory.

use std::sync::Arc;

use millrace_domain::access::KeyGrant;
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use crate::broker::Broker;
use crate::error::MessagingError;
use crate::remembered::Remembered;
use crate::{requests, subjects};

/// The question on [`subjects::RESOLVE_KEY`]: SHA-256 of the key, in hexadecimal. The key itself is not sent.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct KeyQuestion {
    /// 64 hexadecimal digits.
    pub sha256: String,
}

/// The answer; no grant when the key is unknown, revoked or expired.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct KeyAnswer {
    /// What the key opens.
    pub grant: Option<KeyGrant>,
}

/// Resolves API keys. Cheap to clone.
#[derive(Clone, Debug)]
pub struct KeyResolver {
    grants: Remembered<KeyGrant>,
}

impl KeyResolver {
    /// A resolver with nothing in memory.
    #[must_use]
    pub fn new(broker: Broker) -> Self {
        Self { grants: Remembered::new(broker, "keys") }
    }

    /// What the key with this SHA-256 grants.
    ///
    /// # Errors
    /// When it is not in memory and auth does not answer.
    pub async fn resolve(&self, hash: [u8; 32]) -> Result<Option<Arc<KeyGrant>>, MessagingError> {
        let ask = async |broker: &Broker| {
            let sha256 = hash.iter().map(|byte| format!("{byte:02x}")).collect();
            let answer: KeyAnswer =
                requests::ask(broker, subjects::RESOLVE_KEY, &KeyQuestion { sha256 }).await?;
            Ok(answer.grant)
        };
        self.grants.recall(hash, ask).await
    }

    /// Forgets everything.
    pub fn forget(&self) {
        self.grants.forget();
    }

    /// Forgets everything whenever something is revoked, and whenever a revocation may have been missed.
    ///
    /// # Errors
    /// When the broker ends the subscription.
    pub async fn listen(self, shutdown: CancellationToken) -> Result<(), MessagingError> {
        self.grants.listen(shutdown).await
    }
}
