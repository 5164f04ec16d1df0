//! Funnels: how far users got through steps.
//!
//! An **attempt** begins with an event of the first step in the period asked for, and has until the window has passed
//! since then; its later steps may come after the period. It takes, again and again, the earliest event after its last
//! one that is of the step it waits for (greedy). Of all attempts of a user the one that gets furthest counts, of those
//! that get equally far the earliest, so a user counts once.
//!
//! - [`Order::Ordered`]: other events may come in between.
//! - [`Order::Strict`]: the next event of the user must be of the next step.
//! - [`Order::Loose`]: the steps may come in any order. An attempt begins with an event of any step, and step k means
//!   that events of k different steps have happened; an event counts for each of the steps that it is of.
//!
//! An event of an **exclusion** ends every attempt that has begun and is not through; an event of a step is never an
//! exclusion. Events of a user at one time (to the microsecond) stand in the order of the first step that each is of;
//! those of no step come last.

mod attempts;
mod fold;
mod query;

pub use attempts::Moment;
pub(crate) use fold::median_seconds;
pub use fold::{Funnel, FunnelFold, Group, Level};
pub use query::{FunnelParameters, FunnelQuery, MAX_EXCLUSIONS, MAX_STEPS, Order};
