//! What the gateway reads from its environment.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use bytesize::ByteSize;
use millrace_domain::batch::MAX_REQUEST_BYTES;
use millrace_http::client_address::TrustedProxies;
use millrace_http::public_side::PublicUrl;
use millrace_runtime::config::{ConfigError, Env};

use crate::upstreams::Origins;
use crate::upstreams::origin::Origin;

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
    /// `MILLRACE_MAX_BODY`: how many bytes a request's body may have on the wire.
    pub max_body: u64,
    /// `MILLRACE_TRUSTED_PROXIES`: networks, like `10.0.0.0/8,::1`, whose word on where a request came from is taken.
    /// A network too many, and whoever is in it chooses the address that rate limits and the audit log see.
    pub trusted_proxies: TrustedProxies,
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
        let max_body = env.bytes("MILLRACE_MAX_BODY", ByteSize::b(MAX_REQUEST_BYTES as u64));
        let trusted_proxies = env.or("MILLRACE_TRUSTED_PROXIES", TrustedProxies::default());
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
        env.law(max_body > 0, "MILLRACE_MAX_BODY must be more than 0");
        env.finish(|| {
            Some(Self {
                bind,
                origins: Origins { auth: auth?, ingest: ingest?, worker: worker?, analytics: analytics? },
                nats_url,
                public_url,
                upstream_timeout,
                max_body,
                trusted_proxies,
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
    fn every_mistake_is_named_at_once() {
        let error = Config::from_env(Env::of([
            ("MILLRACE_AUTH_URL", "https://auth/v1"),
            ("MILLRACE_TRUSTED_PROXIES", "10.0.0.0/8,ten"),
            ("MILLRACE_UPSTREAM_TIMEOUT", "13s"),
            ("MILLRACE_SHUTDOWN_GRACE", "5s"),
            ("MILLRACE_MAX_BODY", "0"),
            ("MILLRACE_PUBLIC_URL", "millrace.example.com"),
        ]))
        .unwrap_err()
        .to_string();
        assert_eq!(error.lines().count(), 7, "{error}");
    }
}
