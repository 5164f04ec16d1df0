//! The worker between a real NATS and a real PostgreSQL.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on panics"
)]

mod bench_of_work;
mod crash;
mod dead_letters;
mod enrichment;
mod exactly_once;
mod geoip;
mod jobs;
mod observed;
mod producers;
mod strict;
