//! `GET /api/v1/stats/top-events`.

use actix_web::{HttpRequest, HttpResponse, get, web};
use millrace_domain::analytics::asked::Asked;
use millrace_domain::analytics::query::{Query, Question};
use millrace_domain::analytics::top_events::TopLimit;
use millrace_http::authorized::{Authorized, Read};
use millrace_http::problem::Problem;
use millrace_http::query::Query as Parameter;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::errors::AnalyticsError;
use crate::questions::ask_query;
use crate::questions::top_events::TopEventsAnswer;
use crate::state::State;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Parameters {
    /// The first date; or the first instant, RFC 3339. At most ten years before `to`.
    #[param(required, nullable = false, example = "2026-11-01")]
    from: Option<String>,
    /// The last date, included; or the instant at which to stop. Of the same kind as `from`.
    #[param(required, nullable = false, example = "2026-11-30")]
    to: Option<String>,
    /// The IANA zone whose days are meant; the project's if absent.
    #[param(nullable = false, example = "Europe/Paris")]
    timezone: Option<String>,
    /// How many types to name, 1 to 1,000; 10 if absent.
    #[param(value_type = Option<u16>, nullable = false, minimum = 1, maximum = 1000, default = 10, example = 2)]
    limit: Option<String>,
}

impl Parameters {
    fn parse(self) -> Result<Query, AnalyticsError> {
        let asked = Asked::parse(self.from, self.to, self.timezone.as_deref())?;
        let limit = self.limit.map_or(Ok(TopLimit::default()), |text| text.parse())?;
        Ok(Query { asked, filter: None, question: Question::TopEvents(limit), explain: false })
    }
}

/// The most frequent event types
///
/// By number of events, then by name, with the distinct users that sent them.
#[utoipa::path(
    tag = "statistics",
    params(Parameters),
    responses(
        (
            status = 200, description = "The largest first", body = TopEventsAnswer,
            example = json!({
                "from": "2026-11-01", "to": "2026-11-30", "timezone": "Europe/Paris",
                "data": [
                    {"event_type": "page_view", "count": 4200, "users": 987},
                    {"event_type": "order_completed", "count": 310, "users": 276},
                ],
            }),
        ),
    ),
)]
#[get("/api/v1/stats/top-events")]
pub(super) async fn top_events(
    caller: Authorized<Read>,
    Parameter(parameters): Parameter<Parameters>,
    request: HttpRequest,
    state: web::Data<State>,
) -> Result<HttpResponse, Problem> {
    ask_query(&state, &request, caller.project_id, parameters.parse()?, request.uri().to_string()).await
}
