//! Redis: fast and forgetful. Nothing here is the truth; with Redis away callers go on without it, but for two: a
//! sign-in with a provider cannot begin ([`sign_ins`]), and no ticket is given ([`tickets`]).

mod address;
pub mod answers;
pub mod attempts;
pub mod data_versions;
pub mod duplicates;
mod generations;
pub mod limits;
mod link;
pub mod revocations;
pub mod sign_ins;
pub mod tickets;
