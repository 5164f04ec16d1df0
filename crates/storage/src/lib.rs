//! PostgreSQL and TimescaleDB through diesel-async.
