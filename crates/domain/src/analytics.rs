//! The questions asked of events, answered by set algebra.
//!
//! A project's distinct users are dense numbers, a day's activity is a set of them, and every answer here is made of
//! unions, intersections and cardinalities of such sets: exact, whatever the number of events. The sets come from two
//! sources, stored ones (the project's own days) and ones built from raw events (the days of any other zone, see
//! [`activity::Activity`]), and one algebra serves both.
//!
//! Each module says which days must be loaded before it can answer; loading them is the caller's part.

pub mod active_users;
pub mod activity;
pub mod asked;
pub mod audience;
pub mod buckets;
pub mod cohort;
pub mod event_selector;
pub mod filter;
pub mod funnel;
pub mod interval;
pub mod lifecycle;
pub mod paths;
pub mod period;
pub mod posting;
pub mod query;
pub mod query_error;
pub mod query_fault;
pub mod range;
pub mod retention;
pub mod sessions;
pub mod span;
pub mod stickiness;
pub mod time_zone;
pub mod top_events;
pub mod trends;
