//! Why a question was refused.

use crate::analytics::period;
use crate::analytics::retention;
use crate::analytics::time_zone::UnknownTimeZone;
use crate::text::TextFault;

/// A parameter that cannot be used. The message begins with the parameter's name and quotes what was sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QueryError {
    /// `timezone` names no zone.
    #[error(transparent)]
    TimeZone(#[from] UnknownTimeZone),
    /// Neither a date nor an instant.
    #[error(
        "{field} {value:?} is neither a date such as 2026-11-01 nor an RFC 3339 instant such as \
         2026-11-01T00:00:00Z (in a URL, + is written %2B)"
    )]
    NotATime {
        /// The parameter.
        field: &'static str,
        /// What was sent.
        value: String,
    },
    /// A date outside the supported calendar.
    #[error("{field} {value:?} is outside the years 1970 to 9999")]
    OutsideCalendar {
        /// The parameter.
        field: &'static str,
        /// What was sent.
        value: String,
    },
    /// One end is a date, the other an instant.
    #[error("to must be of the same kind as from: two dates, or two RFC 3339 instants")]
    MixedPeriod,
    /// `from` after `to`, or two equal instants, which have nothing between them.
    #[error("from {from:?} must come before to {to:?}")]
    Reversed {
        /// `from` as sent.
        from: String,
        /// `to` as sent.
        to: String,
    },
    /// More time than one question may cover.
    #[error("to must be at most {} years after from", period::MAX_YEARS)]
    PeriodTooLong,
    /// Not one of the words that the parameter takes.
    #[error("{field} {value:?} is not one of {expected}")]
    UnknownWord {
        /// The parameter.
        field: &'static str,
        /// What was sent.
        value: String,
        /// The words it takes.
        expected: &'static str,
    },
    /// Not a whole number within the parameter's limits.
    #[error("{field} {value} is not a whole number from {min} to {max}")]
    NotACount {
        /// The parameter.
        field: &'static str,
        /// What was sent.
        value: String,
        /// The least.
        min: u32,
        /// The most.
        max: u32,
    },
    /// A bracket that is not `first-last` or a single period.
    #[error(
        "brackets {value:?} must be periods such as 1-3 or 5, from 1 (period 0 is the cohort itself) to {}",
        retention::Bracket::MAX
    )]
    NotABracket {
        /// The bracket as sent.
        value: String,
    },
    /// A bracket that does not come after the one before it.
    #[error("brackets {value:?} must come after {before:?}: ascending, without overlap")]
    BracketOrder {
        /// The bracket before it.
        before: String,
        /// The bracket as sent.
        value: String,
    },
    /// `periods` and `brackets` together.
    #[error("brackets cannot be combined with periods")]
    PeriodsAndBrackets,
    /// More cohorts times periods than one answer may hold.
    #[error(
        "periods: {cohorts} cohorts with {periods} periods each are more than {} cells; use fewer periods, a longer \
         interval or a shorter range",
        retention::MAX_CELLS
    )]
    TooManyCells {
        /// Cohorts in the range.
        cohorts: usize,
        /// Periods up to the last one asked for, the cohort itself included.
        periods: usize,
    },
    /// An event type that no event can have.
    #[error("{field} {fault}")]
    EventType {
        /// The parameter.
        field: &'static str,
        /// What is wrong with it.
        fault: TextFault,
    },
}

impl QueryError {
    /// The parameter at fault.
    #[must_use]
    pub fn field(&self) -> &'static str {
        match self {
            Self::TimeZone(_) => "timezone",
            Self::NotATime { field, .. }
            | Self::OutsideCalendar { field, .. }
            | Self::UnknownWord { field, .. }
            | Self::NotACount { field, .. }
            | Self::EventType { field, .. } => field,
            Self::MixedPeriod | Self::PeriodTooLong => "to",
            Self::Reversed { .. } => "from",
            Self::NotABracket { .. } | Self::BracketOrder { .. } | Self::PeriodsAndBrackets => "brackets",
            Self::TooManyCells { .. } => "periods",
        }
    }

    /// The reason for programs, stable across versions.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::TimeZone(_) => "unknown_timezone",
            Self::NotATime { .. } => "not_a_time",
            Self::OutsideCalendar { .. } => "outside_calendar",
            Self::MixedPeriod => "mixed_period",
            Self::Reversed { .. } => "reversed_period",
            Self::PeriodTooLong => "period_too_long",
            Self::UnknownWord { .. } => "unknown_value",
            Self::NotACount { .. } => "out_of_range",
            Self::NotABracket { .. } | Self::BracketOrder { .. } => "invalid_brackets",
            Self::PeriodsAndBrackets => "conflicting_parameters",
            Self::TooManyCells { .. } => "too_many_cells",
            Self::EventType { .. } => "invalid_event_type",
        }
    }
}
