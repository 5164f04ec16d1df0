//! What analytics reads from its environment.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use bytesize::ByteSize;
use chrono::{DateTime, Utc};
use millrace_http::client_address::TrustedProxies;
use millrace_runtime::config::{ConfigError, Env};

use crate::alerts::secrets::WebhookKey;
use crate::alerts::telling;
use crate::alerts::webhook::Webhooks;

/// The settings of analytics.
#[derive(Clone, Debug)]
pub struct Config {
    /// `MILLRACE_BIND`: where to listen.
    pub bind: SocketAddr,
    /// `MILLRACE_SOCKET`: a socket in the file system to listen on as well, for a gateway on the same machine.
    pub socket: Option<PathBuf>,
    /// `ANALYTICS_DATABASE_URL`, such as a replica's, or else `DATABASE_URL`.
    pub database_url: String,
    /// `ANALYTICS_SQL_DATABASE_URL`: the login that asks what projects ask in SQL; without one they cannot.
    pub sql_database_url: Option<String>,
    /// `MILLRACE_SQL_TIMEOUT`: how long the database may work on a statement of a project.
    pub sql_timeout: Duration,
    /// `MILLRACE_SQL_CONNECTIONS`: how many statements may be asked at once.
    pub sql_connections: u32,
    /// `MILLRACE_SQL_PER_PROJECT`: how many of them about one project.
    pub sql_per_project: u32,
    /// `DATABASE_URL`, where what people keep is written; a replica takes no writes.
    pub workspace_url: String,
    /// `NATS_URL`.
    pub nats_url: String,
    /// `REDIS_URL`.
    pub redis_url: String,
    /// `MILLRACE_STREAM_REPLICAS`: how many brokers of a cluster keep what projects may be asked.
    pub replicas: usize,
    /// `MILLRACE_STATEMENT_TIMEOUT`: how long the database may work on a question, all of its statements together.
    pub statement_timeout: Duration,
    /// `MILLRACE_ANSWERS_KEPT`: how long an answer may be given again while nothing says that its data have changed.
    pub answers_kept: Duration,
    /// `MILLRACE_QUERY_EVENTS`: how many events a question that depends on their order may read.
    pub query_events: u64,
    /// `MILLRACE_QUERY_MEMORY`: bytes for questions, those that are kept from one to the next and those of the work itself.
    pub memory: u64,
    /// `MILLRACE_QUERIES_PER_PROJECT`: how many questions about one project may be worked on at once.
    pub queries_per_project: u32,
    /// `MILLRACE_WEBHOOK_PRIVATE`: whether alerts may be posted to private addresses. `MILLRACE_WEBHOOK_TIMEOUT`: how long
    /// a receiver may take.
    pub webhooks: Webhooks,
    /// `MILLRACE_WEBHOOK_KEY`: seals the secrets of webhooks; without one they lie in the clear.
    pub webhook_key: WebhookKey,
    /// `MILLRACE_ALERT_MAILS`: whether auth has a mail server to hand the mails of alerts to.
    pub mails: bool,
    /// `MILLRACE_TRUSTED_PROXIES`: networks whose word on where a request came from is taken.
    pub trusted_proxies: TrustedProxies,
    /// `MILLRACE_SHUTDOWN_GRACE`: how long requests in hand may take once the service is asked to stop.
    pub shutdown_grace: Duration,
    /// What time it is, which decides what is complete. Not from the environment: tests stop it.
    pub clock: fn() -> DateTime<Utc>,
}

impl Config {
    /// Reads the environment.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn from_env(mut env: Env) -> Result<Self, ConfigError> {
        let bind = env.or("MILLRACE_BIND", SocketAddr::from((Ipv4Addr::LOCALHOST, 8084)));
        let socket = env.optional("MILLRACE_SOCKET");
        let replica: Option<String> = env.optional("ANALYTICS_DATABASE_URL");
        let workspace_url: Option<String> = env.required("DATABASE_URL");
        let database_url = replica.or_else(|| workspace_url.clone());
        let sql_database_url = env.optional("ANALYTICS_SQL_DATABASE_URL");
        let sql_timeout = env.duration("MILLRACE_SQL_TIMEOUT", Duration::from_secs(10));
        let sql_connections = env.or("MILLRACE_SQL_CONNECTIONS", 4);
        let sql_per_project = env.or("MILLRACE_SQL_PER_PROJECT", 2);
        let nats_url = env.required("NATS_URL");
        let redis_url = env.required("REDIS_URL");
        let replicas = env.or("MILLRACE_STREAM_REPLICAS", 1);
        let statement_timeout = env.duration("MILLRACE_STATEMENT_TIMEOUT", Duration::from_secs(20));
        let answers_kept = env.duration("MILLRACE_ANSWERS_KEPT", Duration::from_secs(10));
        let query_events = env.or("MILLRACE_QUERY_EVENTS", 50_000_000);
        let memory = env.bytes("MILLRACE_QUERY_MEMORY", ByteSize::mib(256));
        let queries_per_project = env.or("MILLRACE_QUERIES_PER_PROJECT", 6);
        let webhooks = Webhooks {
            private_allowed: env.or("MILLRACE_WEBHOOK_PRIVATE", false),
            patience: env.duration("MILLRACE_WEBHOOK_TIMEOUT", Duration::from_secs(10)),
        };
        let webhook_key = WebhookKey(env.optional("MILLRACE_WEBHOOK_KEY"));
        let mails = env.or("MILLRACE_ALERT_MAILS", false);
        env.law(
            webhooks.patience <= telling::LONGEST_PATIENCE,
            "MILLRACE_WEBHOOK_TIMEOUT must be at most 25s: after a minute another process takes up what is told",
        );
        let trusted_proxies = env.or("MILLRACE_TRUSTED_PROXIES", TrustedProxies::loopback());
        let shutdown_grace = env.duration("MILLRACE_SHUTDOWN_GRACE", Duration::from_secs(30));
        env.law(
            statement_timeout >= Duration::from_millis(1),
            "MILLRACE_STATEMENT_TIMEOUT must be at least 1ms: PostgreSQL takes 0 for no limit",
        );
        env.law(
            answers_kept >= Duration::from_millis(1),
            "MILLRACE_ANSWERS_KEPT must be at least 1ms: Redis takes no shorter time",
        );
        env.law(
            (Duration::from_millis(1)..shutdown_grace).contains(&sql_timeout),
            "MILLRACE_SQL_TIMEOUT must be at least 1ms (PostgreSQL takes 0 for no limit), and less than \
             MILLRACE_SHUTDOWN_GRACE",
        );
        env.law(sql_connections >= 1, "MILLRACE_SQL_CONNECTIONS must be at least 1");
        env.law(sql_per_project >= 1, "MILLRACE_SQL_PER_PROJECT must be at least 1");
        env.law(queries_per_project >= 1, "MILLRACE_QUERIES_PER_PROJECT must be at least 1");
        env.law(
            statement_timeout < shutdown_grace,
            "MILLRACE_STATEMENT_TIMEOUT must be less than MILLRACE_SHUTDOWN_GRACE, or a restart cuts off questions \
             that were about to be answered",
        );
        env.finish(|| {
            Some(Self {
                bind,
                socket,
                database_url: database_url?,
                sql_database_url,
                sql_timeout,
                sql_connections,
                sql_per_project,
                workspace_url: workspace_url?,
                nats_url: nats_url?,
                redis_url: redis_url?,
                replicas,
                statement_timeout,
                answers_kept,
                query_events,
                memory,
                queries_per_project,
                webhooks,
                webhook_key,
                mails,
                trusted_proxies,
                shutdown_grace,
                clock: Utc::now,
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replica_is_preferred_to_the_primary() {
        let mut vars = vec![("DATABASE_URL", "primary"), ("NATS_URL", "nats"), ("REDIS_URL", "redis")];
        assert_eq!(Config::from_env(Env::of(vars.clone())).unwrap().database_url, "primary");
        vars.push(("ANALYTICS_DATABASE_URL", "replica"));
        assert_eq!(Config::from_env(Env::of(vars)).unwrap().database_url, "replica");
    }

    #[test]
    fn every_mistake_is_reported() {
        let vars = [("MILLRACE_STATEMENT_TIMEOUT", "1h"), ("MILLRACE_BIND", "here")];
        let error = Config::from_env(Env::of(vars)).unwrap_err().to_string();
        for name in ["DATABASE_URL", "NATS_URL", "REDIS_URL", "MILLRACE_BIND", "MILLRACE_SHUTDOWN_GRACE"] {
            assert!(error.contains(name), "{name}: {error}");
        }
    }
}
