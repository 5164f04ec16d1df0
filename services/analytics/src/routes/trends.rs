//! `GET /api/v1/stats/trends`.

use actix_web::{HttpRequest, HttpResponse, get, web};
use millrace_domain::analytics::asked::Asked;
use millrace_domain::analytics::query::{Query, Question, parse_filter};
use millrace_domain::analytics::query_fault::QueryFault;
use millrace_domain::analytics::trends::TrendsParameters;
use millrace_http::authorized::{Authorized, Read};
use millrace_http::problem::Problem;
use millrace_http::query::Query as Parameter;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::errors::AnalyticsError;
use crate::questions::ask_query;
use crate::questions::trends::TrendsAnswer;
use crate::state::State;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Parameters {
    /// The first date; or the first instant, RFC 3339. At most ten years before `to`.
    #[param(required, nullable = false, example = "2026-11-01")]
    from: Option<String>,
    /// The last date, included; or the instant at which to stop. Of the same kind as `from`.
    #[param(required, nullable = false, example = "2026-11-02")]
    to: Option<String>,
    /// The IANA zone whose days are meant; the project's if absent.
    #[param(nullable = false, example = "Europe/Paris")]
    timezone: Option<String>,
    /// The length of a point: `hour`, `day`, `week` (from Monday) or `month`; `day` if absent.
    #[param(nullable = false, example = "day")]
    interval: Option<String>,
    /// Measure only events of this type.
    #[param(nullable = false, example = "page_view")]
    event_type: Option<String>,
    /// `count` of events, distinct `users`, or `sum`, `avg`, `min`, `max`, `p50`, `p95`, `p99` of `property`; `count` if
    /// absent.
    #[param(nullable = false, example = "count")]
    measure: Option<String>,
    /// The property whose numbers are measured. Events where it is no number are left out, and counted in `left_out`.
    #[param(nullable = false)]
    property: Option<String>,
    /// The property by whose values events are told apart: the ten with the most events, and all others together.
    #[param(nullable = false)]
    breakdown: Option<String>,
    /// A filter, as JSON.
    #[param(nullable = false)]
    filter: Option<String>,
    /// `true`: the period before is measured as well.
    #[param(value_type = Option<bool>, nullable = false)]
    compare: Option<String>,
}

impl Parameters {
    fn parse(self) -> Result<Query, AnalyticsError> {
        let asked = Asked::parse(self.from, self.to, self.timezone.as_deref())?;
        let filter = self.filter.map(|text| match serde_json::from_str(&text) {
            Ok(filter) => parse_filter(filter),
            Err(error) => Err(QueryFault::new("filter", "invalid", format_args!("is not JSON: {error}"))),
        });
        let compare = match self.compare.as_deref() {
            None | Some("false") => false,
            Some("true") => true,
            Some(other) => return Err(QueryFault::unknown_value("compare", other, &["true", "false"]).into()),
        };
        let parameters = TrendsParameters {
            interval: self.interval,
            event_type: self.event_type,
            measure: self.measure,
            property: self.property,
            breakdown: self.breakdown.map(Into::into),
            compare: Some(compare),
            ..TrendsParameters::default()
        };
        let question = Question::Trends(parameters.try_into()?);
        Ok(Query { asked, filter: filter.transpose()?, question, explain: false })
    }
}

/// Trends
///
/// How the number of events, of distinct users, or a statistic of a property went through time: a value for every point,
/// also where nothing happened. Several series and formulas: `POST /api/v1/query`.
#[utoipa::path(
    tag = "statistics",
    params(Parameters),
    responses(
        (
            status = 200, description = "A line, or one for each value of the breakdown", body = TrendsAnswer,
            example = json!({
                "from": "2026-11-01", "to": "2026-11-02", "timezone": "Europe/Paris", "interval": "day",
                "buckets": ["2026-11-01", "2026-11-02"],
                "data": [{"series": "A", "total": 4200, "values": [2000, 2200]}],
            }),
        ),
    ),
)]
#[get("/api/v1/stats/trends")]
pub(super) async fn trends(
    caller: Authorized<Read>,
    Parameter(parameters): Parameter<Parameters>,
    request: HttpRequest,
    state: web::Data<State>,
) -> Result<HttpResponse, Problem> {
    ask_query(&state, &request, caller.project_id, parameters.parse()?, request.uri().to_string()).await
}
