//! What a trends question asks.

use super::Formula;
use crate::analytics::buckets::Width;
use crate::analytics::filter::Selection;
use crate::text::PropertyName;

/// The most series of one question. Their names are A to J.
pub const MAX_SERIES: usize = 10;
/// The most formulas of one question.
pub const MAX_FORMULAS: usize = 10;
/// The most values that a breakdown tells apart.
pub const MAX_VALUES: u16 = 100;
/// The values that a breakdown tells apart unless it says another number.
pub const DEFAULT_VALUES: u16 = 10;

/// A trends question.
#[derive(Clone, Debug, PartialEq)]
pub struct TrendsQuery {
    /// The length of a point.
    pub interval: Width,
    /// What is measured, at least one.
    pub series: Vec<Series>,
    /// What is computed from the series.
    pub formulas: Vec<Formula>,
    /// What the events are told apart by.
    pub breakdown: Option<Breakdown>,
    /// Whether the period before is measured as well.
    pub compare: bool,
}

/// Something that is measured.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// Of these events.
    pub events: Selection,
    /// This.
    pub measure: Measure,
}

/// What is measured of events.
#[derive(Clone, Debug, PartialEq)]
pub enum Measure {
    /// How many they are.
    Count,
    /// How many distinct users they have.
    Users,
    /// A statistic of a property over those of them where it is a number.
    Property(Statistic, PropertyName),
}

/// A number that stands for many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Statistic {
    /// Their sum; 0 of none.
    Sum,
    /// Their mean.
    Avg,
    /// The least.
    Min,
    /// The greatest.
    Max,
    /// A percentile, interpolated between the two numbers that it falls between.
    Percentile(u8),
}

/// Events told apart by a property.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Breakdown {
    /// By this one.
    pub property: PropertyName,
    /// The values with the most events are told apart, so many of them; the rest are together.
    pub values: u16,
}
