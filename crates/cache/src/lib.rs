//! Redis: fast and forgetful. Nothing here is the truth; with Redis away every caller goes on without it.

pub mod attempts;
pub mod duplicates;
mod link;
pub mod revocations;
