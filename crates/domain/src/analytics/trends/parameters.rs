//! Trends questions as they are written.

use serde::Deserialize;
use serde_json::Value;

use super::{
    Breakdown, DEFAULT_VALUES, Formula, MAX_FORMULAS, MAX_SERIES, MAX_VALUES, Measure, Series, Statistic,
    TrendsQuery,
};
use crate::analytics::buckets::Width;
use crate::analytics::event_selector::EventSelector;
use crate::analytics::filter::{FilterParameters, Selection};
use crate::analytics::interval::Interval;
use crate::analytics::query_fault::{QueryFault, read, whole_number, word};
use crate::text::PropertyName;

/// A trends question, as it is written. A single series may be written without `series`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TrendsParameters {
    /// `hour`, `day`, `week` or `month`.
    pub interval: Option<String>,
    /// Of the only series.
    pub event_type: Option<String>,
    /// Of the only series.
    pub measure: Option<String>,
    /// Of the only series.
    pub property: Option<String>,
    /// Several series.
    pub series: Option<Vec<SeriesParameters>>,
    /// Such as `A / B`.
    pub formulas: Option<Vec<String>>,
    /// A property's name, or `{"property", "limit"}`.
    pub breakdown: Option<Value>,
    /// Whether the period before is measured as well.
    pub compare: Option<bool>,
}

/// A series, as it is written.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SeriesParameters {
    event_type: Option<String>,
    measure: Option<String>,
    property: Option<String>,
    filter: Option<FilterParameters>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BreakdownParameters {
    property: String,
    limit: Option<Value>,
}

impl TryFrom<TrendsParameters> for TrendsQuery {
    type Error = QueryFault;

    fn try_from(raw: TrendsParameters) -> Result<Self, QueryFault> {
        let day = Width::Calendar(Interval::Day);
        let interval = word("interval", raw.interval.as_deref(), day, &Width::WORDS)?;
        let only = SeriesParameters {
            event_type: raw.event_type,
            measure: raw.measure,
            property: raw.property,
            filter: None,
        };
        let series = match raw.series {
            None => vec![only.parse("")?],
            Some(_) if only.is_something() => {
                let reason =
                    "cannot stand beside event_type, measure or property: write them into the series";
                return Err(QueryFault::new("series", "conflicting_parameters", reason));
            }
            Some(series) => several("series", series, MAX_SERIES, |raw, path| raw.parse(path))?,
        };
        let parse =
            |text: String, path: &str| Formula::parse(&text, series.len()).map_err(|f| f.within(path));
        let formulas = match raw.formulas {
            None => Vec::new(),
            Some(formulas) => several("formulas", formulas, MAX_FORMULAS, parse)?,
        };
        let breakdown = raw.breakdown.map(Breakdown::parse).transpose()?;
        Ok(Self { interval, series, formulas, breakdown, compare: raw.compare.unwrap_or(false) })
    }
}

/// Reads each of 1 to `most`, with its path.
pub(crate) fn several<R, T>(
    field: &str,
    raw: Vec<R>,
    most: usize,
    parse: impl Fn(R, &str) -> Result<T, QueryFault>,
) -> Result<Vec<T>, QueryFault> {
    if raw.is_empty() || raw.len() > most {
        let reason = format_args!("must have 1 to {most} entries, has {}", raw.len());
        return Err(QueryFault::new(field, "out_of_range", reason));
    }
    raw.into_iter().enumerate().map(|(place, raw)| parse(raw, &format!("{field}[{place}]"))).collect()
}

/// Reads an event type and a filter at `path`.
pub(crate) fn selection(
    path: &str,
    event_type: Option<&str>,
    filter: Option<FilterParameters>,
) -> Result<Selection, QueryFault> {
    let event =
        EventSelector::parse("event_type", event_type).map_err(|e| QueryFault::from(e).within(path))?;
    let place = if path.is_empty() { "filter".to_owned() } else { format!("{path}.filter") };
    let filter = filter.map(|filter| filter.parse(&place)).transpose()?;
    Ok(Selection { event, filter })
}

impl SeriesParameters {
    fn is_something(&self) -> bool {
        self.event_type.is_some() || self.measure.is_some() || self.property.is_some()
    }

    fn parse(self, path: &str) -> Result<Series, QueryFault> {
        let events = selection(path, self.event_type.as_deref(), self.filter)?;
        let statistic = |statistic| Some(Some(statistic));
        // Nothing for events, nothing within for users.
        let words = [
            ("count", None),
            ("users", Some(None)),
            ("sum", statistic(Statistic::Sum)),
            ("avg", statistic(Statistic::Avg)),
            ("min", statistic(Statistic::Min)),
            ("max", statistic(Statistic::Max)),
            ("p50", statistic(Statistic::Percentile(50))),
            ("p95", statistic(Statistic::Percentile(95))),
            ("p99", statistic(Statistic::Percentile(99))),
        ];
        let measure = word("measure", self.measure.as_deref(), None, &words).map_err(|f| f.within(path))?;
        let measure = match (measure, self.property) {
            (Some(Some(statistic)), Some(name)) => {
                Measure::Property(statistic, property("property", &name).map_err(|f| f.within(path))?)
            }
            (Some(Some(_)), None) => return Err(QueryFault::required("property").within(path)),
            (_, Some(_)) => {
                let fault = QueryFault::new(
                    "property",
                    "conflicting_parameters",
                    "has no place beside count and users",
                );
                return Err(fault.within(path));
            }
            (None, None) => Measure::Count,
            (Some(None), None) => Measure::Users,
        };
        Ok(Series { events, measure })
    }
}

impl Breakdown {
    /// Reads `"plan"` or `{"property": "plan", "limit": 5}`.
    ///
    /// # Errors
    /// Names what cannot be used.
    pub(crate) fn parse(raw: Value) -> Result<Self, QueryFault> {
        let raw = match raw {
            Value::String(property) => BreakdownParameters { property, limit: None },
            other => read(other).map_err(|fault: QueryFault| match fault.field.as_str() {
                "body" => QueryFault::new(
                    "breakdown",
                    fault.code,
                    "must be a property's name, or {property, limit}",
                ),
                _ => fault.within("breakdown"),
            })?,
        };
        let limit =
            whole_number("breakdown.limit", raw.limit.as_ref(), DEFAULT_VALUES.into(), 1, MAX_VALUES.into())?;
        Ok(Self {
            property: property("breakdown.property", &raw.property)?,
            values: u16::try_from(limit).unwrap_or(MAX_VALUES),
        })
    }
}

fn property(field: &str, name: &str) -> Result<PropertyName, QueryFault> {
    PropertyName::parse(name).map_err(|fault| QueryFault::new(field, "invalid", fault))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn parse(json: Value) -> Result<TrendsQuery, QueryFault> {
        read::<TrendsParameters>(json)?.try_into()
    }

    #[test]
    fn nothing_given_counts_every_event_by_day() {
        let query = parse(json!({})).unwrap();
        assert_eq!(query.interval, Width::Calendar(Interval::Day));
        assert_eq!(query.series, [Series { events: Selection::default(), measure: Measure::Count }]);
        assert!(query.formulas.is_empty() && query.breakdown.is_none() && !query.compare);
    }

    #[test]
    fn a_breakdown_may_be_a_name_alone() {
        let of = |breakdown: Value| parse(json!({"breakdown": breakdown})).unwrap().breakdown.unwrap();
        assert_eq!(of(json!("plan")), of(json!({"property": "plan", "limit": 10})));
        assert_eq!(of(json!({"property": "plan", "limit": "3"})).values, 3);
    }

    #[test]
    fn every_mistake_names_its_path() {
        for (json, field, code) in [
            (json!({"interval": "minute"}), "interval", "unknown_value"),
            (json!({"measure": "median"}), "measure", "unknown_value"),
            (json!({"measure": "sum"}), "property", "required"),
            (json!({"measure": "count", "property": "a"}), "property", "conflicting_parameters"),
            (json!({"series": []}), "series", "out_of_range"),
            (json!({"series": [{}], "measure": "users"}), "series", "conflicting_parameters"),
            (json!({"series": [{}, {"measure": "p95"}]}), "series[1].property", "required"),
            (json!({"series": [{"measure": "p90"}]}), "series[0].measure", "unknown_value"),
            (json!({"series": [{"event_type": "\u{0}"}]}), "series[0].event_type", "invalid_event_type"),
            (json!({"series": [{"filter": {"and": []}}]}), "series[0].filter.and", "empty"),
            (json!({"series": [{"filter": {"nor": []}}]}), "series[0].filter.nor", "unknown"),
            (json!({"series": [{"name": "x"}]}), "series[0].name", "unknown"),
            (json!({"series": {"measure": "count"}}), "series", "invalid"),
            (json!({"formulas": ["A +"]}), "formulas[0]", "invalid_formula"),
            (json!({"formulas": ["A", "B"]}), "formulas[1]", "invalid_formula"),
            (json!({"breakdown": 5}), "breakdown", "invalid"),
            (json!({"breakdown": {"limit": 5}}), "breakdown.property", "required"),
            (json!({"breakdown": {"property": "a", "limit": 101}}), "breakdown.limit", "out_of_range"),
            (json!({"breakdown": {"property": "a", "top": 1}}), "breakdown.top", "unknown"),
            (json!({"compare": "yes"}), "compare", "invalid"),
        ] {
            let fault = parse(json.clone()).unwrap_err();
            assert_eq!((fault.field.as_str(), fault.code), (field, code), "{json}");
            assert!(fault.message.starts_with(field), "{}", fault.message);
        }
    }
}
