//! What a service's `main` needs before it can do its own work: configuration from the environment, telemetry, a
//! lifecycle, and the health routes that operators watch.

pub mod config;
pub mod health;
pub mod labels;
pub mod launch;
pub mod lifecycle;
pub mod metrics;
mod scheduling;
pub mod telemetry;
