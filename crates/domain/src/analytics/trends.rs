//! Trends: how the number of events, of users, or of something measured went through time.

mod formula;
mod parameters;
mod query;

pub use formula::Formula;
pub use parameters::{SeriesParameters, TrendsParameters};
pub(crate) use parameters::{selection, several};
pub use query::{
    Breakdown, DEFAULT_VALUES, MAX_FORMULAS, MAX_SERIES, MAX_VALUES, Measure, Series, Statistic, TrendsQuery,
};
