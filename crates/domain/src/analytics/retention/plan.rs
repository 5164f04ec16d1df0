//! From a retention question to its answer.

use std::borrow::Cow;
use std::collections::BTreeMap;

use chrono::NaiveDate;
use roaring::{MultiOps, RoaringBitmap};

use crate::analytics::activity::Activity;
use crate::analytics::query_error::QueryError;
use crate::analytics::range::DateRange;
use crate::analytics::retention::{Cell, Cohort, CohortKind, Mode, Retention, RetentionQuery};

/// The most cells, cohorts times periods up to the last one asked for, that one answer may be computed from.
pub const MAX_CELLS: usize = 50_000;

/// A retention question about a range, as of a day: what it needs, and how it is answered.
#[derive(Clone, Debug)]
pub struct RetentionPlan {
    query: RetentionQuery,
    /// From the first date of the first cohort to the first date of the last.
    cohorts: DateRange,
    today: NaiveDate,
}

/// The activity that must be loaded before a plan can be answered. Nothing is needed of days after today.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Needs {
    /// Days of start events; nothing when every cohort lies in the future.
    pub start: Option<DateRange>,
    /// All start events before this day are needed as well, to know whose first event is older. It matters only who,
    /// not when: they may be given as one set on any earlier day.
    pub start_before: Option<NaiveDate>,
    /// Days of return events; nothing when no period has begun.
    pub returns: Option<DateRange>,
    /// Later days of return events, of which it matters only who, not when: they may be given as one set on any of them.
    pub later: Option<DateRange>,
}

/// Returned users by cohort and bracket, both by their places; what is absent is 0.
type Returned = BTreeMap<(usize, usize), u64>;

impl RetentionPlan {
    /// Plans the answer for the intervals that share a date with `range`, as of `today` in the range's zone.
    ///
    /// # Errors
    /// More than [`MAX_CELLS`] cells.
    pub fn new(query: RetentionQuery, range: DateRange, today: NaiveDate) -> Result<Self, QueryError> {
        let cohorts = query.interval.buckets(range).count();
        let periods = query.lookahead.last() as usize + 1;
        if cohorts.saturating_mul(periods) > MAX_CELLS {
            return Err(QueryError::TooManyCells { cohorts, periods });
        }
        let starts =
            DateRange::between(query.interval.start_of(range.from()), query.interval.start_of(range.to()));
        Ok(Self { query, cohorts: starts, today })
    }

    /// The same question about at most `count` cohorts at a time, in order. Their answers' cohorts are those of the whole.
    pub fn parts(&self, count: usize) -> impl DoubleEndedIterator<Item = Self> {
        let starts: Vec<NaiveDate> = self.starts().collect();
        let parts: Vec<DateRange> = starts
            .chunks(count.max(1))
            .filter_map(|part| DateRange::new(*part.first()?, *part.last()?))
            .collect();
        parts.into_iter().map(|cohorts| Self { cohorts, ..self.clone() })
    }

    /// How many numbers the answer has.
    #[must_use]
    pub fn cells(&self) -> usize {
        self.starts().count().saturating_mul(self.query.lookahead.as_slice().len() + 1)
    }

    /// The first date after the last cohort.
    #[must_use]
    pub fn cohorts_end(&self) -> NaiveDate {
        self.query.interval.end(self.cohorts.to())
    }

    /// What must be loaded.
    #[must_use]
    pub fn needs(&self) -> Needs {
        let start = self.until_today(self.cohorts.from(), self.query.interval.end(self.cohorts.to()));
        Needs {
            start,
            start_before: start.filter(|_| self.query.cohort == CohortKind::FirstTime).map(DateRange::from),
            returns: self.until_today(self.query.interval.end(self.cohorts.from()), self.periods_end()),
            later: match self.query.mode {
                Mode::On => None,
                Mode::OnOrAfter => self.until_today(self.periods_end(), NaiveDate::MAX),
            },
        }
    }

    /// Answers from the activity of [`RetentionPlan::needs`]; other days do no harm.
    #[must_use]
    pub fn answer(&self, start: &Activity, returns: &Activity) -> Retention {
        let cohorts = self.cohort_sets(start);
        let intervals = self.return_sets(returns);
        let returned = match self.query.mode {
            Mode::On => self.returned_on(&cohorts, &intervals),
            Mode::OnOrAfter => self.returned_on_or_after(&cohorts, &intervals),
        };
        Retention::new(
            self.starts()
                .zip(&cohorts)
                .enumerate()
                .map(|(place, (start, users))| self.row(place, start, users.len(), &returned))
                .collect(),
        )
    }

    /// The first date of each cohort.
    fn starts(&self) -> impl Iterator<Item = NaiveDate> {
        self.query.interval.buckets(self.cohorts)
    }

    fn row(&self, place: usize, cohort: NaiveDate, size: u64, returned: &Returned) -> Cohort {
        let has_ended = |period: u32| self.query.interval.advance(cohort, period + 1) <= self.today;
        let itself = Cell::new(0, None, size, size, has_ended(0));
        let later = self.query.lookahead.as_slice().iter().enumerate().map(|(index, bracket)| {
            let users = returned.get(&(place, index)).copied().unwrap_or(0);
            let label = self.query.lookahead.is_custom().then_some(*bracket);
            Cell::new(index + 1, label, users, size, has_ended(bracket.last()))
        });
        Cohort { cohort, size, values: std::iter::once(itself).chain(later).collect() }
    }

    /// The users of each cohort.
    fn cohort_sets<'a>(&self, start: &'a Activity) -> Vec<Cow<'a, RoaringBitmap>> {
        let started = self.starts().map(|first_date| self.interval_set(start, first_date));
        match self.query.cohort {
            CohortKind::Recurring => started.collect(),
            CohortKind::FirstTime => {
                let mut seen = start.union_before(self.cohorts.from());
                started
                    .map(|users| {
                        let new = users.as_ref() - &seen;
                        seen |= &new;
                        Cow::Owned(new)
                    })
                    .collect()
            }
        }
    }

    /// The users that returned in each interval after the first cohort's, by the interval's distance from it, less 1; in
    /// the end, those that returned in any that is later than all periods.
    fn return_sets<'a>(&self, returns: &'a Activity) -> Vec<Cow<'a, RoaringBitmap>> {
        let needs = self.needs();
        let intervals = needs.returns.into_iter().flat_map(|days| self.query.interval.buckets(days));
        let sets = intervals.map(|start| self.interval_set(returns, start));
        sets.chain(needs.later.map(|days| returns.union_over(days))).collect()
    }

    fn returned_on(
        &self,
        cohorts: &[Cow<'_, RoaringBitmap>],
        intervals: &[Cow<'_, RoaringBitmap>],
    ) -> Returned {
        let mut returned = Returned::new();
        for (place, cohort) in cohorts.iter().enumerate() {
            for (index, bracket) in self.query.lookahead.as_slice().iter().enumerate() {
                let end = (place + bracket.last() as usize).min(intervals.len());
                let users = match intervals.get(place + bracket.first() as usize - 1..end) {
                    None | Some([]) => continue,
                    Some([only]) => cohort.intersection_len(only),
                    Some(several) => cohort.intersection_len(&several.iter().map(AsRef::as_ref).union()),
                };
                returned.insert((place, index), users);
            }
        }
        returned
    }

    /// Walks back from the last interval, so that the union of an interval and all later ones grows by one set a step
    /// and only one union is held: at a million users each is 128 KiB, and there may be thousands.
    fn returned_on_or_after(
        &self,
        cohorts: &[Cow<'_, RoaringBitmap>],
        intervals: &[Cow<'_, RoaringBitmap>],
    ) -> Returned {
        let mut returned = Returned::new();
        let mut from_here_on = RoaringBitmap::new();
        for (interval, users) in intervals.iter().enumerate().rev() {
            from_here_on |= users.as_ref();
            for (index, bracket) in self.query.lookahead.as_slice().iter().enumerate() {
                let Some(place) = (interval + 1).checked_sub(bracket.first() as usize) else { break };
                if let Some(cohort) = cohorts.get(place) {
                    returned.insert((place, index), cohort.intersection_len(&from_here_on));
                }
            }
        }
        returned
    }

    /// The users active in the interval that starts on `start`, as far as it has come.
    fn interval_set<'a>(&self, activity: &'a Activity, start: NaiveDate) -> Cow<'a, RoaringBitmap> {
        match self.until_today(start, self.query.interval.end(start)) {
            Some(days) => activity.union_over(days),
            None => Cow::Owned(RoaringBitmap::new()),
        }
    }

    /// The date after the last period of the last cohort.
    fn periods_end(&self) -> NaiveDate {
        self.query.interval.advance(self.cohorts.to(), self.query.lookahead.last() + 1)
    }

    /// The dates from `start` to the one before `end`, without those after today.
    fn until_today(&self, start: NaiveDate, end: NaiveDate) -> Option<DateRange> {
        DateRange::new(start, end.pred_opt()?.min(self.today))
    }
}
