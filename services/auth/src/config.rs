//! What auth reads from its environment.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use millrace_http::client_address::TrustedProxies;
use millrace_http::public_side::PublicUrl;
use millrace_runtime::config::{ConfigError, Env};
use millrace_security::browser_session;
use millrace_security::envelope::MasterKey;
use millrace_security::password::Cost;

use crate::openid::settings::Settings;

/// Where the gateway is on one machine.
const DEFAULT_PUBLIC_URL: &str = "http://127.0.0.1:8080";

/// The settings of auth.
#[derive(Clone, Debug)]
pub struct Config {
    /// `MILLRACE_BIND`: where to listen.
    pub bind: SocketAddr,
    /// `DATABASE_URL`.
    pub database_url: String,
    /// `NATS_URL`.
    pub nats_url: String,
    /// `REDIS_URL`.
    pub redis_url: String,
    /// `MILLRACE_TRUSTED_PROXIES`: networks, like `10.0.0.0/8,::1`, whose word on where a request came from is taken:
    /// the gateway's, and those in front of it; this machine's own addresses if not set. Without the gateway's, all
    /// people share its address, and five wrong passwords keep everybody out; a network too many, and whoever is in
    /// it has as many addresses as it likes.
    pub trusted_proxies: TrustedProxies,
    /// `MILLRACE_PUBLIC_URL`: the address that people have in their browsers. If it begins with `https`, session
    /// cookies are sent over TLS alone. Must be the same for the gateway, or it looks for a cookie of another name.
    pub public_url: Option<PublicUrl>,
    /// `MILLRACE_COOKIE_RENEWAL`: the age at which a session cookie is replaced and its session extended. Shorter, and
    /// the database is written to more often; longer, and a session's last use is known less exactly.
    pub cookie_renewal: Duration,
    /// `MILLRACE_MASTER_KEY`: seals the private halves of the signing keys, and session cookies. Whoever loses it
    /// loses the keys, and everybody has to sign in again.
    pub master_key: MasterKey,
    /// `MILLRACE_ISSUER`: who access tokens say they are from. Must be the same in all replicas.
    pub issuer: String,
    /// `MILLRACE_BCRYPT_COST`: the work that it takes to try a password.
    pub bcrypt_cost: Cost,
    /// The provider that people may sign in with, if there is one. It sends them back to `MILLRACE_PUBLIC_URL`: where
    /// browsers find the gateway.
    pub openid: Option<Settings>,
    /// `MILLRACE_SHUTDOWN_GRACE`: how long requests in hand may take once the service is asked to stop.
    pub shutdown_grace: Duration,
}

impl Config {
    /// Reads the environment.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn from_env(mut env: Env) -> Result<Self, ConfigError> {
        let bind = env.or("MILLRACE_BIND", SocketAddr::from((Ipv4Addr::LOCALHOST, 8081)));
        let database_url = env.required("DATABASE_URL");
        let nats_url = env.required("NATS_URL");
        let redis_url = env.required("REDIS_URL");
        let trusted_proxies = env.or("MILLRACE_TRUSTED_PROXIES", TrustedProxies::loopback());
        let public_url = env.optional("MILLRACE_PUBLIC_URL");
        let cookie_renewal = env.duration("MILLRACE_COOKIE_RENEWAL", Duration::from_secs(15 * 60));
        let master_key = env.required("MILLRACE_MASTER_KEY");
        let issuer = env.or("MILLRACE_ISSUER", "millrace".to_owned());
        let cost = env.or("MILLRACE_BCRYPT_COST", 12);
        let gateway = env.or("MILLRACE_PUBLIC_URL", DEFAULT_PUBLIC_URL.to_owned());
        let openid = Settings::from_env(&mut env, &gateway);
        let shutdown_grace = env.duration("MILLRACE_SHUTDOWN_GRACE", Duration::from_secs(20));
        env.law(
            (10..=16).contains(&cost),
            "MILLRACE_BCRYPT_COST must be 10 to 16: less is cheap to guess, more keeps people waiting for seconds",
        );
        env.law(shutdown_grace >= Duration::from_secs(5), "MILLRACE_SHUTDOWN_GRACE must be at least 5s");
        env.law(
            cookie_renewal < browser_session::LIFETIME,
            "MILLRACE_COOKIE_RENEWAL must be less than 7 days, or session cookies expire before they are renewed",
        );
        env.finish(|| {
            Some(Self {
                bind,
                database_url: database_url?,
                nats_url: nats_url?,
                redis_url: redis_url?,
                trusted_proxies,
                public_url,
                cookie_renewal,
                master_key: master_key?,
                issuer,
                bcrypt_cost: Cost::new(cost)?,
                openid,
                shutdown_grace,
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(changes: &[(&str, &str)]) -> Env {
        let mut vars = vec![
            ("DATABASE_URL", "postgres://localhost/millrace"),
            ("NATS_URL", "nats://localhost"),
            ("REDIS_URL", "redis://localhost"),
            ("MILLRACE_MASTER_KEY", "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"),
        ];
        vars.extend(changes);
        Env::of(vars)
    }

    #[test]
    fn four_variables_are_enough() {
        let config = Config::from_env(environment(&[])).unwrap();
        assert_eq!((config.bind.port(), config.issuer.as_str()), (8081, "millrace"));
        assert_eq!(config.bcrypt_cost, Cost::default());
    }

    #[test]
    fn half_a_provider_is_refused_and_its_secret_not_repeated() {
        for (name, value) in [
            ("MILLRACE_OIDC_CLIENT_ID", "x"),
            ("MILLRACE_OIDC_CLIENT_SECRET", "hunter2"),
            ("MILLRACE_OIDC_ISSUER", "http://id.example.com/hunter2"),
            ("MILLRACE_PUBLIC_URL", "events.example.com"),
        ] {
            let error = Config::from_env(environment(&[(name, value)])).unwrap_err().to_string();
            assert!(error.contains(name) && !error.contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn cookies_are_renewed_before_they_expire_and_the_public_side_has_an_address() {
        let env = environment(&[("MILLRACE_COOKIE_RENEWAL", "7d"), ("MILLRACE_PUBLIC_URL", "/millrace")]);
        let error = Config::from_env(env).unwrap_err().to_string();
        assert!(
            error.contains("MILLRACE_COOKIE_RENEWAL") && error.contains("MILLRACE_PUBLIC_URL"),
            "{error}"
        );
    }

    #[test]
    fn a_weak_cost_and_a_bad_key_are_refused_together_and_not_repeated() {
        let env = environment(&[("MILLRACE_BCRYPT_COST", "9"), ("MILLRACE_MASTER_KEY", "hunter2")]);
        let error = Config::from_env(env).unwrap_err().to_string();
        assert!(error.contains("MILLRACE_BCRYPT_COST") && error.contains("MILLRACE_MASTER_KEY"), "{error}");
        assert!(!error.contains("hunter2"), "{error}");
    }
}
