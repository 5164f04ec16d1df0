//! Retention: who came back.

use std::ops::Range;

use chrono::{DateTime, Utc};
use millrace_domain::analytics::activity::Activity;
use millrace_domain::analytics::event_selector::EventSelector;
use millrace_domain::analytics::range::DateRange;
use millrace_domain::analytics::retention::{Needs, RetentionPlan, RetentionQuery};
use millrace_domain::analytics::time_zone::TimeZone;
use millrace_domain::ids::ProjectId;
use millrace_storage::projects::Project;

use crate::asked::Asked;
use crate::errors::AnalyticsError;
use crate::reader::Reader;

mod body;

pub use body::{
    CohortName, IntervalName, ModeName, RetentionAnswer, RetentionAverage, RetentionCell, RetentionCohort,
};

/// Of the users who started in an interval, how many came back in later ones.
#[derive(Clone, Debug)]
pub struct RetentionQuestion {
    /// Which cohorts: those that share a date with it.
    pub asked: Asked,
    /// What makes a cohort, and what counts as coming back.
    pub query: RetentionQuery,
}

impl RetentionQuestion {
    /// Answers for a project.
    ///
    /// # Errors
    /// When the answer would be too large, or the project does not exist or cannot be read.
    pub async fn answer(
        self,
        reader: &mut Reader,
        project: ProjectId,
    ) -> Result<RetentionAnswer, AnalyticsError> {
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
            interval: self.query.interval.into(),
            mode: self.query.mode.into(),
            cohort: self.query.cohort.into(),
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
