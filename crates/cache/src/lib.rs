//! Redis: fast and forgetful. Nothing here is the truth; with Redis away every caller goes on without it.

pub mod answers;
pub mod attempts;
pub mod data_versions;
pub mod duplicates;
mod link;
pub mod revocations;
