//! Who may send events: holders of an API key.

use async_trait::async_trait;
use millrace_domain::access::KeyGrant;
use millrace_domain::ids::ProjectId;
use millrace_http::authorized::Authenticator;
use millrace_http::problem::{Code, Problem};
use millrace_messaging::keys::KeyResolver;
use millrace_security::api_key::ApiKey;

/// Asks auth, over the broker, behind a local memory.
#[derive(Debug)]
pub struct BrokerAuthenticator {
    resolver: KeyResolver,
}

impl BrokerAuthenticator {
    /// Uses this resolver.
    #[must_use]
    pub fn new(resolver: KeyResolver) -> Self {
        Self { resolver }
    }
}

#[async_trait]
impl Authenticator for BrokerAuthenticator {
    async fn key(&self, key: &ApiKey) -> Result<KeyGrant, Problem> {
        match self.resolver.resolve(key.hash().0).await {
            Ok(Some(grant)) => Ok(KeyGrant::clone(&grant)),
            Ok(None) => {
                Err(Problem::new(Code::Unauthenticated, "the API key is unknown, revoked or expired"))
            }
            Err(error) => Err(Problem::unavailable("the authentication service", &error)),
        }
    }

    async fn token(&self, _: &str, _: Option<ProjectId>) -> Result<KeyGrant, Problem> {
        Err(Problem::new(Code::Forbidden, "events are sent with an ingest key, not with an access token"))
    }
}
