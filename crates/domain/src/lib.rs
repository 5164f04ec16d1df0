//! What Millrace means by its words: an event and what makes it acceptable, a batch, the roll-ups folded from
//! it, and the questions asked of them.
//!
//! Nothing here touches a socket, a clock or a framework. A time that matters is a parameter, so that every rule
//! can be tested by stating it.

pub mod access;
pub mod analytics;
pub mod audit;
pub mod batch;
pub mod draft;
pub mod email;
pub mod event;
pub mod ids;
pub mod jobs;
pub mod json;
pub mod membership;
pub mod rate;
pub mod rejection;
pub mod rollup;
pub mod text;
