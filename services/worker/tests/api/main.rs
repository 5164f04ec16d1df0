//! The worker between a real NATS and a real PostgreSQL.

mod bench_of_work;
mod crash;
mod dead_letters;
mod exactly_once;
