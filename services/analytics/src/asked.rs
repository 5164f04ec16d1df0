//! The time and zone of a question, as every question spells them.

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

    /// The zone whose days are meant, in a project with this one.
    #[must_use]
    pub fn zone(&self, project: TimeZone) -> TimeZone {
        self.timezone.unwrap_or(project)
    }
}
