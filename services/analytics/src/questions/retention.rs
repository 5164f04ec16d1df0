//! Retention: who came back.

use std::ops::Range;

use chrono::{DateTime, NaiveDate, Utc};
use millrace_domain::analytics::activity::Activity;
use millrace_domain::analytics::event_selector::EventSelector;
use millrace_domain::analytics::range::DateRange;
use millrace_domain::analytics::retention::{
    Average, Cell, Cohort, Needs, RetentionParameters, RetentionPlan, RetentionQuery,
};
use millrace_domain::analytics::time_zone::TimeZone;
use millrace_domain::ids::ProjectId;
use millrace_storage::projects::Project;
use serde::Serialize;
use utoipa::ToSchema;

use crate::asked::Asked;
use crate::errors::AnalyticsError;
use crate::reader::Reader;

/// Of the users who started in an interval, how many came back in later ones.
#[derive(Clone, Debug)]
pub struct RetentionQuestion {
    /// Which cohorts: those that share a date with it.
    pub asked: Asked,
    /// What makes a cohort, and what counts as coming back.
    pub query: RetentionQuery,
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
    /// `interval`, `mode`, `cohort` and the others as asked, or their defaults.
    #[serde(flatten)]
    #[schema(inline)]
    pub query: RetentionEcho,
    /// In order of the cohorts' dates.
    pub data: Vec<RetentionCohort>,
    /// Period 0 and every period asked for.
    pub average: Vec<RetentionAverage>,
}

/// The question as it was understood.
#[derive(Debug, Serialize, ToSchema)]
pub struct RetentionEcho {
    /// The length of cohorts and periods: `day`, `week` or `month`.
    pub interval: Option<String>,
    /// `on` or `on_or_after`.
    pub mode: Option<String>,
    /// `first_time` or `recurring`.
    pub cohort: Option<String>,
}

impl RetentionQuestion {
    /// Answers for a project.
    ///
    /// # Errors
    /// When the answer would be too large, or the project does not exist or cannot be read.
    pub async fn answer(self, reader: &mut Reader, project: ProjectId) -> Result<RetentionAnswer, AnalyticsError> {
        let project = reader.project(project).await?;
        let zone = self.asked.zone(project.timezone);
        let range = self.asked.period.dates(zone);
        let plan = RetentionPlan::new(self.query.clone(), range, reader.today(zone))?;
        let reading = Reading { project: &project, zone, query: &self.query };
        let retention = match reading.activities(reader, plan.needs()).await? {
            (start, Some(returns)) => plan.answer(&start, &returns),
            (both, None) => plan.answer(&both, &both),
        };
        Ok(RetentionAnswer {
            from: self.asked.from,
            to: self.asked.to,
            timezone: zone,
            query: self.query.into(),
            data: retention.data.into_iter().map(RetentionCohort::from).collect(),
            average: retention.average.into_iter().map(RetentionAverage::from).collect(),
        })
    }
}

struct Reading<'a> {
    project: &'a Project,
    zone: TimeZone,
    query: &'a RetentionQuery,
}

impl Reading<'_> {
    /// The activity that starts and the one that returns; only one, when it is the same events that do either.
    async fn activities(
        &self,
        reader: &mut Reader,
        needs: Needs,
    ) -> Result<(Activity, Option<Activity>), AnalyticsError> {
        let (started, returned) = (&self.query.start_event, &self.query.return_event);
        let (mut start, returns) = if started == returned {
            (self.activity(reader, started, hull(needs.start, needs.returns)).await?, None)
        } else {
            let start = self.activity(reader, started, needs.start).await?;
            (start, Some(self.activity(reader, returned, needs.returns).await?))
        };
        if let Some((first, before)) = needs.start_before.and_then(|first| Some((first, first.pred_opt()?))) {
            let seen = reader.users_before(self.project, started, self.zone.day_start(first)).await?;
            start.extend([(before, seen)]);
        }
        Ok((start, returns))
    }

    /// A set for each interval: which day of it does not matter, and there may be years of days.
    async fn activity(
        &self,
        reader: &mut Reader,
        selector: &EventSelector,
        days: Option<DateRange>,
    ) -> Result<Activity, AnalyticsError> {
        let Some(days) = days else { return Ok(Activity::default()) };
        let instants = self.instants(days);
        Ok(reader.activity(self.project, selector, &instants, self.zone, self.query.interval).await?)
    }

    fn instants(&self, days: DateRange) -> Range<DateTime<Utc>> {
        self.zone.day_start(days.from())..self.zone.day_start(days.end())
    }
}

fn hull(one: Option<DateRange>, other: Option<DateRange>) -> Option<DateRange> {
    match (one, other) {
        (Some(a), Some(b)) => DateRange::new(a.from().min(b.from()), a.to().max(b.to())),
        (range, None) | (None, range) => range,
    }
}

impl From<RetentionQuery> for RetentionEcho {
    fn from(query: RetentionQuery) -> Self {
        let RetentionParameters { interval, mode, cohort, .. } = query.into();
        Self { interval, mode, cohort }
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
