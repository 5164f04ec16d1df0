//! Retention: of the users who started in an interval, how many came back in later ones.
//!
//! - **Cohorts** are the whole calendar intervals that share a date with the range asked for, so the first may start
//!   before `from` and the last may end after `to`. A user is in a cohort if their first start event ever
//!   ([`CohortKind::FirstTime`]) or any start event ([`CohortKind::Recurring`]) falls in the interval.
//! - **Period 0** is the cohort itself: its users are the cohort's size even when the return event differs from the
//!   start event, and a return within the cohort's own interval adds nothing.
//! - **Period k**, [`Mode::On`]: the users of the cohort with a return event in exactly the k-th interval after it.
//!   [`Mode::OnOrAfter`]: in that interval or any later one, up to today.
//! - A **bracket** `a-b` takes the place of a period: with `On`, a return in any of the intervals a to b; with
//!   `OnOrAfter`, in interval a or any later one.
//! - A cell is **complete** once its last interval (of a bracket, interval b) has ended, that is, when today is a
//!   later date. Every cell is present; those of the future have no users and are not complete.
//! - The **average** of a period pools its complete cells: returned users over cohort sizes.
//! - The rate of a cohort without users is 0; an average over nobody has no rate.
//! - Clients' clocks may run ahead, so events may carry dates after today. They count from the day they name, never
//!   before: until then they neither make a cohort nor a return.

mod answer;
mod lookahead;
mod plan;
mod query;

pub use answer::{Average, Cell, Cohort, Retention};
pub use lookahead::{Bracket, Lookahead};
pub use plan::{MAX_CELLS, Needs, RetentionPlan};
pub use query::{CohortKind, Mode, RetentionParameters, RetentionQuery};
