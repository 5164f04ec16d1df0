//! Where the servers are.

/// PostgreSQL, as a role that may create databases.
pub fn database_url() -> String {
    variable("MILLRACE_TEST_DATABASE_URL")
}

/// NATS with JetStream.
pub fn nats_url() -> String {
    variable("MILLRACE_TEST_NATS_URL")
}

/// Redis.
pub fn redis_url() -> String {
    variable("MILLRACE_TEST_REDIS_URL")
}

fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set: run the tests with `make test`"))
}
