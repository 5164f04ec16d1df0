//! The time and zone of a question, as every question spells them.

use crate::analytics::period::Period;
use crate::analytics::query_fault::QueryFault;
use crate::analytics::time_zone::TimeZone;

/// The time a question covers.
#[derive(Clone, Debug, PartialEq)]
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
    ) -> Result<Self, QueryFault> {
        let from = from.ok_or_else(|| QueryFault::required("from"))?;
        let to = to.ok_or_else(|| QueryFault::required("to"))?;
        let period = Period::parse(&from, &to)?;
        let zone = timezone.map(TimeZone::parse).transpose();
        let timezone = zone.map_err(|e| QueryFault {
            field: "timezone".to_owned(),
            code: "unknown_timezone",
            message: e.to_string(),
        })?;
        Ok(Self { from, to, period, timezone })
    }

    /// The zone whose days are meant, in a project with this one.
    #[must_use]
    pub fn zone(&self, project: TimeZone) -> TimeZone {
        self.timezone.unwrap_or(project)
    }
}
