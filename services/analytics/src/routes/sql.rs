//! `POST /api/v1/sql`.

use actix_web::{HttpResponse, post, web};
use millrace_http::authorized::{Authorized, Read};
use millrace_http::json::Json;
use millrace_http::problem::{Problem, ProblemBody};
use millrace_storage::sql::{Column, Table};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::{IntoResponses, ToSchema};

use crate::api_limit;
use crate::errors::AnalyticsError;
use crate::routes::denials::{BadBody, NoAccess};
use crate::state::State;

const DEFAULT_ROWS: u32 = 1_000;
const MAX_ROWS: u32 = 10_000;

/// A statement.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct SqlQuestion {
    /// A single `SELECT`, at most 10,000 characters.
    #[schema(
        max_length = 10_000,
        example = "SELECT event_type, count(*) FROM events GROUP BY 1 ORDER BY 2 DESC"
    )]
    sql: String,
    /// The most rows of the answer, 1 to 10,000; 1,000 if absent.
    #[serde(default)]
    #[schema(minimum = 1, maximum = 10_000, default = 1_000, nullable = false)]
    limit: Option<u32>,
    /// `json` if absent, or `csv`.
    #[serde(default)]
    #[schema(inline)]
    format: Format,
}

#[derive(Clone, Copy, Default, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum Format {
    #[default]
    Json,
    Csv,
}

/// A table.
#[derive(Serialize, ToSchema)]
struct SqlAnswer {
    /// Its columns, in order.
    columns: Vec<SqlColumn>,
    /// Its rows, each with a value for each column, as PostgreSQL makes JSON of it.
    #[schema(value_type = Vec<Vec<Object>>, example = json!([["visit", 4200]]))]
    rows: Vec<Box<RawValue>>,
    /// Whether there are more rows, which were left out.
    more: bool,
}

/// A column.
#[derive(Serialize, ToSchema)]
struct SqlColumn {
    /// Its name.
    #[schema(example = "event_type")]
    name: String,
    /// PostgreSQL's name of its type.
    #[schema(example = "text")]
    r#type: String,
}

/// Other refusals of a statement.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "describes; `Problem` is what is sent")]
enum NotAnswered {
    /// The statement is not one that can be asked, or PostgreSQL refuses it: `errors` has its message, and at which character it
    /// sees the fault
    #[response(status = 422, content_type = "application/problem+json")]
    Refused(ProblemBody),
    /// Too many statements of the project are being asked
    #[response(status = 429, content_type = "application/problem+json")]
    TooMany(ProblemBody),
    /// A dependency is away, the statement takes too long, or this installation answers no SQL
    #[response(status = 503, content_type = "application/problem+json")]
    Unavailable(ProblemBody),
}

/// Ask in SQL
///
/// A single `SELECT` in the language of PostgreSQL, of the project's own `events` (`event_id`, `event_type`, `user_id`,
/// `occurred_at`, `received_at`, `session_id`, `properties`, `context`) and `users` (`user_id`, `traits`). Functions that compute
/// something of their arguments can be called, others not. The answer is JSON, or CSV with a header line; of CSV,
/// `X-Millrace-More: true` says that rows were left out.
#[utoipa::path(
    tag = "sql",
    request_body = SqlQuestion,
    responses(
        (
            status = 200, description = "The answer",
            content((SqlAnswer = "application/json"), (String = "text/csv")),
        ),
        NoAccess, BadBody, NotAnswered,
    ),
)]
#[post("/api/v1/sql")]
pub(super) async fn sql(
    caller: Authorized<Read>,
    Json(asked): Json<SqlQuestion>,
    state: web::Data<State>,
) -> Result<HttpResponse, Problem> {
    api_limit::check(&state, caller.project_id).await?;
    let rows = asked.limit.unwrap_or(DEFAULT_ROWS);
    if !(1..=MAX_ROWS).contains(&rows) {
        let message = format!("limit {rows} is not a whole number from 1 to {MAX_ROWS}");
        return Err(Problem::field("limit", "out_of_range", message));
    }
    let desk = state.sql.as_ref().ok_or(AnalyticsError::NoSql)?;
    let table = desk.ask(&state, caller.project_id, &asked.sql, rows).await?;
    match asked.format {
        Format::Json => Ok(HttpResponse::Ok().json(json(table)?)),
        Format::Csv => {
            let mut answer = HttpResponse::Ok();
            if table.more {
                answer.insert_header(("X-Millrace-More", "true"));
            }
            Ok(answer.content_type("text/csv; charset=utf-8").body(csv(&table)?))
        }
    }
}

fn json(table: Table) -> Result<SqlAnswer, Problem> {
    let column = |Column { name, data_type }| SqlColumn { name, r#type: data_type };
    let rows: Result<_, _> = table.rows.into_iter().map(RawValue::from_string).collect();
    Ok(SqlAnswer {
        columns: table.columns.into_iter().map(column).collect(),
        rows: rows.map_err(|error| Problem::internal(&error))?,
        more: table.more,
    })
}

fn csv(table: &Table) -> Result<Vec<u8>, Problem> {
    let mut lines = csv::Writer::from_writer(Vec::new());
    let failed = |error: csv::Error| Problem::internal(&error);
    // Of no columns there is nothing to write.
    if !table.columns.is_empty() {
        lines.write_record(table.columns.iter().map(|column| &column.name)).map_err(failed)?;
        for row in &table.rows {
            let values: Vec<&RawValue> =
                serde_json::from_str(row).map_err(|error| Problem::internal(&error))?;
            lines.write_record(values.into_iter().map(field)).map_err(failed)?;
        }
    }
    lines.into_inner().map_err(|error| Problem::internal(&error))
}

/// A text as it is, nothing for `null`, and anything else as JSON.
fn field(value: &RawValue) -> String {
    match value.get() {
        "null" => String::new(),
        text if text.starts_with('"') => serde_json::from_str(text).unwrap_or_default(),
        json => json.to_owned(),
    }
}
