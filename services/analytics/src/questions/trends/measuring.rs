//! The measures of series: from the roll-ups where they know, or else from the events.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::ops::Range;

use chrono::{DateTime, Utc};
use millrace_domain::analytics::buckets::Width;
use millrace_domain::analytics::filter::Selection;
use millrace_domain::analytics::interval::Interval;
use millrace_domain::analytics::period::Period;
use millrace_domain::analytics::time_zone::TimeZone;
use millrace_domain::analytics::trends::{Breakdown, Measure, Series, Statistic};
use millrace_domain::text::PropertyName;
use millrace_storage::projects::Project;
use millrace_storage::trends::{self, Figure, Measured, Scope, Valued};
use roaring::RoaringBitmap;

use crate::errors::AnalyticsError;
use crate::reader::Reader;

/// The most values, at points, that are brought here to be ranked.
const VALUES_AT_ONCE: u32 = 100_000;

/// The values of a breakdown that are told apart. Without a breakdown there is one, which stands for everything.
#[derive(Default)]
pub(super) struct Values {
    told_apart: Vec<Option<String>>,
    broken_down: bool,
    more: bool,
}

impl Values {
    /// The values with the most events.
    pub(super) async fn most_frequent(
        reader: &mut Reader,
        project: &Project,
        events: &[&Selection],
        instants: &Range<DateTime<Utc>>,
        breakdown: &Breakdown,
    ) -> Result<Self, AnalyticsError> {
        let conn = reader.events("the most frequent values").await?;
        let (told_apart, more) = trends::values(conn, project.id, events, instants, breakdown).await?;
        Ok(Self { told_apart, broken_down: true, more })
    }

    /// The first of them by their events, then by name.
    fn ranked(events: BTreeMap<Option<String>, u64>, breakdown: &Breakdown) -> Self {
        let mut ranked: Vec<(Option<String>, u64)> = events.into_iter().collect();
        ranked.sort_by(|(a, more), (b, less)| (Reverse(more), a).cmp(&(Reverse(less), b)));
        let most = usize::from(breakdown.values);
        let more = ranked.len() > most;
        let told_apart = ranked.into_iter().take(most).map(|(value, _)| value).collect();
        Self { told_apart, broken_down: true, more }
    }

    /// How many groups of events there are: the values, and all others together.
    pub(super) fn groups(&self) -> usize {
        if self.broken_down { self.told_apart.len() + usize::from(self.more) } else { 1 }
    }

    pub(super) fn label(&self, group: usize) -> Option<String> {
        self.told_apart.get(group).cloned().flatten()
    }

    pub(super) fn is_rest(&self, group: usize) -> bool {
        self.broken_down && group >= self.told_apart.len()
    }
}

/// The measures of a series: by group, of all points together and of each.
pub(super) struct Table {
    groups: Vec<GroupMeasures>,
    counts_left_out: bool,
}

#[derive(Clone)]
struct GroupMeasures {
    total: Option<f64>,
    points: Vec<Option<f64>>,
    left_out: u64,
}

impl Table {
    fn new(groups: usize, points: usize, nothing: Option<f64>, counts_left_out: bool) -> Self {
        let group = GroupMeasures { total: nothing, points: vec![nothing; points], left_out: 0 };
        Self { groups: vec![group; groups], counts_left_out }
    }

    pub(super) fn total(&self, group: usize) -> Option<f64> {
        self.groups.get(group)?.total
    }

    pub(super) fn value(&self, group: usize, point: usize) -> Option<f64> {
        self.groups.get(group)?.points.get(point).copied().flatten()
    }

    pub(super) fn left_out(&self, group: usize) -> Option<u64> {
        self.groups.get(group).filter(|_| self.counts_left_out).map(|group| group.left_out)
    }

    fn set(&mut self, group: usize, point: Option<usize>, value: Option<f64>) {
        let Some(group) = self.groups.get_mut(group) else { return };
        match point {
            None => group.total = value,
            Some(point) => {
                if let Some(cell) = group.points.get_mut(point) {
                    *cell = value;
                }
            }
        }
    }
}

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
        match (&series.measure, self.width) {
            (Measure::Count, _) => self.counts(reader, &series.events, plain).await,
            (Measure::Users, Width::Calendar(interval)) if plain => {
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
            let (scope, with_users) = (self.scope(&series.events), series.measure == Measure::Users);
            if with_users {
                reader.afford(self.project, [&series.events.event], &self.instants).await?;
            }
            let conn = reader.events("events by value").await?;
            let valued =
                trends::by_value(conn, scope, &breakdown.property, with_users, VALUES_AT_ONCE).await?;
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
        let activity = reader.activity(self.project, events, &self.instants, self.zone, interval).await?;
        let mut table = self.table(Some(0.0), false);
        let mut everybody = RoaringBitmap::new();
        for (point, date) in interval.buckets(self.period.dates(self.zone)).enumerate() {
            if let Some(users) = activity.on(date) {
                table.set(0, Some(point), Some(float(users.len())));
                everybody |= users;
            }
        }
        table.set(0, None, Some(float(everybody.len())));
        Ok(table)
    }

    async fn users(&self, reader: &mut Reader, events: &Selection) -> Result<Table, AnalyticsError> {
        reader.afford(self.project, [&events.event], &self.instants).await?;
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

/// Events and users, gathered by group and point.
struct Sums {
    groups: Vec<Vec<(u64, RoaringBitmap)>>,
}

impl Sums {
    fn new(groups: usize, points: usize) -> Self {
        Self { groups: vec![vec![(0, RoaringBitmap::new()); points]; groups] }
    }

    fn add(&mut self, group: usize, valued: Valued) {
        if let Some((events, users)) =
            self.groups.get_mut(group).and_then(|points| points.get_mut(valued.point))
        {
            *events += valued.events;
            *users |= valued.users;
        }
    }

    fn table(self, measure: &Measure) -> Table {
        let group = |points: Vec<(u64, RoaringBitmap)>| {
            let mut all = (0, RoaringBitmap::new());
            let mut values = Vec::new();
            for (events, users) in points {
                values.push(Some(float(if *measure == Measure::Users { users.len() } else { events })));
                all.0 += events;
                all.1 |= users;
            }
            let total = if *measure == Measure::Users { all.1.len() } else { all.0 };
            GroupMeasures { total: Some(float(total)), points: values, left_out: 0 }
        };
        Table { groups: self.groups.into_iter().map(group).collect(), counts_left_out: false }
    }
}

#[expect(clippy::cast_precision_loss, reason = "exact below 2^53")]
fn float(count: u64) -> f64 {
    count as f64
}
