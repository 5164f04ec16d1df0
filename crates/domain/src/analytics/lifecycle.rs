//! Lifecycle: who is new, who stayed, who came back, who went.
//!
//! Intervals are the whole calendar intervals that share a date with the range asked for. Of each of them:
//!
//! - **new**: the users whose first event ever falls in it;
//! - **returning**: those active in it and in the one before;
//! - **resurrecting**: those active in it and not in the one before, whose first event is older;
//! - **dormant**: those active in the one before and not in it.
//!
//! New, returning and resurrecting together are the active users of the interval. An interval that has not begun by
//! today has nobody.

use chrono::NaiveDate;
use roaring::RoaringBitmap;
use serde::{Deserialize, Serialize};

use crate::analytics::activity::Activity;
use crate::analytics::event_selector::EventSelector;
use crate::analytics::interval::Interval;
use crate::analytics::query_fault::QueryFault;
use crate::analytics::range::DateRange;

/// The most intervals of one answer.
pub const MAX_INTERVALS: usize = 1_000;

/// A lifecycle question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LifecycleQuery {
    /// The intervals.
    pub interval: Interval,
    /// Doing what counts as being active.
    pub event: EventSelector,
}

/// A lifecycle question, as it is written.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LifecycleParameters {
    interval: Option<String>,
    event_type: Option<String>,
}

impl TryFrom<LifecycleParameters> for LifecycleQuery {
    type Error = QueryFault;

    fn try_from(raw: LifecycleParameters) -> Result<Self, QueryFault> {
        Ok(Self {
            interval: raw.interval.map_or(Ok(Interval::default()), |text| text.parse())?,
            event: EventSelector::parse("event_type", raw.event_type.as_deref())?,
        })
    }
}

/// The users of an interval by what became of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Stage {
    /// The first date of the interval.
    pub date: NaiveDate,
    /// First seen in it.
    pub new: u64,
    /// Active in it and in the one before.
    pub returning: u64,
    /// Active in it again.
    pub resurrecting: u64,
    /// Active in the one before only.
    pub dormant: u64,
    /// Whether the interval has ended.
    pub complete: bool,
}

/// The days whose activity must be loaded, by interval, to answer for `range`: those of its intervals and of the one
/// before. Everybody active before them must be known as well.
///
/// # Errors
/// More than [`MAX_INTERVALS`] intervals.
pub fn needed(interval: Interval, range: DateRange) -> Result<DateRange, QueryFault> {
    let intervals = interval.buckets(range).count();
    if intervals > MAX_INTERVALS {
        let reason =
            format_args!("would have {intervals} intervals, at most {MAX_INTERVALS} may be asked for");
        return Err(QueryFault::new("interval", "too_many_intervals", reason));
    }
    let first = interval.start_of(range.from());
    let before = first.pred_opt().map_or(first, |day| interval.start_of(day));
    let end = interval.end(interval.start_of(range.to()));
    Ok(DateRange::between(before, end.pred_opt().unwrap_or(end)))
}

/// The stages of the intervals of `range`, as of `today`. `activity` must hold a set for each interval of [`needed`],
/// on its first date; `before`, everybody active before these days.
#[must_use]
pub fn lifecycle(
    interval: Interval,
    range: DateRange,
    today: NaiveDate,
    activity: &Activity,
    before: &RoaringBitmap,
) -> Vec<Stage> {
    let nobody = RoaringBitmap::new();
    let first = interval.start_of(range.from());
    let mut previous =
        first.pred_opt().and_then(|day| activity.on(interval.start_of(day))).unwrap_or(&nobody);
    let mut seen = before | previous;
    let mut stages = Vec::new();
    for date in interval.buckets(range) {
        let end = interval.end(date);
        let begun = date <= today;
        let active = activity.on(date).filter(|_| begun).unwrap_or(&nobody);
        let stayed = active.intersection_len(previous);
        let known = active.intersection_len(&seen);
        stages.push(Stage {
            date,
            new: active.len() - known,
            returning: stayed,
            // Whoever was active in the interval before is known.
            resurrecting: known.saturating_sub(stayed),
            dormant: if begun { previous.len() - stayed } else { 0 },
            complete: end <= today,
        });
        seen |= active;
        previous = active;
    }
    stages
}
