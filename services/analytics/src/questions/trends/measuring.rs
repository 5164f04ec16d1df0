//! The measures of series: from the roll-ups where they know, or else from the events.

use std::collections::BTreeMap;
use std::ops::Range;

use chrono::{DateTime, NaiveTime, Utc};
use millrace_domain::analytics::buckets::Width;
use millrace_domain::analytics::filter::Selection;
use millrace_domain::analytics::interval::Interval;
use millrace_domain::analytics::period::Period;
use millrace_domain::analytics::time_zone::TimeZone;
use millrace_domain::analytics::trends::{Breakdown, Measure, Series, Statistic};
use millrace_domain::text::PropertyName;
use millrace_storage::postings::By;
use millrace_storage::projects::Project;
use millrace_storage::trends::{self, Figure, Measured, Most, Scope, Valued};
use roaring::RoaringBitmap;

use super::points::Points;
use super::table::{Sums, Table, float};
use super::values::Values;
use crate::errors::AnalyticsError;
use crate::reader::Reader;
use crate::slices::slices;
use crate::working_memory::{bytes_of_set, bytes_of_sets, sets_at_once};

/// The most values, at points, that are brought here to be ranked.
const VALUES_AT_ONCE: usize = 100_000;

/// What an entry of a list of sets takes beside its set and its value's text, and about that.
const ENTRY: u64 = 160;

/// A period of a project, cut into points.
pub(super) struct Measuring<'a> {
    pub(super) project: &'a Project,
    pub(super) zone: TimeZone,
    pub(super) period: Period,
    pub(super) instants: Range<DateTime<Utc>>,
    pub(super) starts: Vec<DateTime<Utc>>,
    pub(super) width: Width,
    pub(super) by: Option<(&'a PropertyName, &'a Values)>,
}

impl Measuring<'_> {
    /// The measures of a series.
    pub(super) async fn measure(
        &self,
        reader: &mut Reader,
        series: &Series,
    ) -> Result<Table, AnalyticsError> {
        let plain = series.events.is_plain() && self.by.is_none();
        let by_sets = self.by.is_none() && series.events.audience().is_some();
        match (&series.measure, self.width) {
            (Measure::Count, _) => self.counts(reader, &series.events, plain).await,
            (Measure::Users, Width::Calendar(interval)) if by_sets => {
                self.users_of_sets(reader, &series.events, interval).await
            }
            (Measure::Users, _) => self.users(reader, &series.events).await,
            (Measure::Property(statistic, property), _) => {
                self.statistics(reader, &series.events, *statistic, property).await
            }
        }
    }

    /// The values with the most events and the measures of all series, from one look at the events of each; nothing
    /// where a series is a statistic of a property, or there are too many values.
    pub(super) async fn at_once(
        &self,
        reader: &mut Reader,
        series: &[Series],
        breakdown: &Breakdown,
    ) -> Result<Option<(Values, Vec<Table>)>, AnalyticsError> {
        if series.iter().any(|series| matches!(series.measure, Measure::Property(..))) {
            return Ok(None);
        }
        let mut found = Vec::new();
        for series in series {
            let with_users = series.measure == Measure::Users;
            if with_users {
                reader.afford(self.project, [&series.events.event], &self.instants).await?;
            }
            let valued = match self.in_memory(reader, &series.events, &breakdown.property).await? {
                Some(valued) => Some(valued),
                None => {
                    let room = reader.quarter_of_memory();
                    reader.keep_room(room).await?;
                    let fit = |entries: usize, users: u64| {
                        let entries = u64::try_from(entries).unwrap_or(u64::MAX);
                        bytes_of_sets(self.project.users, entries, users) + entries * ENTRY <= room
                    };
                    let most = Most { entries: VALUES_AT_ONCE, fit: &fit };
                    let (conn, scope) = (reader.events("events by value").await?, self.scope(&series.events));
                    trends::by_value(conn, scope, &breakdown.property, with_users, most).await?
                }
            };
            let Some(valued) = valued else { return Ok(None) };
            found.push(valued);
        }
        let mut events: BTreeMap<Option<String>, u64> = BTreeMap::new();
        for valued in found.iter().flatten() {
            *events.entry(valued.value.clone()).or_default() += valued.events;
        }
        let values = Values::ranked(events, breakdown);
        let places: BTreeMap<&Option<String>, usize> =
            values.told_apart.iter().enumerate().map(|(place, value)| (value, place)).collect();
        let tables = found.into_iter().zip(series).map(|(valued, series)| {
            let mut sums = Sums::new(values.groups(), self.starts.len());
            for valued in valued {
                let group = places.get(&valued.value).copied().unwrap_or(values.told_apart.len());
                sums.add(group, valued);
            }
            sums.table(&series.measure)
        });
        let tables = tables.collect();
        Ok(Some((values, tables)))
    }

    /// The events by value, where type and user alone select them and memory has room for them.
    async fn in_memory(
        &self,
        reader: &mut Reader,
        events: &Selection,
        property: &PropertyName,
    ) -> Result<Option<Vec<Valued>>, AnalyticsError> {
        let (Some(event_type), Some(audience)) = (events.event.event_type(), events.audience()) else {
            return Ok(None);
        };
        let by = By { property: property.clone(), times: !self.is_of_whole_days() };
        let kept = reader.postings(self.project, &[event_type], Some(&by), &self.instants).await?;
        let Some(days) = kept else { return Ok(None) };
        // Each day has a set for each value, at one point at least.
        let (mut entries, mut of_them) = (0u64, 0u64);
        for (_, posting) in days.iter().flatten().flat_map(|day| &day.by_value) {
            let events = u64::try_from(posting.len()).unwrap_or(u64::MAX);
            entries += events.min(self.points_of_a_day());
            of_them += events;
        }
        let sets = bytes_of_sets(self.project.users, entries, of_them);
        reader.keep_room(sets + entries.saturating_mul(ENTRY)).await?;
        let points = Points {
            starts: self.starts.iter().map(DateTime::timestamp_micros).collect(),
            end: self.instants.end.timestamp_micros(),
            audience: &audience,
        };
        let by_value: Vec<_> = days.iter().flatten().flat_map(|day| &day.by_value).collect();
        Ok(Some(points.valued(&by_value, !by.times)))
    }

    /// Whether every point begins and ends at a midnight in UTC.
    fn is_of_whole_days(&self) -> bool {
        let mut bounds = self.starts.iter().chain([&self.instants.start, &self.instants.end]);
        bounds.all(|bound| bound.time() == NaiveTime::MIN)
    }

    /// Points that share a moment with a day, at most.
    fn points_of_a_day(&self) -> u64 {
        match self.width {
            Width::Calendar(_) => 2,
            Width::Hour => 25,
        }
    }

    fn table(&self, nothing: Option<f64>, counts_left_out: bool) -> Table {
        let groups = self.by.map_or(1, |(_, values)| values.groups());
        Table::new(groups, self.starts.len(), nothing, counts_left_out)
    }

    fn scope<'s>(&'s self, events: &'s Selection) -> Scope<'s> {
        Scope {
            project: self.project.id,
            events,
            instants: &self.instants,
            starts: &self.starts,
            by: self.by.map(|(property, values)| (property, values.told_apart.as_slice())),
        }
    }

    async fn counts(
        &self,
        reader: &mut Reader,
        events: &Selection,
        plain: bool,
    ) -> Result<Table, AnalyticsError> {
        let held = match plain {
            true => {
                reader.counts_by_time(self.project, &events.event, &self.starts, self.instants.end).await?
            }
            false => None,
        };
        let measured: Vec<Measured<u64>> = match held {
            Some(counts) => {
                let cell = |(point, value)| Measured { point: Some(point), group: 0, value };
                counts.into_iter().enumerate().map(cell).collect()
            }
            None => trends::counts(reader.events("the number of events").await?, self.scope(events)).await?,
        };
        let mut table = self.table(Some(0.0), false);
        let mut totals = vec![0u64; table.groups.len()];
        for Measured { point, group, value } in measured {
            table.set(group, point, Some(float(value)));
            if let Some(total) = totals.get_mut(group) {
                *total += value;
            }
        }
        for (group, total) in totals.into_iter().enumerate() {
            table.set(group, None, Some(float(total)));
        }
        Ok(table)
    }

    async fn users_of_sets(
        &self,
        reader: &mut Reader,
        events: &Selection,
        interval: Interval,
    ) -> Result<Table, AnalyticsError> {
        let at_once = sets_at_once(self.project.users);
        let sets = u64::try_from(at_once + 4).unwrap_or(u64::MAX);
        let _room = reader.room(sets.saturating_mul(bytes_of_set(self.project.users))).await?;
        let mut table = self.table(Some(0.0), false);
        let mut everybody = RoaringBitmap::new();
        let mut points = 0..;
        for slice in slices(self.period.dates(self.zone), interval, at_once) {
            let within = self.instants.start.max(self.zone.day_start(slice.from()))
                ..self.instants.end.min(self.zone.day_start(slice.end()));
            let activity = reader.activity(self.project, events, &within, self.zone, interval).await?;
            for (date, point) in interval.buckets(slice).zip(&mut points) {
                if let Some(users) = activity.on(date) {
                    table.set(0, Some(point), Some(float(users.len())));
                    everybody |= users;
                }
            }
        }
        table.set(0, None, Some(float(everybody.len())));
        Ok(table)
    }

    async fn users(&self, reader: &mut Reader, events: &Selection) -> Result<Table, AnalyticsError> {
        let found = reader.afford(self.project, [&events.event], &self.instants).await?;
        let groups = self.by.map_or(1, |(_, values)| values.groups());
        let sets = u64::try_from((self.starts.len() + 1).saturating_mul(groups)).unwrap_or(u64::MAX);
        // Their unions come on top.
        let bytes = bytes_of_sets(self.project.users, sets, found.saturating_mul(2));
        let _room = reader.room(bytes + sets.min(found) * ENTRY).await?;
        let measured = trends::users(reader.events("the users of events").await?, self.scope(events)).await?;
        let mut table = self.table(Some(0.0), false);
        let mut everybody = vec![RoaringBitmap::new(); table.groups.len()];
        for Measured { point, group, value: users } in measured {
            table.set(group, point, Some(float(users.len())));
            if let Some(all) = everybody.get_mut(group) {
                *all |= users;
            }
        }
        for (group, users) in everybody.into_iter().enumerate() {
            table.set(group, None, Some(float(users.len())));
        }
        Ok(table)
    }

    async fn statistics(
        &self,
        reader: &mut Reader,
        events: &Selection,
        statistic: Statistic,
        property: &PropertyName,
    ) -> Result<Table, AnalyticsError> {
        let conn = reader.events("a statistic of events").await?;
        let measured = trends::statistics(conn, self.scope(events), statistic, property).await?;
        let nothing = (statistic == Statistic::Sum).then_some(0.0);
        let mut table = self.table(nothing, true);
        for Measured { point, group, value: Figure { value, left_out } } in measured {
            table.set(group, point, value);
            if let (None, Some(measures)) = (point, table.groups.get_mut(group)) {
                measures.left_out = left_out;
            }
        }
        Ok(table)
    }
}
