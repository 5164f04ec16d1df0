//! Retention: who came back.

use std::ops::Range;

use chrono::{DateTime, NaiveDate, Utc};
use millrace_domain::analytics::activity::Activity;
use millrace_domain::analytics::asked::Asked;
use millrace_domain::analytics::event_selector::EventSelector;
use millrace_domain::analytics::filter::{Filter, Selection};
use millrace_domain::analytics::interval::Interval;
use millrace_domain::analytics::range::DateRange;
use millrace_domain::analytics::retention::{Mode, Needs, Retention, RetentionPlan, RetentionQuery};
use millrace_domain::analytics::time_zone::TimeZone;
use millrace_storage::projects::Project;
use roaring::RoaringBitmap;

use crate::errors::AnalyticsError;
use crate::reader::Reader;
use crate::working_memory::{bytes_of_set, sets_at_once};

mod body;

pub use body::{
    CohortName, IntervalName, ModeName, RetentionAnswer, RetentionAverage, RetentionCell, RetentionCohort,
};

/// Bytes of a cell of the answer: as it is computed, as it is answered, and as it is written.
const CELL: u64 = 300;

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
    let retention = reading.retention(reader, &plan, &query).await?;
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
    /// The answer, from the sets of a few cohorts at a time.
    async fn retention(
        &self,
        reader: &mut Reader,
        plan: &RetentionPlan,
        query: &RetentionQuery,
    ) -> Result<Retention, AnalyticsError> {
        let at_once = sets_at_once(self.project.users);
        let parts: Vec<RetentionPlan> = plan.parts(at_once).collect();
        let last = usize::try_from(query.lookahead.last()).unwrap_or(usize::MAX);
        // The cohorts, those of them that are new, what they are compared with, and what comes after each part.
        let later = if query.mode == Mode::OnOrAfter { parts.len() } else { 0 };
        let sets = (3 * at_once).saturating_add(last).saturating_add(later + 6);
        let sets = u64::try_from(sets).unwrap_or(u64::MAX);
        let answer = u64::try_from(plan.cells()).unwrap_or(u64::MAX).saturating_mul(CELL);
        let _room = reader.room(sets.saturating_mul(bytes_of_set(self.project.users)) + answer).await?;

        let later = self.later(reader, &parts).await?;
        let mut seen: Option<RoaringBitmap> = None;
        let mut cohorts = Vec::new();
        for (part, later) in parts.iter().zip(later) {
            let needs = part.needs();
            let (mut start, returns) = self.activities(reader, needs).await?;
            if let Some((first, before)) =
                needs.start_before.and_then(|first| Some((first, first.pred_opt()?)))
            {
                let known = match seen.take() {
                    Some(seen) => seen,
                    None => {
                        reader.users_before(self.project, &self.start, self.zone.day_start(first)).await?
                    }
                };
                start.extend([(before, known)]);
                seen = Some(start.union_before(part.cohorts_end()));
            }
            let answer = match returns {
                Some(mut returns) => {
                    returns.extend(later);
                    part.answer(&start, &returns)
                }
                None => {
                    start.extend(later);
                    part.answer(&start, &start)
                }
            };
            cohorts.extend(answer.data);
        }
        Ok(Retention::new(cohorts))
    }

    /// Who returned after the last period of each part, on a day that is.
    async fn later(
        &self,
        reader: &mut Reader,
        parts: &[RetentionPlan],
    ) -> Result<Vec<Option<(NaiveDate, RoaringBitmap)>>, AnalyticsError> {
        let mut found = Vec::new();
        // What comes after a part is what comes after the next one, and a little more.
        let mut known: Option<(NaiveDate, RoaringBitmap)> = None;
        for part in parts.iter().rev() {
            known = match part.needs().later {
                None => None,
                Some(days) => {
                    let until = known.as_ref().map_or(days.end(), |(from, _)| *from);
                    let within = self.zone.day_start(days.from())..self.zone.day_start(until);
                    let users = reader.users_within(self.project, &self.returns, &within).await?;
                    Some((
                        days.from(),
                        match known {
                            Some((_, later)) => later | users,
                            None => users,
                        },
                    ))
                }
            };
            found.push(known.clone());
        }
        found.reverse();
        Ok(found)
    }

    /// The activity that starts and the one that returns; only one, when it is the same events that do either.
    async fn activities(
        &self,
        reader: &mut Reader,
        needs: Needs,
    ) -> Result<(Activity, Option<Activity>), AnalyticsError> {
        let (started, returned) = (&self.start, &self.returns);
        if started == returned {
            return Ok((self.activity(reader, started, hull(needs.start, needs.returns)).await?, None));
        }
        let start = self.activity(reader, started, needs.start).await?;
        Ok((start, Some(self.activity(reader, returned, needs.returns).await?)))
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
