//! Statistics of a property's numbers.

use diesel::prelude::*;
use diesel::sql_types;
use diesel_async::AsyncPgConnection;
use millrace_domain::analytics::trends::Statistic;
use millrace_domain::text::PropertyName;

use super::{Measured, Scope, place_of};
use crate::counts::parse_count;
use crate::error::StorageError;
use crate::selected::Statement;

/// A statistic, and how many events had nothing to contribute to it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Figure {
    /// The statistic; nothing of no numbers, but 0 for a sum.
    pub value: Option<f64>,
    /// The events where the property is no number.
    pub left_out: u64,
}

/// A statistic of a property in each point, and over all points together.
///
/// # Errors
/// When the database fails.
pub async fn statistics(
    conn: &mut AsyncPgConnection,
    scope: Scope<'_>,
    statistic: Statistic,
    property: &PropertyName,
) -> Result<Vec<Measured<Figure>>, StorageError> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = sql_types::Nullable<sql_types::Integer>)]
        point: Option<i32>,
        #[diesel(sql_type = sql_types::Nullable<sql_types::Integer>)]
        place: Option<i32>,
        #[diesel(sql_type = sql_types::Nullable<sql_types::Double>)]
        value: Option<f64>,
        #[diesel(sql_type = sql_types::BigInt)]
        left_out: i64,
    }
    // Sums and means are made of exact decimal numbers and rounded once, at the end.
    let aggregate = match statistic {
        Statistic::Sum => "COALESCE(sum(number), 0)",
        Statistic::Avg => "avg(number)",
        Statistic::Min => "min(number)",
        Statistic::Max => "max(number)",
        Statistic::Percentile(_) => "percentile_cont(",
    };
    let statement = Statement::new("SELECT point, place, ").sql(aggregate);
    let statement = match statistic {
        Statistic::Percentile(percent) => statement
            .bind::<sql_types::Double, _>(f64::from(percent) / 100.0)
            .sql(") WITHIN GROUP (ORDER BY number::float8)"),
        _ => statement,
    };
    let rows: Vec<Row> = scope
        .select_after(statement.sql("::float8 AS value, count(*) - count(number) AS left_out FROM (SELECT "))
        .sql(", ")
        .property_number(property)
        .sql(" AS number")
        .of_events(scope.project, scope.instants)
        .and_selected(scope.events)
        .sql(") numbers GROUP BY GROUPING SETS ((point, place), (place))")
        .load(conn)
        .await?;
    rows.into_iter()
        .map(|row| {
            let value = Figure { value: row.value, left_out: parse_count(row.left_out)? };
            let point = row.point.map(place_of).transpose()?;
            Ok(Measured { point, group: scope.group(row.place)?, value })
        })
        .collect()
}
