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
pub mod enrichment;
pub mod event;
pub mod ids;
pub mod jobs;
pub mod json;
pub mod json_type;
pub mod membership;
pub mod notification;
pub mod origins;
pub mod rate;
pub mod rejection;
pub mod rollup;
pub mod text;
pub mod workspace;
