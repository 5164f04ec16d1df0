//! What ingest reads from its environment.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use bytesize::ByteSize;
use millrace_domain::batch::MAX_REQUEST_BYTES;
use millrace_http::client_address::TrustedProxies;
use millrace_messaging::streams::StreamLimits;
use millrace_runtime::config::{ConfigError, Env};

/// The settings of ingest.
#[derive(Clone, Debug)]
pub struct Config {
    /// `MILLRACE_BIND`: where to listen.
    pub bind: SocketAddr,
    /// `MILLRACE_SOCKET`: a socket in the file system to listen on as well, for a gateway on the same machine.
    pub socket: Option<PathBuf>,
    /// `NATS_URL`.
    pub nats_url: String,
    /// `REDIS_URL`.
    pub redis_url: String,
    /// `MILLRACE_PUBLISH_TIMEOUT`: how long the broker may take to acknowledge before the client is told to try again.
    pub publish_timeout: Duration,
    /// `MILLRACE_STORED_TIMEOUT`: how long `?wait=stored` waits.
    pub stored_timeout: Duration,
    /// `MILLRACE_DUPLICATE_WINDOW`: how long an event is remembered at least to recognise its repetition. Longer costs
    /// Redis memory; shorter leaves more repetitions to the database, which recognises them for ever.
    pub duplicate_window: Duration,
    /// `MILLRACE_BODY_BUDGET`: bytes of requests in memory at once; beyond it senders are told to come again. Too low and
    /// a few large requests keep everyone else out, too high and they take the memory of the machine.
    pub body_budget: u64,
    /// `MILLRACE_CLIENT_COUNTRY`: whether the worker is told the addresses of clients, to find their countries; then
    /// `MILLRACE_TRUSTED_PROXIES` says whose word on them is taken.
    pub passes_addresses_on: Option<TrustedProxies>,
    /// `MILLRACE_EVENTS_BYTES`, `MILLRACE_DEAD_LETTERS_BYTES`, `MILLRACE_STREAM_REPLICAS`.
    pub streams: StreamLimits,
    /// `MILLRACE_SHUTDOWN_GRACE`: how long requests in hand may take once the service is asked to stop.
    pub shutdown_grace: Duration,
}

impl Config {
    /// Reads the environment.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn from_env(mut env: Env) -> Result<Self, ConfigError> {
        let bind = env.or("MILLRACE_BIND", SocketAddr::from((Ipv4Addr::LOCALHOST, 8082)));
        let socket = env.optional("MILLRACE_SOCKET");
        let nats_url = env.required("NATS_URL");
        let redis_url = env.required("REDIS_URL");
        let publish_timeout = env.duration("MILLRACE_PUBLISH_TIMEOUT", Duration::from_secs(3));
        let stored_timeout = env.duration("MILLRACE_STORED_TIMEOUT", Duration::from_secs(10));
        let duplicate_window = env.duration("MILLRACE_DUPLICATE_WINDOW", Duration::from_secs(600));
        let body_budget = env.bytes("MILLRACE_BODY_BUDGET", ByteSize::mib(256));
        let wants_country = env.or("MILLRACE_CLIENT_COUNTRY", false);
        let proxies = env.or("MILLRACE_TRUSTED_PROXIES", TrustedProxies::loopback());
        let passes_addresses_on = wants_country.then_some(proxies);
        let streams = StreamLimits {
            events_bytes: env.bytes("MILLRACE_EVENTS_BYTES", ByteSize::gib(4)),
            dead_letters_bytes: env.bytes("MILLRACE_DEAD_LETTERS_BYTES", ByteSize::gib(1)),
            replicas: env.or("MILLRACE_STREAM_REPLICAS", 1),
        };
        let shutdown_grace = env.duration("MILLRACE_SHUTDOWN_GRACE", Duration::from_secs(20));
        env.law(
            publish_timeout + stored_timeout < shutdown_grace,
            "MILLRACE_PUBLISH_TIMEOUT + MILLRACE_STORED_TIMEOUT must be less than MILLRACE_SHUTDOWN_GRACE, \
             or a restart cuts off requests that were about to be answered",
        );
        env.law(duplicate_window >= Duration::from_secs(1), "MILLRACE_DUPLICATE_WINDOW must be at least 1s");
        env.law(
            body_budget > MAX_REQUEST_BYTES as u64,
            "MILLRACE_BODY_BUDGET must have room for one request of 10 MiB",
        );
        env.finish(|| {
            Some(Self {
                bind,
                socket,
                nats_url: nats_url?,
                redis_url: redis_url?,
                publish_timeout,
                stored_timeout,
                duplicate_window,
                body_budget,
                passes_addresses_on,
                streams,
                shutdown_grace,
            })
        })
    }
}
