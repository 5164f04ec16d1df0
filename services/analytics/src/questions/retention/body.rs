//! Retention as clients read it.

use chrono::NaiveDate;
use millrace_domain::analytics::interval::Interval;
use millrace_domain::analytics::retention::{Average, Cell, Cohort, CohortKind, Mode};
use millrace_domain::analytics::time_zone::TimeZone;
use serde::Serialize;
use utoipa::ToSchema;

/// The length of cohorts and periods.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum IntervalName {
    /// A date.
    Day,
    /// Monday to Sunday.
    Week,
    /// A calendar month.
    Month,
}

/// What counts as having come back.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ModeName {
    /// A return in exactly the period.
    On,
    /// A return in the period or any later one.
    OnOrAfter,
}

/// What puts a user into a cohort.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CohortName {
    /// The user's first start event ever.
    FirstTime,
    /// Any start event.
    Recurring,
}

/// A period of a cohort.
#[derive(Debug, Serialize, ToSchema)]
pub struct RetentionCell {
    /// Intervals after the cohort, 0 being the cohort itself; with `brackets`, the bracket's place in the list, from 1.
    pub period: usize,
    /// The bracket, when brackets were asked for; period 0 has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bracket: Option<String>,
    /// Users of the cohort that came back.
    pub users: u64,
    /// `users` over the cohort's size, 0 to 1.
    pub rate: f64,
    /// Whether the period has ended.
    pub complete: bool,
}

/// A cohort and who of it came back.
#[derive(Debug, Serialize, ToSchema)]
pub struct RetentionCohort {
    /// The first date of its interval.
    pub cohort: NaiveDate,
    /// Its users.
    pub size: u64,
    /// Period 0 and every period asked for.
    pub values: Vec<RetentionCell>,
}

/// A period over all cohorts for which it is complete.
#[derive(Debug, Serialize, ToSchema)]
pub struct RetentionAverage {
    /// As in the cohorts.
    pub period: usize,
    /// As in the cohorts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bracket: Option<String>,
    /// `users` over `size`: the rates weighted by the cohorts' sizes. `null` when `size` is 0.
    pub rate: Option<f64>,
    /// Users that came back, over the complete cells.
    pub users: u64,
    /// Users of the cohorts of these cells.
    pub size: u64,
}

/// Retention of every cohort.
#[derive(Debug, Serialize, ToSchema)]
pub struct RetentionAnswer {
    /// As asked.
    #[schema(example = "2026-11-01")]
    pub from: String,
    /// As asked.
    #[schema(example = "2026-11-30")]
    pub to: String,
    /// The zone of the dates.
    #[schema(value_type = String, example = "Europe/Paris")]
    pub timezone: TimeZone,
    /// As asked, or `day`.
    pub interval: IntervalName,
    /// As asked, or `on`.
    pub mode: ModeName,
    /// As asked, or `first_time`.
    pub cohort: CohortName,
    /// In order of the cohorts' dates.
    pub data: Vec<RetentionCohort>,
    /// Period 0 and every period asked for.
    pub average: Vec<RetentionAverage>,
}

impl From<Interval> for IntervalName {
    fn from(interval: Interval) -> Self {
        match interval {
            Interval::Day => Self::Day,
            Interval::Week => Self::Week,
            Interval::Month => Self::Month,
        }
    }
}

impl From<Mode> for ModeName {
    fn from(mode: Mode) -> Self {
        match mode {
            Mode::On => Self::On,
            Mode::OnOrAfter => Self::OnOrAfter,
        }
    }
}

impl From<CohortKind> for CohortName {
    fn from(kind: CohortKind) -> Self {
        match kind {
            CohortKind::FirstTime => Self::FirstTime,
            CohortKind::Recurring => Self::Recurring,
        }
    }
}

impl From<Cohort> for RetentionCohort {
    fn from(cohort: Cohort) -> Self {
        let values = cohort.values.into_iter().map(RetentionCell::from).collect();
        Self { cohort: cohort.cohort, size: cohort.size, values }
    }
}

impl From<Cell> for RetentionCell {
    fn from(cell: Cell) -> Self {
        let bracket = cell.bracket.map(String::from);
        Self { period: cell.period, bracket, users: cell.users, rate: cell.rate, complete: cell.complete }
    }
}

impl From<Average> for RetentionAverage {
    fn from(average: Average) -> Self {
        let bracket = average.bracket.map(String::from);
        Self { period: average.period, bracket, rate: average.rate, users: average.users, size: average.size }
    }
}
