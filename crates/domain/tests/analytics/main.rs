//! The set algebra against slow and obvious definitions of the same questions, over arbitrary histories in zones with
//! and without surprises.

#![expect(clippy::expect_used, reason = "a test that cannot be set up must fail")]
#![expect(clippy::cast_precision_loss, reason = "a dozen users")]
#![expect(clippy::indexing_slicing, reason = "a walk that leaves its events must fail")]

mod active_users;
mod cohort;
mod funnel;
mod history;
mod retention;
mod retention_examples;
mod time_zone;
