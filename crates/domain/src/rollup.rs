//! The roll-ups: what a set of newly stored events adds to the counts and to the activity sets.
//!
//! Counts are additive, so only rows that were really inserted may be folded, and in the same transaction. Activity
//! sets are idempotent; they are folded from the same rows so that one pass serves both.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, DurationRound, NaiveDate, TimeDelta, Utc};
use roaring::RoaringBitmap;

use crate::analytics::time_zone::TimeZone;
use crate::ids::{ProjectId, UserNo};
use crate::text::EventType;

/// The width of a counting bucket. The offsets of today's zones are multiples of a quarter of an hour, so days and
/// hours of any zone are whole numbers of buckets: an hour's width would split the days of `Asia/Kolkata`. Where a
/// zone once had another offset, as `Pacific/Kiritimati` until 1979, questions must read the edges from the events.
pub const BUCKET: TimeDelta = TimeDelta::minutes(15);

/// The start of the bucket that holds `time`.
#[must_use]
pub fn bucket_of(time: DateTime<Utc>) -> DateTime<Utc> {
    time.duration_trunc(BUCKET).unwrap_or(time)
}

/// What the roll-ups need to know of a stored event.
#[derive(Clone, Copy, Debug)]
pub struct Row<'a> {
    /// The tenant.
    pub project_id: ProjectId,
    /// What happened.
    pub event_type: &'a EventType,
    /// When.
    pub occurred_at: DateTime<Utc>,
    /// Whose dense number.
    pub user_no: UserNo,
}

/// The key of a count: tenant, start of the bucket, event type.
pub type CountKey = (ProjectId, DateTime<Utc>, EventType);
/// The key of a set of users: tenant, local day, and an event type or `None` for any.
pub type ActivityKey = (ProjectId, NaiveDate, Option<EventType>);

/// What some rows add. The maps are ordered, so that every worker writes in the same order and two of them cannot
/// wait for each other's rows.
#[derive(Debug, Default, PartialEq)]
pub struct RollUps {
    /// Events per bucket.
    pub counts: BTreeMap<CountKey, i64>,
    /// Users per local day.
    pub activity: BTreeMap<ActivityKey, RoaringBitmap>,
}

impl RollUps {
    /// Folds `rows`. Days are the local days of each row's project.
    ///
    /// # Errors
    /// When a row's project is not in `zones`.
    pub fn fold<'a>(
        rows: impl IntoIterator<Item = Row<'a>>,
        zones: &HashMap<ProjectId, TimeZone>,
    ) -> Result<Self, UnknownProject> {
        // Neighbouring events share bucket, day and type; a hash map in front spares the ordered maps most look-ups.
        let mut groups: HashMap<_, (i64, RoaringBitmap)> = HashMap::new();
        for row in rows {
            let zone = zones.get(&row.project_id).ok_or(UnknownProject(row.project_id))?;
            let key =
                (row.project_id, bucket_of(row.occurred_at), zone.local_day(row.occurred_at), row.event_type);
            let (count, users) = groups.entry(key).or_default();
            *count += 1;
            users.insert(row.user_no);
        }
        let mut folded = Self::default();
        for ((project, bucket, day, event_type), (count, users)) in groups {
            *folded.activity.entry((project, day, None)).or_default() |= &users;
            *folded.activity.entry((project, day, Some(event_type.clone()))).or_default() |= users;
            *folded.counts.entry((project, bucket, event_type.clone())).or_default() += count;
        }
        Ok(folded)
    }

    /// Takes in what other rows add.
    pub fn add(&mut self, other: Self) {
        for (key, count) in other.counts {
            *self.counts.entry(key).or_default() += count;
        }
        for (key, users) in other.activity {
            *self.activity.entry(key).or_default() |= users;
        }
    }
}

/// A row of a project that does not exist.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("project {0} does not exist")]
pub struct UnknownProject(pub ProjectId);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn kolkata() -> (ProjectId, HashMap<ProjectId, TimeZone>) {
        let project = ProjectId::new();
        (project, HashMap::from([(project, TimeZone::parse("Asia/Kolkata").unwrap())]))
    }

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn a_local_midnight_on_the_half_hour_parts_buckets_and_days() {
        let (project, zones) = kolkata();
        let login = EventType::parse("login").unwrap();
        let row =
            |time, user_no| Row { project_id: project, event_type: &login, occurred_at: at(time), user_no };
        let folded = RollUps::fold(
            [row("2026-11-01T18:29:59Z", 1), row("2026-11-01T18:30:00Z", 1), row("2026-11-01T18:31:00Z", 2)],
            &zones,
        )
        .unwrap();
        let counts: Vec<i64> = folded.counts.values().copied().collect();
        assert_eq!(counts, [1, 2]);
        let any: Vec<(String, u64)> = folded
            .activity
            .iter()
            .filter(|((_, _, event_type), _)| event_type.is_none())
            .map(|((_, day, _), users)| (day.to_string(), users.len()))
            .collect();
        assert_eq!(any, [("2026-11-01".to_owned(), 1), ("2026-11-02".to_owned(), 2)]);
    }

    #[test]
    fn a_project_that_is_not_there_is_an_error() {
        let (project, _) = kolkata();
        let login = EventType::parse("login").unwrap();
        let row = Row { project_id: project, event_type: &login, occurred_at: Utc::now(), user_no: 1 };
        assert_eq!(RollUps::fold([row], &HashMap::new()), Err(UnknownProject(project)));
    }

    proptest! {
        #[test]
        fn two_parts_add_up_to_the_whole(
            rows in prop::collection::vec((0i64..400_000, 0u32..20, 0usize..3), 0..200), cut in 0usize..200,
        ) {
            let (project, zones) = kolkata();
            let types = ["a", "b", "c"].map(|t| EventType::parse(t).unwrap());
            let rows: Vec<Row<'_>> = rows
                .iter()
                .map(|&(second, user_no, t)| Row {
                    project_id: project,
                    event_type: &types[t],
                    occurred_at: at("2026-11-01T00:00:00Z") + TimeDelta::seconds(second),
                    user_no,
                })
                .collect();
            let (left, right) = rows.split_at(cut.min(rows.len()));
            let mut sum = RollUps::fold(left.iter().copied(), &zones).unwrap();
            sum.add(RollUps::fold(right.iter().copied(), &zones).unwrap());
            prop_assert_eq!(sum, RollUps::fold(rows.iter().copied(), &zones).unwrap());
        }
    }
}
