//! A run of local days.

use chrono::{Days, NaiveDate};
use serde::Serialize;

/// One or more consecutive dates, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct DateRange {
    from: NaiveDate,
    to: NaiveDate,
}

impl DateRange {
    /// The dates from `from` to `to`, both included; nothing when `from` is after `to`.
    #[must_use]
    pub fn new(from: NaiveDate, to: NaiveDate) -> Option<Self> {
        (from <= to).then_some(Self { from, to })
    }

    /// The dates between two days, both included, whichever comes first.
    #[must_use]
    pub fn between(one: NaiveDate, other: NaiveDate) -> Self {
        Self { from: one.min(other), to: one.max(other) }
    }

    /// The first date.
    #[must_use]
    pub fn from(self) -> NaiveDate {
        self.from
    }

    /// The last date.
    #[must_use]
    pub fn to(self) -> NaiveDate {
        self.to
    }

    /// The date after the last.
    #[must_use]
    pub fn end(self) -> NaiveDate {
        self.to.succ_opt().unwrap_or(self.to)
    }

    /// Every date in order.
    pub fn days(self) -> impl Iterator<Item = NaiveDate> {
        self.from.iter_days().take_while(move |day| *day <= self.to)
    }

    /// Whether `day` is one of them.
    #[must_use]
    pub fn contains(self, day: NaiveDate) -> bool {
        self.from <= day && day <= self.to
    }

    /// The same dates with `days` more in front.
    #[must_use]
    pub fn preceded_by(self, days: u64) -> Self {
        Self { from: self.from.checked_sub_days(Days::new(days)).unwrap_or(NaiveDate::MIN), to: self.to }
    }
}
