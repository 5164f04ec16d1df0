//! Trends: how the number of events, of users, or of something measured went through time.

use millrace_domain::analytics::asked::Asked;
use millrace_domain::analytics::buckets;
use millrace_domain::analytics::filter::{Filter, Selection};
use millrace_domain::analytics::period::Period;
use millrace_domain::analytics::time_zone::TimeZone;
use millrace_domain::analytics::trends::{Formula, TrendsQuery};
use millrace_domain::text::PropertyName;
use millrace_storage::projects::Project;

use crate::errors::AnalyticsError;
use crate::reader::Reader;

mod body;
mod measuring;
mod points;
mod table;
mod values;

pub use body::{Number, Previous, TrendRow, TrendsAnswer, TrendsBefore};
use measuring::Measuring;
use table::Table;
use values::Values;

/// Bytes of a number of the answer: as it was measured, as it is answered, and as it is written.
const NUMBER: u64 = 56;

/// Answers for a project.
///
/// # Errors
/// When the answer would be too large, or the project cannot be read.
pub async fn answer(
    reader: &mut Reader,
    project: &Project,
    asked: Asked,
    mut query: TrendsQuery,
    filter: Option<Filter>,
) -> Result<TrendsAnswer, AnalyticsError> {
    let zone = asked.zone(project.timezone);
    for series in &mut query.series {
        series.events = std::mem::take(&mut series.events).and(filter.clone());
    }
    let now = Stretch::new(&query, asked.period, zone)?;
    let at_once = match &query.breakdown {
        None => None,
        Some(breakdown) => {
            let measuring = now.measuring(project, &query, zone, None);
            measuring.at_once(reader, &query.series, breakdown).await?
        }
    };
    let (values, current) = match (at_once, &query.breakdown) {
        (Some(both), _) => both,
        (None, None) => {
            let values = Values::default();
            let tables = now.measure(reader, project, &query, zone, &values).await?;
            (values, tables)
        }
        (None, Some(breakdown)) => {
            let events: Vec<&Selection> = query.series.iter().map(|series| &series.events).collect();
            let instants = asked.period.instants(zone);
            let values = Values::most_frequent(reader, project, &events, &instants, breakdown).await?;
            let tables = now.measure(reader, project, &query, zone, &values).await?;
            (values, tables)
        }
    };
    let numbers = (query.series.len() + query.formulas.len())
        .saturating_mul(values.groups())
        .saturating_mul(now.buckets.len())
        .saturating_mul(if query.compare { 2 } else { 1 });
    reader.keep_room(u64::try_from(numbers).unwrap_or(u64::MAX).saturating_mul(NUMBER)).await?;
    let before = match query.compare {
        false => None,
        true => {
            let stretch = Stretch::new(&query, asked.period.previous(), zone)?;
            let tables = stretch.measure(reader, project, &query, zone, &values).await?;
            Some((stretch, tables))
        }
    };
    let mut data = Vec::new();
    for group in 0..values.groups() {
        let label = query.breakdown.as_ref().map(|_| values.label(group));
        let previous = |line: Line<'_>| {
            before.as_ref().map(|(stretch, tables)| Previous {
                total: line.total(tables, group),
                values: line.values(tables, group, stretch.buckets.len()),
            })
        };
        for line in Line::all(&query) {
            data.push(TrendRow {
                series: line.name(),
                value: label.clone(),
                other: label.as_ref().map(|_| values.is_rest(group)),
                left_out: line.left_out(&current, group),
                total: line.total(&current, group),
                values: line.values(&current, group, now.buckets.len()),
                previous: previous(line),
            });
        }
    }
    Ok(TrendsAnswer {
        from: asked.from,
        to: asked.to,
        timezone: zone,
        interval: query.interval.as_str(),
        buckets: now.names(),
        data,
        previous: before.map(|(stretch, _)| TrendsBefore {
            from: stretch.period.start_text(),
            to: stretch.period.end_text(),
            buckets: stretch.names(),
        }),
    })
}

/// A period, cut into points.
struct Stretch {
    period: Period,
    buckets: Vec<buckets::Bucket>,
}

impl Stretch {
    fn new(query: &TrendsQuery, period: Period, zone: TimeZone) -> Result<Self, AnalyticsError> {
        Ok(Self { period, buckets: buckets::cut(query.interval, period, zone)? })
    }

    fn names(&self) -> Vec<String> {
        self.buckets.iter().map(|bucket| bucket.name.clone()).collect()
    }

    fn measuring<'a>(
        &self,
        project: &'a Project,
        query: &TrendsQuery,
        zone: TimeZone,
        by: Option<(&'a PropertyName, &'a Values)>,
    ) -> Measuring<'a> {
        Measuring {
            project,
            zone,
            period: self.period,
            instants: self.period.instants(zone),
            starts: self.buckets.iter().map(|bucket| bucket.start).collect(),
            width: query.interval,
            by,
        }
    }

    async fn measure(
        &self,
        reader: &mut Reader,
        project: &Project,
        query: &TrendsQuery,
        zone: TimeZone,
        values: &Values,
    ) -> Result<Vec<Table>, AnalyticsError> {
        let by = query.breakdown.as_ref().map(|breakdown| (&breakdown.property, values));
        let measuring = self.measuring(project, query, zone, by);
        let mut tables = Vec::new();
        for series in &query.series {
            tables.push(measuring.measure(reader, series).await?);
        }
        Ok(tables)
    }
}

/// A line of the answer: a series, or what is computed of several.
#[derive(Clone, Copy)]
enum Line<'a> {
    Series(usize),
    Formula(&'a Formula),
}

impl<'a> Line<'a> {
    fn all(query: &'a TrendsQuery) -> impl Iterator<Item = Self> {
        (0..query.series.len()).map(Self::Series).chain(query.formulas.iter().map(Self::Formula))
    }

    fn name(self) -> String {
        match self {
            Self::Series(place) => ('A'..='Z').nth(place).map(String::from).unwrap_or_default(),
            Self::Formula(formula) => formula.text().to_owned(),
        }
    }

    fn left_out(self, tables: &[Table], group: usize) -> Option<u64> {
        match self {
            Self::Series(place) => tables.get(place)?.left_out(group),
            Self::Formula(_) => None,
        }
    }

    fn total(self, tables: &[Table], group: usize) -> Option<Number> {
        self.compute(tables, |table| table.total(group))
    }

    fn values(self, tables: &[Table], group: usize, points: usize) -> Vec<Option<Number>> {
        (0..points).map(|point| self.compute(tables, |table| table.value(group, point))).collect()
    }

    fn compute(self, tables: &[Table], of: impl Fn(&Table) -> Option<f64>) -> Option<Number> {
        match self {
            Self::Series(place) => tables.get(place).and_then(of),
            Self::Formula(formula) => formula.value(&tables.iter().map(of).collect::<Vec<_>>()),
        }
        .map(Number)
    }
}
