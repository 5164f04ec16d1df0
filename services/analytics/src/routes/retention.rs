//! `GET /api/v1/stats/retention`.

use actix_web::{HttpRequest, HttpResponse, get, web};
use millrace_domain::analytics::asked::Asked;
use millrace_domain::analytics::query::{Query, Question};
use millrace_domain::analytics::retention::RetentionParameters;
use millrace_http::authorized::{Authorized, Read};
use millrace_http::problem::Problem;
use millrace_http::query::Query as Parameter;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::errors::AnalyticsError;
use crate::questions::ask_query;
use crate::questions::retention::{CohortName, IntervalName, ModeName, RetentionAnswer};
use crate::state::State;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Parameters {
    /// The first date of the cohorts; or an instant, RFC 3339, on that date. At most ten years before `to`.
    #[param(required, nullable = false, example = "2026-11-01")]
    from: Option<String>,
    /// The last date of the cohorts, included; or an instant just after it. Of the same kind as `from`.
    #[param(required, nullable = false, example = "2026-11-01")]
    to: Option<String>,
    /// The IANA zone whose days are meant; the project's if absent.
    #[param(nullable = false, example = "Europe/Paris")]
    timezone: Option<String>,
    /// The length of cohorts and periods: `day`, `week` (from Monday) or `month`; `day` if absent.
    #[param(value_type = Option<IntervalName>, inline)]
    interval: Option<String>,
    /// How many periods after the cohort, 1 to 366.
    #[param(value_type = Option<u16>, nullable = false, minimum = 1, maximum = 366, default = 7, example = 2)]
    periods: Option<String>,
    /// Runs of periods to count as one, ascending, in place of `periods`.
    #[param(nullable = false, example = "1-3,4-7,14")]
    brackets: Option<String>,
    /// `on`: came back in exactly the period; so if absent. `on_or_after`: in it or any later one.
    #[param(value_type = Option<ModeName>, inline)]
    mode: Option<String>,
    /// `first_time`: the first start event ever falls in the cohort; so if absent. `recurring`: any start event does.
    #[param(value_type = Option<CohortName>, inline)]
    cohort: Option<String>,
    /// The events that start; any if absent.
    #[param(nullable = false, example = "signup")]
    start_event: Option<String>,
    /// The events that count as coming back; any if absent.
    #[param(nullable = false, example = "login")]
    return_event: Option<String>,
}

impl Parameters {
    fn parse(self) -> Result<Query, AnalyticsError> {
        let asked = Asked::parse(self.from, self.to, self.timezone.as_deref())?;
        let parameters = RetentionParameters {
            interval: self.interval,
            periods: self.periods.map(Into::into),
            brackets: self.brackets,
            mode: self.mode,
            cohort: self.cohort,
            start_event: self.start_event,
            return_event: self.return_event,
        };
        let question = Question::Retention(parameters.try_into()?);
        Ok(Query { asked, filter: None, question, explain: false })
    }
}

/// Retention
///
/// Of the users who started in an interval, how many came back in later ones. Cohorts are the whole calendar intervals
/// that share a date with the range. Period 0 is the cohort itself. `average` pools the complete cells of a period,
/// weighted by the cohorts' sizes.
#[utoipa::path(
    tag = "statistics",
    params(Parameters),
    responses(
        (
            status = 200, description = "Every cohort with its periods", body = RetentionAnswer,
            example = json!({
                "from": "2026-11-01", "to": "2026-11-01", "timezone": "Europe/Paris",
                "interval": "day", "mode": "on", "cohort": "first_time",
                "data": [{"cohort": "2026-11-01", "size": 100, "values": [
                    {"period": 0, "users": 100, "rate": 1.0, "complete": true},
                    {"period": 1, "users": 42, "rate": 0.42, "complete": true},
                    {"period": 2, "users": 7, "rate": 0.07, "complete": false},
                ]}],
                "average": [
                    {"period": 0, "rate": 1.0, "users": 100, "size": 100},
                    {"period": 1, "rate": 0.42, "users": 42, "size": 100},
                    {"period": 2, "rate": null, "users": 0, "size": 0},
                ],
            }),
        ),
    ),
)]
#[get("/api/v1/stats/retention")]
pub(super) async fn retention(
    caller: Authorized<Read>,
    Parameter(parameters): Parameter<Parameters>,
    request: HttpRequest,
    state: web::Data<State>,
) -> Result<HttpResponse, Problem> {
    ask_query(&state, &request, caller.project_id, parameters.parse()?, request.uri().to_string()).await
}
