//! What a retention question is answered with.

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use crate::analytics::retention::Bracket;

/// The answer: a row for every cohort, and the average of every period.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Retention {
    /// In order of their dates.
    pub data: Vec<Cohort>,
    /// Period 0 and every period asked for.
    pub average: Vec<Average>,
}

/// A cohort and who of it came back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cohort {
    /// The first date of its interval.
    pub cohort: NaiveDate,
    /// Its users.
    pub size: u64,
    /// Period 0 and every period asked for.
    pub values: Vec<Cell>,
}

/// One period of one cohort.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cell {
    /// Intervals after the cohort, 0 being the cohort itself; with brackets, the bracket's place in the list, from 1.
    pub period: usize,
    /// The bracket, when brackets were asked for; period 0 has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bracket: Option<Bracket>,
    /// Users of the cohort that came back.
    pub users: u64,
    /// `users` over the cohort's size, 0 to 1; 0 for a cohort without users.
    pub rate: f64,
    /// Whether the period (of a bracket, its last interval) has ended.
    pub complete: bool,
}

/// One period over all cohorts for which it is complete.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Average {
    /// As in [`Cell`].
    pub period: usize,
    /// As in [`Cell`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bracket: Option<Bracket>,
    /// `users` over `size`: the cohorts' rates weighted by their sizes. Nothing when `size` is 0.
    pub rate: Option<f64>,
    /// Users that came back, over the complete cells.
    pub users: u64,
    /// Users of the cohorts of these cells.
    pub size: u64,
}

impl Cell {
    pub(super) fn new(
        period: usize,
        bracket: Option<Bracket>,
        users: u64,
        size: u64,
        complete: bool,
    ) -> Self {
        Self { period, bracket, users, rate: rate(users, size).unwrap_or(0.0), complete }
    }
}

impl Retention {
    /// The answer that has these cohorts.
    #[must_use]
    pub fn new(data: Vec<Cohort>) -> Self {
        let mut average: Vec<Average> = Vec::new();
        for cohort in &data {
            if average.is_empty() {
                average.extend(cohort.values.iter().map(Average::of_nobody));
            }
            for (sum, cell) in average.iter_mut().zip(&cohort.values).filter(|(_, cell)| cell.complete) {
                sum.users += cell.users;
                sum.size += cohort.size;
                sum.rate = rate(sum.users, sum.size);
            }
        }
        Self { data, average }
    }
}

impl Average {
    fn of_nobody(cell: &Cell) -> Self {
        Self { period: cell.period, bracket: cell.bracket, rate: None, users: 0, size: 0 }
    }
}

#[expect(clippy::cast_precision_loss, reason = "exact below 2^53 users")]
fn rate(users: u64, size: u64) -> Option<f64> {
    (size > 0).then(|| users as f64 / size as f64)
}
