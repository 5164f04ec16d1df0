//! Trends as clients read them.

use millrace_domain::analytics::time_zone::TimeZone;
use serde::{Serialize, Serializer};
use utoipa::ToSchema;

/// Trends.
#[derive(Debug, Serialize, ToSchema)]
pub struct TrendsAnswer {
    /// As asked.
    pub from: String,
    /// As asked.
    pub to: String,
    /// The zone of the dates.
    #[schema(value_type = String)]
    pub timezone: TimeZone,
    /// As asked, or `day`.
    pub interval: &'static str,
    /// The points of time, in order: the first date of each interval, or the beginning of each hour.
    pub buckets: Vec<String>,
    /// A line for each series and each formula; with a breakdown, for each of its values.
    pub data: Vec<TrendRow>,
    /// The period before, when it was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub previous: Option<TrendsBefore>,
}

/// The period before.
#[derive(Debug, Serialize, ToSchema)]
pub struct TrendsBefore {
    /// Where it begins.
    pub from: String,
    /// Where it ends, as `to` says it.
    pub to: String,
    /// Its points of time.
    pub buckets: Vec<String>,
}

/// A line.
#[derive(Debug, Serialize, ToSchema)]
pub struct TrendRow {
    /// `A` for the first series, `B` for the second; or the formula.
    pub series: String,
    /// The value of the breakdown's property as text; `null` where it is absent, and for all others together.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<Option<String>>,
    /// Whether these are all other values together.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub other: Option<bool>,
    /// Events that have no number as that property, which the measure leaves out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub left_out: Option<u64>,
    /// The measure of the whole period: of users the distinct ones, so it is not the sum of the points.
    #[schema(value_type = Option<f64>)]
    pub total: Option<Number>,
    /// The measure of each point of time; `null` of nothing, and of a division by 0.
    #[schema(value_type = Vec<Option<f64>>)]
    pub values: Vec<Option<Number>>,
    /// The same of the period before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub previous: Option<Previous>,
}

/// The line in the period before.
#[derive(Debug, Serialize, ToSchema)]
pub struct Previous {
    /// The measure of the whole period.
    #[schema(value_type = Option<f64>)]
    pub total: Option<Number>,
    /// The measure of each of its points.
    #[schema(value_type = Vec<Option<f64>>)]
    pub values: Vec<Option<Number>>,
}

/// A number, written without a fraction when it has none.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Number(pub f64);

impl Serialize for Number {
    #[expect(clippy::cast_possible_truncation, reason = "a whole number below 2^53")]
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        const EXACT: f64 = 9_007_199_254_740_992.0;
        if self.0.fract() == 0.0 && self.0.abs() < EXACT {
            serializer.serialize_i64(self.0 as i64)
        } else {
            serializer.serialize_f64(self.0)
        }
    }
}
