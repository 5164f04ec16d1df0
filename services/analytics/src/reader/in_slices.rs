//! Funnels of more events than memory has room for: some users after the other, from what is stored.

use std::collections::BTreeMap;
use std::ops::Range;

use chrono::{DateTime, Utc};
use futures_util::TryStreamExt;
use millrace_domain::analytics::audience::Audience;
use millrace_domain::analytics::funnel::{FunnelFold, FunnelQuery};
use millrace_domain::analytics::posting::{self, HANDING_OVER, Posting, Slices};
use millrace_domain::text::EventType;
use millrace_storage::postings;
use millrace_storage::postings::stored::{self, Day};
use millrace_storage::projects::Project;

use super::Reader;
use super::in_order::{all, folds};
use crate::errors::AnalyticsError;
use crate::plan::Source;
use crate::postings::days;

/// Events that are folded together, if they are of users of whom everything is here.
const SLICE: usize = 1 << 20;
/// Parts between looks at how much memory is in use.
const LOOK: u64 = 64;

impl Reader {
    /// A funnel for which types and users are all that matters. Nothing where a day of a type is not stored as it is.
    ///
    /// Parts of days come in the order of their users. Those users are folded who are before all that is still to come, and
    /// then what was of them is let go of.
    pub(super) async fn fold_in_slices<'q>(
        &mut self,
        project: &Project,
        (query, end): (&'q FunnelQuery, i64),
        marks: &BTreeMap<&EventType, u32>,
        audience: &Audience,
        reach: &Range<DateTime<Utc>>,
    ) -> Result<Option<FunnelFold<'q>>, AnalyticsError> {
        let types: Vec<&EventType> = marks.keys().copied().collect();
        let starts = days(reach.start, reach.end);
        let conn = self.roll_ups("editions of days").await?;
        let editions = postings::editions(conn, project, &types, &starts).await?;
        let mut wanted: Vec<Day> = Vec::new();
        let mut marks_of = Vec::new();
        for ((event_type, marks), editions) in marks.iter().zip(editions) {
            for (start, edition) in starts.iter().zip(editions).filter(|(_, edition)| edition.events > 0) {
                wanted.push(Day { event_type: (*event_type).clone(), start: *start, edition });
                marks_of.push(*marks);
            }
        }
        if !stored::has_all(conn, project.id, &wanted).await? {
            return Ok(None);
        }
        let mut folds = folds(query, end);
        let mut room = self.room(u64::try_from(HANDING_OVER).unwrap_or(u64::MAX)).await?;
        let instants = reach.start.timestamp_micros()..reach.end.timestamp_micros();
        let fold = |folds: &mut [FunnelFold<'q>], here: &[(u32, Posting)], blocks: Range<u32>| {
            let parts: Vec<(u32, &Posting)> = here.iter().map(|(marks, part)| (*marks, part)).collect();
            posting::fold_users(folds, &parts, &blocks, &instants, |fold, user, moment| {
                if audience.has(user) {
                    fold.push(user, moment, None);
                }
            });
        };
        let mut slices = Slices::of(SLICE);
        let (mut parts_seen, mut events) = (0u64, 0u64);
        self.source = Source::Raw;
        let conn = self.begin("stored postings, in slices", Source::Raw).await?;
        let mut parts = stored::stream(conn, project.id, &wanted).await?;
        while let Some((place, part)) = parts.try_next().await? {
            (parts_seen, events) = (parts_seen + 1, events + u64::try_from(part.len()).unwrap_or(u64::MAX));
            let marks = marks_of.get(place).copied().unwrap_or(0);
            slices.push(marks, part, |here, blocks| fold(&mut folds, here, blocks));
            if parts_seen.is_multiple_of(LOOK) {
                let held = slices.bytes() + folds.iter().map(FunnelFold::bytes).sum::<usize>() + HANDING_OVER;
                room.at_least(u64::try_from(held).unwrap_or(u64::MAX)).await?;
            }
        }
        drop(parts);
        slices.finish(|here, blocks| fold(&mut folds, here, blocks));
        stored::check_whole(events, &wanted)?;
        Ok(all(folds))
    }
}
