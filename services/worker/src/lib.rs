//! From the log to the database, exactly once.
//!
//! A [`pipeline`] pulls messages ([`millrace_messaging::consumer`]), decodes them ([`millrace_messaging::wire`]),
//! holds them against the schemas of their types ([`strict`]), adds to them ([`enrichment`]), stores their events and what they add to the roll-ups in one transaction ([`store`],
//! [`millrace_storage::append`]), and only then takes the messages out of the log ([`settle`]). A crash anywhere
//! brings the messages again, and storing them again changes nothing. What can never be stored goes to the
//! [`dead_letters`]; what cannot be stored right now waits.
//!
//! [`exhausted`] is the net below: what the broker gives up on goes to the dead letters, too. [`orders`] puts dead letters
//! back into the log, or deletes them, when auth asks for it.
//!
//! [`jobs`] are worked on beside that: imports, exports, deletions, rebuilds, maintenance. [`jobs::runner`] takes them.
//!
//! Beside the pipelines, [`compaction`] merges the activity sets, [`postings`] stores who did what when, [`observed`] writes down what
//! properties events have, and [`lag`] watches how far behind the workers are.
//! The worker answers no user; operators see its health routes.

pub mod app;
pub mod backoff;
pub mod compaction;
pub mod config;
pub mod dead_letters;
pub mod enrichment;
pub mod exhausted;
pub mod jobs;
pub mod lag;
pub mod observed;
pub mod orders;
pub mod pipeline;
pub mod postings;
pub mod settle;
pub mod store;
pub mod strict;
pub mod work;
