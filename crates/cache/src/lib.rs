//! Redis: fast and forgetful. Nothing here is the truth; with Redis away every caller goes on without it.

mod address;
pub mod answers;
pub mod attempts;
pub mod data_versions;
pub mod duplicates;
mod generations;
pub mod limits;
mod link;
pub mod revocations;
