//! What every request may use.

use std::time::Duration;

use millrace_http::client_address::TrustedProxies;

use crate::config::Config;
use crate::upstreams::Origins;

/// Shared by all workers of the server. Connections are not in here: each worker has its own.
#[derive(Clone, Debug)]
pub struct State {
    /// Where the services are.
    pub origins: Origins,
    /// How long one of them may be silent.
    pub upstream_timeout: Duration,
    /// How many bytes a request's body may have on the wire.
    pub max_body: u64,
    /// Whose word on where a request came from is taken.
    pub trusted_proxies: TrustedProxies,
}

impl State {
    /// What requests need of the settings.
    #[must_use]
    pub fn new(config: &Config) -> Self {
        Self {
            origins: config.origins.clone(),
            upstream_timeout: config.upstream_timeout,
            max_body: config.max_body,
            trusted_proxies: config.trusted_proxies.clone(),
        }
    }
}
