//! The measures of a series, by group and point.

use millrace_domain::analytics::trends::Measure;
use millrace_storage::trends::Valued;
use roaring::RoaringBitmap;

/// The measures of a series: by group, of all points together and of each.
pub(super) struct Table {
    pub(super) groups: Vec<GroupMeasures>,
    counts_left_out: bool,
}

#[derive(Clone)]
pub(super) struct GroupMeasures {
    total: Option<f64>,
    points: Vec<Option<f64>>,
    pub(super) left_out: u64,
}

impl Table {
    pub(super) fn new(groups: usize, points: usize, nothing: Option<f64>, counts_left_out: bool) -> Self {
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

    pub(super) fn set(&mut self, group: usize, point: Option<usize>, value: Option<f64>) {
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

/// Events and users, gathered by group and point.
pub(super) struct Sums {
    groups: Vec<Vec<(u64, RoaringBitmap)>>,
}

impl Sums {
    pub(super) fn new(groups: usize, points: usize) -> Self {
        Self { groups: vec![vec![(0, RoaringBitmap::new()); points]; groups] }
    }

    pub(super) fn add(&mut self, group: usize, valued: Valued) {
        if let Some((events, users)) =
            self.groups.get_mut(group).and_then(|points| points.get_mut(valued.point))
        {
            *events += valued.events;
            *users |= valued.users;
        }
    }

    pub(super) fn table(self, measure: &Measure) -> Table {
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
pub(super) fn float(count: u64) -> f64 {
    count as f64
}
