//! What the worker reads from its environment.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use bytesize::ByteSize;
use millrace_files::Place;
use millrace_messaging::consumer::PullSettings;
use millrace_messaging::streams::StreamLimits;
use millrace_runtime::config::{ConfigError, Env};

use crate::jobs::JobSettings;

/// The settings of the worker.
#[derive(Clone, Debug)]
pub struct Config {
    /// `MILLRACE_BIND`: where the health routes listen.
    pub bind: SocketAddr,
    /// `DATABASE_URL`.
    pub database_url: String,
    /// `NATS_URL`.
    pub nats_url: String,
    /// `REDIS_URL`.
    pub redis_url: String,
    /// `MILLRACE_PIPELINES`: how many batches are stored at the same time. More than the database has cores to spare
    /// only makes them wait for each other.
    pub pipelines: usize,
    /// `MILLRACE_APPEND_SLOTS`: how many batches are stored at the same time by all workers of a database together. More
    /// of them wait for each other longer than they work.
    pub append_slots: u16,
    /// `MILLRACE_BATCH_MESSAGES`, `MILLRACE_BATCH_BYTES`, `MILLRACE_BATCH_EXPIRES`, `MILLRACE_ACK_WAIT`,
    /// `MILLRACE_MAX_DELIVERIES`.
    pub pull: PullSettings,
    /// `MILLRACE_STATEMENT_TIMEOUT`.
    pub statement_timeout: Duration,
    /// `MILLRACE_COMPACT_INTERVAL`: how often the parts of activity sets are merged. Seldom makes questions read more
    /// rows, often makes the same sets be written again and again.
    pub compact_interval: Duration,
    /// `MILLRACE_POSTINGS_QUIET`: how long the events of a day must have been the same before who did what when is stored
    /// for it. Short makes days that events still come to be written again and again.
    pub postings_quiet: Duration,
    /// `MILLRACE_EVENTS_BYTES`, `MILLRACE_DEAD_LETTERS_BYTES`, `MILLRACE_STREAM_REPLICAS`.
    pub streams: StreamLimits,
    /// `MILLRACE_GEOIP_DATABASE`: a MaxMind DB file of countries or cities; without one no event gets a country.
    pub geoip_database: Option<PathBuf>,
    /// `MILLRACE_EXPORTS`: where the files of imports and exports are; must be the same for auth. Without it there are
    /// neither.
    pub exports: Option<Place>,
    /// How jobs are worked on.
    pub jobs: JobSettings,
    /// `MILLRACE_SHUTDOWN_GRACE`: how long the batch in hand may take once the service is asked to stop.
    pub shutdown_grace: Duration,
}

impl Config {
    /// Reads the environment.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn from_env(mut env: Env) -> Result<Self, ConfigError> {
        let bind = env.or("MILLRACE_BIND", SocketAddr::from((Ipv4Addr::LOCALHOST, 8083)));
        let database_url = env.required("DATABASE_URL");
        let nats_url = env.required("NATS_URL");
        let redis_url = env.required("REDIS_URL");
        let pipelines = env.or("MILLRACE_PIPELINES", 2);
        let append_slots = env.or("MILLRACE_APPEND_SLOTS", 4);
        let batch_bytes = env.bytes("MILLRACE_BATCH_BYTES", ByteSize::mib(4));
        let pull = PullSettings {
            max_messages: env.or("MILLRACE_BATCH_MESSAGES", 256),
            max_bytes: usize::try_from(batch_bytes).unwrap_or(usize::MAX),
            expires: env.duration("MILLRACE_BATCH_EXPIRES", Duration::from_millis(100)),
            ack_wait: env.duration("MILLRACE_ACK_WAIT", Duration::from_secs(30)),
            max_deliveries: Some(env.or("MILLRACE_MAX_DELIVERIES", 100)),
        };
        let statement_timeout = env.duration("MILLRACE_STATEMENT_TIMEOUT", Duration::from_secs(20));
        let compact_interval = env.duration("MILLRACE_COMPACT_INTERVAL", Duration::from_secs(5));
        let postings_quiet = env.duration("MILLRACE_POSTINGS_QUIET", Duration::from_secs(120));
        let streams = StreamLimits {
            events_bytes: env.bytes("MILLRACE_EVENTS_BYTES", ByteSize::gib(4)),
            dead_letters_bytes: env.bytes("MILLRACE_DEAD_LETTERS_BYTES", ByteSize::gib(1)),
            replicas: env.or("MILLRACE_STREAM_REPLICAS", 1),
        };
        let geoip_database = env.optional("MILLRACE_GEOIP_DATABASE");
        let exports = env.optional("MILLRACE_EXPORTS");
        let maintenance = env.duration("MILLRACE_MAINTENANCE", Duration::from_secs(3600));
        let jobs = JobSettings {
            at_once: env.or("MILLRACE_JOBS", 2),
            lease: env.duration("MILLRACE_JOB_LEASE", Duration::from_secs(30)),
            poll: env.duration("MILLRACE_JOB_POLL", Duration::from_secs(2)),
            part_rows: env.or("MILLRACE_EXPORT_PART_ROWS", 250_000),
            files_kept: env.duration("MILLRACE_FILES_KEPT", Duration::from_secs(7 * 24 * 3600)),
            maintenance: (!maintenance.is_zero()).then_some(maintenance),
        };
        let shutdown_grace = env.duration("MILLRACE_SHUTDOWN_GRACE", Duration::from_secs(30));
        env.law(
            pull.max_deliveries.is_none_or(|deliveries| deliveries >= 10),
            "MILLRACE_MAX_DELIVERIES must be at least 10, or a few restarts in a row make dead letters of good events",
        );
        env.law((1..=64).contains(&pipelines), "MILLRACE_PIPELINES must be between 1 and 64");
        env.law((1..=64).contains(&append_slots), "MILLRACE_APPEND_SLOTS must be between 1 and 64");
        env.law(
            (0..=16).contains(&jobs.at_once),
            "MILLRACE_JOBS must be between 0 and 16: 0 leaves jobs to other workers",
        );
        env.law(
            jobs.lease >= Duration::from_secs(1) && jobs.poll >= Duration::from_millis(100),
            "MILLRACE_JOB_LEASE must be at least 1s and MILLRACE_JOB_POLL at least 100ms",
        );
        env.law(
            jobs.poll < shutdown_grace,
            "MILLRACE_JOB_POLL must be less than MILLRACE_SHUTDOWN_GRACE: a worker that stops has looked for jobs before",
        );
        env.law(jobs.part_rows > 0, "MILLRACE_EXPORT_PART_ROWS must be at least 1");
        env.law(
            batch_bytes >= ByteSize::mib(2).as_u64(),
            "MILLRACE_BATCH_BYTES must be at least 2 MiB: a message may have 1 MiB, and one that is larger than a \
             pull is never delivered",
        );
        env.law(
            pull.ack_wait > pull.expires + statement_timeout,
            "MILLRACE_ACK_WAIT must be more than MILLRACE_BATCH_EXPIRES + MILLRACE_STATEMENT_TIMEOUT, or messages \
             that are being stored are given to another worker as well",
        );
        env.law(
            statement_timeout < shutdown_grace,
            "MILLRACE_STATEMENT_TIMEOUT must be less than MILLRACE_SHUTDOWN_GRACE",
        );
        env.finish(|| {
            Some(Self {
                bind,
                database_url: database_url?,
                nats_url: nats_url?,
                redis_url: redis_url?,
                pipelines,
                append_slots,
                pull,
                statement_timeout,
                compact_interval,
                postings_quiet,
                streams,
                geoip_database,
                exports,
                jobs,
                shutdown_grace,
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_that_contradict_each_other_are_refused() {
        let env = Env::of([
            ("DATABASE_URL", "postgres://localhost/x"),
            ("NATS_URL", "nats://localhost"),
            ("REDIS_URL", "redis://localhost"),
            ("MILLRACE_ACK_WAIT", "5s"),
            ("MILLRACE_PIPELINES", "0"),
        ]);
        let error = Config::from_env(env).unwrap_err().to_string();
        assert!(error.contains("MILLRACE_ACK_WAIT") && error.contains("MILLRACE_PIPELINES"), "{error}");
    }
}
