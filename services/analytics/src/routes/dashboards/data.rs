//! `/api/v1/dashboards/{id}/data`: what all insights of a dashboard say at present.

use std::collections::BTreeMap;

use actix_web::{HttpRequest, HttpResponse, get, web};
use millrace_domain::ids::InsightId;
use millrace_domain::workspace::layout::Place;
use millrace_domain::workspace::sharing::Kept;
use millrace_http::problem::Problem;
use millrace_storage::dashboards::Dashboard;
use millrace_storage::insights::Insight;
use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;
use uuid::Uuid;

use super::standing::Standing;
use super::view::TileView;
use crate::answer::Answer;
use crate::errors::AnalyticsError;
use crate::insight_answers::{Said, answer_all, project};
use crate::kept::insists;
use crate::markdown;
use crate::member::ProjectMember;
use crate::plan::Source;
use crate::routes::denials::{NoAccess, Unchanged};
use crate::routes::last_result::LastResult;
use crate::state::State;

/// What a dashboard shows.
#[derive(Serialize, ToSchema)]
pub(super) struct DashboardData {
    /// The dashboard.
    id: Uuid,
    /// What it is called.
    #[schema(example = "Growth")]
    name: String,
    /// The insights on it, from the top, then from the left.
    data: Vec<TileData>,
}

/// What an insight says in its place.
#[derive(Serialize, ToSchema)]
struct TileData {
    #[serde(flatten)]
    tile: TileView,
    /// Its text as HTML that a page may show as it is.
    #[schema(example = "<p>Since the <em>new</em> landing page</p>\n")]
    body_html: String,
    /// The answer to its question; `null` for a note, and where there is none.
    #[schema(value_type = Option<Object>)]
    answer: Option<Box<RawValue>>,
    /// Why there is no answer to its question.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<TileError>,
    /// The last answer there was, where there is none at present.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_result: Option<LastResult>,
}

/// Why a question was not answered.
#[derive(Serialize, ToSchema)]
struct TileError {
    /// What the question alone would have been answered with.
    #[schema(example = 429)]
    status: u16,
    /// For programs.
    #[schema(example = "too_many_requests")]
    code: String,
    /// For people.
    message: String,
    /// The part of the question that is at fault.
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<String>,
}

impl From<&Problem> for TileError {
    fn from(problem: &Problem) -> Self {
        let code = problem.code();
        Self {
            status: code.status().as_u16(),
            code: code.as_str().to_owned(),
            message: problem.detail().to_owned(),
            field: problem.errors().first().map(|error| error.field.clone()),
        }
    }
}

/// All answers of a dashboard at once
///
/// Every insight on it that the caller may see is asked at the same time, within what may be asked of the project. Each
/// has its own answer, as `POST /api/v1/query` gives it, or its own error beside the last answer there was.
#[utoipa::path(
    operation_id = "show_dashboard_data",
    tag = "dashboards",
    params(("id" = Uuid, Path, description = "The dashboard")),
    responses((status = 200, description = "What it shows", body = DashboardData), Unchanged, NoAccess),
)]
#[get("/api/v1/dashboards/{id}/data")]
pub(in crate::routes) async fn show(
    caller: ProjectMember,
    id: web::Path<String>,
    request: HttpRequest,
    state: web::Data<State>,
) -> Result<HttpResponse, Problem> {
    let mut conn = state.connection().await?;
    let dashboard: Dashboard = caller.visible(&mut conn, &id).await?;
    drop(conn);
    respond(&state, &request, &dashboard, |kept| caller.member.may_see(kept)).await
}

/// Answers with what a dashboard shows to somebody who sees of it what `sees` says.
pub(super) async fn respond(
    state: &State,
    request: &HttpRequest,
    dashboard: &Dashboard,
    sees: impl Fn(Kept) -> bool,
) -> Result<HttpResponse, Problem> {
    let project = project(state, dashboard.project_id).await?;
    let mut conn = state.connection().await?;
    let Standing { shown, .. } = Standing::read(&mut conn, dashboard, sees).await?;
    drop(conn);
    let (places, insights): (Vec<Place>, Vec<Insight>) =
        shown.into_iter().map(|(tile, insight)| (tile.place, insight)).unzip();
    let said = answer_all(state, &project, &insights, insists(request)).await;
    let (source, kept) = provenance(&said);
    let mut last = last_results(state, &insights, &said).await;
    let mut data = Vec::with_capacity(insights.len());
    for ((place, insight), said) in places.into_iter().zip(&insights).zip(&said) {
        data.push(TileData {
            tile: TileView::new(place, insight),
            body_html: markdown::to_html(&insight.body),
            answer: match said {
                Said::Answer(answer, _) => {
                    Some(serde_json::from_slice(answer.body()).map_err(AnalyticsError::from)?)
                }
                _ => None,
            },
            error: match said {
                Said::Refused(problem) => Some(problem.into()),
                _ => None,
            },
            last_result: last.remove(&insight.id),
        });
    }
    let data = DashboardData { id: dashboard.id.0, name: dashboard.name.clone(), data };
    Ok(Answer::of(&data, source).map_err(AnalyticsError::from)?.respond(request, kept))
}

/// What the answers were read from, and whether all of them were kept from before.
fn provenance(said: &[Said]) -> (Source, bool) {
    let answers = || {
        said.iter().filter_map(|said| match said {
            Said::Answer(answer, kept) => Some((answer.source(), *kept)),
            _ => None,
        })
    };
    let raw = answers().any(|(source, _)| source == Source::Raw);
    let kept = answers().next().is_some() && answers().all(|(_, kept)| kept);
    (if raw { Source::Raw } else { Source::RollUp }, kept)
}

/// The last answers to those questions that have none at present.
async fn last_results(state: &State, insights: &[Insight], said: &[Said]) -> BTreeMap<InsightId, LastResult> {
    let refused = insights.iter().zip(said).filter(|(_, said)| matches!(said, Said::Refused(_)));
    let refused: Vec<InsightId> = refused.map(|(insight, _)| insight.id).collect();
    if refused.is_empty() {
        return BTreeMap::new();
    }
    let found = async { LastResult::of(&mut state.connection().await?, &refused).await };
    found.await.unwrap_or_else(|error| {
        tracing::warn!(%error, "the last answers of insights cannot be read");
        BTreeMap::new()
    })
}
