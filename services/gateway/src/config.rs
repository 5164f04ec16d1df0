//! What the gateway reads from its environment.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use bytesize::ByteSize;
use millrace_domain::batch::MAX_REQUEST_BYTES;
use millrace_domain::origins::AllowedOrigins;
use millrace_domain::rate::{Limit, Period, Rate};
use millrace_http::client_address::TrustedProxies;
use millrace_http::public_side::PublicUrl;
use millrace_http::serve::HEAD_TIMEOUT;
use millrace_runtime::config::{ConfigError, Env};

use crate::sockets::SocketSettings;
use crate::tls::TlsFiles;
use crate::upstreams::Origins;
use crate::upstreams::origin::{CONNECT_TIMEOUT, Origin};

/// What a caller may ask.
const API_LIMIT: Limit = Limit(Rate::new(60, Period::Second, 120));
/// What an address may ask: an office has one.
const ADDRESS_LIMIT: Limit = Limit(Rate::new(600, Period::Second, 1200));
/// actix-web looks at a clock that moves twice a second: what is given less than that may be over before it begins.
const LEAST_CLIENT_TIMEOUT: Duration = Duration::from_secs(1);

/// The settings of the gateway.
#[derive(Clone, Debug)]
pub struct Config {
    /// `MILLRACE_BIND`: where to listen.
    pub bind: SocketAddr,
    /// `MILLRACE_AUTH_URL`, `MILLRACE_INGEST_URL`, `MILLRACE_WORKER_URL`, `MILLRACE_ANALYTICS_URL`.
    pub origins: Origins,
    /// `NATS_URL`: where auth is asked what session cookies stand for. Without it all else works.
    pub nats_url: String,
    /// `MILLRACE_PUBLIC_URL`: the address that people have in their browsers. If it begins with `https`, session
    /// cookies are believed and sent over TLS alone. Must be the same for auth, or each looks for a cookie of another
    /// name.
    pub public_url: Option<PublicUrl>,
    /// `MILLRACE_UPSTREAM_TIMEOUT`: how long a service may be silent, before its answer and in the middle of it. Too
    /// low and slow answers are thrown away after the work was done; too high and clients wait for a service that
    /// hangs.
    pub upstream_timeout: Duration,
    /// `MILLRACE_TLS_CERT`, `MILLRACE_TLS_KEY`, `MILLRACE_TLS_CLIENT_CA`: the files; none for plain HTTP.
    pub tls: Option<TlsFiles>,
    /// `MILLRACE_PLAIN_BIND`: where health is told without TLS, and everybody else sent to the public URL.
    pub plain_bind: Option<SocketAddr>,
    /// `MILLRACE_CLIENT_TIMEOUT`: how long a client may take to send a head; and how long, in all, a body may be waited
    /// for, beside a second for each KiB that has come. Too low and clients on slow lines are cut off; too high and
    /// slow ones hold connections.
    pub client_timeout: Duration,
    /// `MILLRACE_CORS_INGEST_ORIGINS`: the origins whose pages may send events. A project that has a list of its own can
    /// only narrow this one: a page must be in both.
    pub cors_ingest: AllowedOrigins,
    /// `MILLRACE_CORS_API_ORIGINS`: the origins whose pages may do everything else.
    pub cors_api: AllowedOrigins,
    /// `MILLRACE_UPSTREAM_REQUESTS`: how many requests a service may have in hand; more are refused at once. Too low and
    /// there is room that nobody may use; too high and a service that hangs takes the memory and the file descriptors
    /// of all.
    pub upstream_requests: usize,
    /// `MILLRACE_MAX_BODY`: how many bytes a request's body may have on the wire.
    pub max_body: u64,
    /// `MILLRACE_IMPORT_BYTES`: how many bytes a file may have that is sent to be imported; best what auth takes.
    pub import_bytes: u64,
    /// `MILLRACE_TRUSTED_PROXIES`: networks, like `10.0.0.0/8,::1`, whose word on where a request came from is taken.
    /// A network too many, and whoever is in it chooses the address that rate limits and the audit log see.
    pub trusted_proxies: TrustedProxies,
    /// `REDIS_URL`: where requests are counted. Without one every gateway counts for itself.
    pub redis_url: Option<String>,
    /// `MILLRACE_API_LIMIT`: how often a caller may ask, like `60/s burst 120`, or `off`.
    pub api_limit: Limit,
    /// `MILLRACE_ADDRESS_LIMIT`: how often an address may, whatever credentials it shows.
    pub address_limit: Limit,
    /// `MILLRACE_LIVE_CONNECTIONS`: how many WebSockets may be open. `MILLRACE_LIVE_HEARTBEAT`: how often each is asked
    /// whether somebody is there. Too often costs the batteries of phones, too seldom and proxies in between cut what is
    /// silent, often after a minute.
    pub sockets: SocketSettings,
    /// `MILLRACE_SHUTDOWN_GRACE`: how long requests in hand may take once the service is asked to stop.
    pub shutdown_grace: Duration,
}

impl Config {
    /// Reads the environment.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn from_env(mut env: Env) -> Result<Self, ConfigError> {
        let bind = env.or("MILLRACE_BIND", SocketAddr::from((Ipv4Addr::LOCALHOST, 8080)));
        let auth = origin(&mut env, "MILLRACE_AUTH_URL", "http://127.0.0.1:8081");
        let ingest = origin(&mut env, "MILLRACE_INGEST_URL", "http://127.0.0.1:8082");
        let worker = origin(&mut env, "MILLRACE_WORKER_URL", "http://127.0.0.1:8083");
        let analytics = origin(&mut env, "MILLRACE_ANALYTICS_URL", "http://127.0.0.1:8084");
        let nats_url = env.or("NATS_URL", "nats://127.0.0.1:4222".to_owned());
        let public_url = env.optional("MILLRACE_PUBLIC_URL");
        let upstream_timeout = env.duration("MILLRACE_UPSTREAM_TIMEOUT", Duration::from_secs(30));
        let certificate: Option<PathBuf> = env.optional("MILLRACE_TLS_CERT");
        let key: Option<PathBuf> = env.optional("MILLRACE_TLS_KEY");
        let client_authorities = env.optional("MILLRACE_TLS_CLIENT_CA");
        let plain_bind = env.optional("MILLRACE_PLAIN_BIND");
        env.law(
            certificate.is_some() == key.is_some(),
            "MILLRACE_TLS_CERT and MILLRACE_TLS_KEY must be set both, or neither",
        );
        env.law(
            certificate.is_some() || (client_authorities.is_none() && plain_bind.is_none()),
            "MILLRACE_TLS_CLIENT_CA and MILLRACE_PLAIN_BIND are of use with MILLRACE_TLS_CERT only",
        );
        let tls =
            certificate.zip(key).map(|(certificate, key)| TlsFiles { certificate, key, client_authorities });
        let client_timeout = env.duration("MILLRACE_CLIENT_TIMEOUT", HEAD_TIMEOUT);
        let cors_ingest = env.or("MILLRACE_CORS_INGEST_ORIGINS", AllowedOrigins::Any);
        let cors_api = env.or("MILLRACE_CORS_API_ORIGINS", AllowedOrigins::These(Vec::new()));
        let upstream_requests = env.or("MILLRACE_UPSTREAM_REQUESTS", 512);
        let max_body = env.bytes("MILLRACE_MAX_BODY", ByteSize::b(MAX_REQUEST_BYTES as u64));
        let trusted_proxies = env.or("MILLRACE_TRUSTED_PROXIES", TrustedProxies::default());
        let redis_url = env.optional("REDIS_URL");
        let api_limit = env.or("MILLRACE_API_LIMIT", API_LIMIT);
        let address_limit = env.or("MILLRACE_ADDRESS_LIMIT", ADDRESS_LIMIT);
        let most = env.or("MILLRACE_LIVE_CONNECTIONS", 10_000);
        let heartbeat = env.duration("MILLRACE_LIVE_HEARTBEAT", Duration::from_secs(20));
        env.law(!heartbeat.is_zero(), "MILLRACE_LIVE_HEARTBEAT must be more than 0");
        let shutdown_grace = env.duration("MILLRACE_SHUTDOWN_GRACE", Duration::from_secs(35));
        // The settings of ingest, with its defaults: what it may itself take before it answers.
        let publish_timeout = env.duration("MILLRACE_PUBLISH_TIMEOUT", Duration::from_secs(3));
        let stored_timeout = env.duration("MILLRACE_STORED_TIMEOUT", Duration::from_secs(10));
        env.law(
            publish_timeout + stored_timeout < upstream_timeout,
            "MILLRACE_PUBLISH_TIMEOUT + MILLRACE_STORED_TIMEOUT must be less than MILLRACE_UPSTREAM_TIMEOUT, \
             or clients are told that ingest is silent when it is about to answer",
        );
        env.law(
            upstream_timeout < shutdown_grace,
            "MILLRACE_UPSTREAM_TIMEOUT must be less than MILLRACE_SHUTDOWN_GRACE, \
             or a restart cuts off requests that were about to be answered",
        );
        env.law(
            CONNECT_TIMEOUT < upstream_timeout,
            "MILLRACE_UPSTREAM_TIMEOUT must be more than 3s, which a connection alone may take",
        );
        env.law(
            client_timeout >= LEAST_CLIENT_TIMEOUT,
            "MILLRACE_CLIENT_TIMEOUT must be at least 1s, or clients that are not slow are cut off",
        );
        env.law(
            client_timeout < upstream_timeout,
            "MILLRACE_CLIENT_TIMEOUT must be less than MILLRACE_UPSTREAM_TIMEOUT, \
             or a slow client is taken for a silent service",
        );
        env.law(upstream_requests > 0, "MILLRACE_UPSTREAM_REQUESTS must be more than 0");
        let import_bytes = env.bytes("MILLRACE_IMPORT_BYTES", ByteSize::gib(2));
        env.law(max_body > 0, "MILLRACE_MAX_BODY must be more than 0");
        env.finish(|| {
            Some(Self {
                bind,
                origins: Origins { auth: auth?, ingest: ingest?, worker: worker?, analytics: analytics? },
                nats_url,
                public_url,
                upstream_timeout,
                upstream_requests,
                client_timeout,
                tls,
                plain_bind,
                cors_ingest,
                cors_api,
                max_body,
                import_bytes,
                trusted_proxies,
                redis_url,
                api_limit,
                address_limit,
                sockets: SocketSettings { most, heartbeat },
                shutdown_grace,
            })
        })
    }
}

/// `None` only after noting why.
fn origin(env: &mut Env, name: &str, default: &str) -> Option<Origin> {
    // A default goes through the same parser, so that there is one way to make an origin.
    env.optional(name).or_else(|| default.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_environment_is_enough() {
        let config = Config::from_env(Env::of::<&str, &str>([])).unwrap();
        assert_eq!(config.origins.analytics.to_string(), "http://127.0.0.1:8084");
        assert_eq!(config.max_body, 10 << 20);
    }

    #[test]
    fn a_client_has_a_second_for_a_head() {
        let config = |timeout| Config::from_env(Env::of([("MILLRACE_CLIENT_TIMEOUT", timeout)]));
        assert_eq!(config("1s").unwrap().client_timeout, LEAST_CLIENT_TIMEOUT);
        let error = config("999ms").unwrap_err().to_string();
        assert!(error.contains("MILLRACE_CLIENT_TIMEOUT must be at least 1s"), "{error}");
    }

    #[test]
    fn every_mistake_is_named_at_once() {
        let error = Config::from_env(Env::of([
            ("MILLRACE_AUTH_URL", "https://auth/v1"),
            ("MILLRACE_TRUSTED_PROXIES", "10.0.0.0/8,ten"),
            ("MILLRACE_UPSTREAM_TIMEOUT", "13s"),
            ("MILLRACE_SHUTDOWN_GRACE", "5s"),
            ("MILLRACE_MAX_BODY", "0"),
            ("MILLRACE_API_LIMIT", "many"),
            ("MILLRACE_TLS_KEY", "key.pem"),
            ("MILLRACE_PLAIN_BIND", "127.0.0.1:80"),
            ("MILLRACE_CLIENT_TIMEOUT", "14s"),
            ("MILLRACE_CORS_API_ORIGINS", "shop.example"),
            ("MILLRACE_PUBLIC_URL", "millrace.example.com"),
        ]))
        .unwrap_err()
        .to_string();
        assert_eq!(error.lines().count(), 12, "{error}");
    }
}
