//! What every request may use.

use std::sync::Arc;
use std::time::Duration;

use actix_web::web::Bytes;
use millrace_cache::limits::Limits;
use millrace_domain::origins::AllowedOrigins;
use millrace_http::client_address::TrustedProxies;
use millrace_runtime::launch::Fault;

use crate::api_document;
use crate::config::Config;
use crate::limits::Limiter;
use crate::upstreams::circuit::Circuit;
use crate::upstreams::{Origins, PerUpstream, Upstream};

/// Where files come in, which are streamed to where files are.
const IMPORT: &str = "/api/v1/jobs/import";

/// Shared by all workers of the server. Connections are not in here: each worker has its own.
#[derive(Clone, Debug)]
pub struct State {
    /// Where the services are.
    pub origins: Origins,
    /// Whether they are asked.
    pub circuits: PerUpstream<Arc<Circuit>>,
    /// How long one of them may be silent.
    pub upstream_timeout: Duration,
    /// How long a client may be slow.
    pub client_timeout: Duration,
    /// The origins whose pages may send events.
    pub cors_ingest: AllowedOrigins,
    /// The origins whose pages may do everything else.
    pub cors_api: AllowedOrigins,
    /// How many bytes a request's body may have on the wire.
    pub max_body: u64,
    /// How many a file has at most that is sent to be imported.
    pub import_bytes: u64,
    /// Whose word on where a request came from is taken.
    pub trusted_proxies: TrustedProxies,
    /// The description of the API, as JSON.
    pub api_document: Bytes,
    /// Counts requests.
    pub limiter: Arc<Limiter>,
}

impl State {
    /// What requests need of the settings.
    ///
    /// # Errors
    /// When the address of Redis is not one, or the services' descriptions do not go together.
    pub fn new(config: &Config) -> Result<Self, Fault> {
        let limiter = Limiter {
            limits: Limits::new(config.redis_url.as_deref())?,
            api: config.api_limit.0,
            address: config.address_limit.0,
            trusted_proxies: config.trusted_proxies.clone(),
        };
        let circuit = |upstream: Upstream| Arc::new(Circuit::new(upstream.name(), config.upstream_requests));
        Ok(Self {
            circuits: PerUpstream::each(circuit),
            origins: config.origins.clone(),
            upstream_timeout: config.upstream_timeout,
            client_timeout: config.client_timeout,
            cors_ingest: config.cors_ingest.clone(),
            cors_api: config.cors_api.clone(),
            max_body: config.max_body,
            import_bytes: config.import_bytes,
            trusted_proxies: config.trusted_proxies.clone(),
            limiter: Arc::new(limiter),
            api_document: api_document::merged()?.to_string().into(),
        })
    }

    /// How many bytes the body of a request to this path may have on the wire.
    #[must_use]
    pub fn body_limit(&self, path: &str) -> u64 {
        if path == IMPORT { self.import_bytes } else { self.max_body }
    }
}
