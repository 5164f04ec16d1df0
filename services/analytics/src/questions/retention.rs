//! Retention: who came back.

use std::ops::Range;

use chrono::{DateTime, Utc};
use millrace_domain::analytics::activity::Activity;
use millrace_domain::analytics::asked::Asked;
use millrace_domain::analytics::event_selector::EventSelector;
use millrace_domain::analytics::filter::{Filter, Selection};
use millrace_domain::analytics::interval::Interval;
use millrace_domain::analytics::range::DateRange;
use millrace_domain::analytics::retention::{Needs, RetentionPlan, RetentionQuery};
use millrace_domain::analytics::time_zone::TimeZone;
use millrace_storage::projects::Project;

use crate::errors::AnalyticsError;
use crate::reader::Reader;

mod body;

pub use body::{
    CohortName, IntervalName, ModeName, RetentionAnswer, RetentionAverage, RetentionCell, RetentionCohort,
};

/// Answers for a project: for the cohorts that share a date with the period.
///
/// # Errors
/// When the answer would be too large, or the project cannot be read.
pub async fn answer(
    reader: &mut Reader,
    project: &Project,
    asked: Asked,
    query: RetentionQuery,
    filter: Option<Filter>,
) -> Result<RetentionAnswer, AnalyticsError> {
    let zone = asked.zone(project.timezone);
    let range = asked.period.dates(zone);
    let plan = RetentionPlan::new(query.clone(), range, reader.today(zone))?;
    let selection = |event: &EventSelector| Selection { event: event.clone(), filter: filter.clone() };
    let (start, returns) = (selection(&query.start_event), selection(&query.return_event));
    let reading = Reading { project, zone, interval: query.interval, start, returns };
    let retention = match reading.activities(reader, plan.needs()).await? {
        (start, Some(returns)) => plan.answer(&start, &returns),
        (both, None) => plan.answer(&both, &both),
    };
    Ok(RetentionAnswer {
        from: asked.from,
        to: asked.to,
        timezone: zone,
        interval: query.interval.into(),
        mode: query.mode.into(),
        cohort: query.cohort.into(),
        data: retention.data.into_iter().map(RetentionCohort::from).collect(),
        average: retention.average.into_iter().map(RetentionAverage::from).collect(),
    })
}

struct Reading<'a> {
    project: &'a Project,
    zone: TimeZone,
    interval: Interval,
    start: Selection,
    returns: Selection,
}

impl Reading<'_> {
    /// The activity that starts and the one that returns; only one, when it is the same events that do either.
    async fn activities(
        &self,
        reader: &mut Reader,
        needs: Needs,
    ) -> Result<(Activity, Option<Activity>), AnalyticsError> {
        let (started, returned) = (&self.start, &self.returns);
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
        events: &Selection,
        days: Option<DateRange>,
    ) -> Result<Activity, AnalyticsError> {
        let Some(days) = days else { return Ok(Activity::default()) };
        let instants = self.instants(days);
        Ok(reader.activity(self.project, events, &instants, self.zone, self.interval).await?)
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
