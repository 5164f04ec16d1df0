//! The time and zone of a question, as every question spells them.

use std::ops::{Range, RangeInclusive};

use chrono::TimeDelta;
use millrace_cache::data_versions::Month;
use millrace_domain::analytics::period::Period;
use millrace_domain::analytics::time_zone::TimeZone;

use crate::errors::AnalyticsError;

/// The time a question covers.
#[derive(Clone, Debug)]
pub struct Asked {
    /// `from` as it was sent.
    pub from: String,
    /// `to` as it was sent.
    pub to: String,
    /// What the two mean.
    pub period: Period,
    /// The zone whose days are meant, if it is not the project's.
    pub timezone: Option<TimeZone>,
}

impl Asked {
    /// Reads the three parameters.
    ///
    /// # Errors
    /// Names the one that is absent or cannot be used.
    pub fn parse(
        from: Option<String>,
        to: Option<String>,
        timezone: Option<&str>,
    ) -> Result<Self, AnalyticsError> {
        let (from, to) =
            (from.ok_or(AnalyticsError::Absent("from"))?, to.ok_or(AnalyticsError::Absent("to"))?);
        let period = Period::parse(&from, &to)?;
        let timezone =
            timezone.map(TimeZone::parse).transpose().map_err(|e| AnalyticsError::Refused(e.into()))?;
        Ok(Self { from, to, period, timezone })
    }

    /// The months whose events can change an answer about this time and `days_before` it. No zone's days are a day off.
    #[must_use]
    pub fn months(&self, days_before: u32) -> RangeInclusive<Month> {
        let Range { start, end } = self.period.instants(TimeZone::UTC);
        let margin = TimeDelta::days(1);
        let first = start.checked_sub_signed(margin + TimeDelta::days(days_before.into()));
        let last = end.checked_add_signed(margin);
        first.map_or(Month::FIRST, Month::of)..=last.map_or(Month::LAST, Month::of)
    }

    /// The zone whose days are meant, in a project with this one.
    #[must_use]
    pub fn zone(&self, project: TimeZone) -> TimeZone {
        self.timezone.unwrap_or(project)
    }
}
