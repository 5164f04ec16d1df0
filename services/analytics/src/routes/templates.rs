//! `/api/v1/dashboard-templates`: dashboards to begin with.

use actix_web::{HttpResponse, get, post, web};
use millrace_domain::notification::NotificationKind;
use millrace_domain::text::Title;
use millrace_domain::workspace::sharing::Visibility;
use millrace_domain::workspace::templates::{self, Template, TemplateInsight};
use millrace_http::json::Json;
use millrace_http::problem::{Code, Problem};
use millrace_storage::insights::Content;
use millrace_storage::starting_dashboards;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::dashboards::DashboardView;
use crate::errors::AnalyticsError;
use crate::member::ProjectMember;
use crate::news::tell_all;
use crate::routes::denials::{BadBody, NoAccess};
use crate::state::State;

/// What there is to begin with.
#[derive(Serialize, ToSchema)]
struct TemplateList {
    data: Vec<TemplateView>,
}

/// A dashboard to begin with.
#[derive(Serialize, ToSchema)]
struct TemplateView {
    /// What it is asked for by.
    #[schema(example = "shop")]
    name: String,
    /// What the dashboard is called, unless somebody says otherwise.
    #[schema(example = "Shop")]
    title: String,
    /// What it shows, and which events it counts on.
    description: String,
    /// What stands on it, by title.
    #[schema(example = json!(["From looking to ordering", "Orders a day"]))]
    insights: Vec<String>,
}

impl From<Template> for TemplateView {
    fn from(Template { name, title, description, insights }: Template) -> Self {
        Self {
            name,
            title,
            description,
            insights: insights.into_iter().map(|insight| insight.title).collect(),
        }
    }
}

/// How a dashboard is to begin.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Beginning {
    /// 1 to 200 characters; the template's title if absent.
    #[schema(min_length = 1, max_length = 200, nullable = false, example = "Our shop")]
    name: Option<String>,
    /// Who sees the dashboard and what stands on it; `project` if absent.
    #[schema(value_type = Option<String>, nullable = false, example = "project")]
    visibility: Option<Visibility>,
}

/// Dashboards to begin with
///
/// Each is made with one request, and can be changed like any other.
#[utoipa::path(
    operation_id = "list_dashboard_templates",
    tag = "dashboards",
    responses((status = 200, description = "The templates", body = TemplateList), NoAccess),
)]
#[get("/api/v1/dashboard-templates")]
pub(super) async fn list(_: ProjectMember) -> Result<HttpResponse, Problem> {
    let all = templates::all().map_err(|error| Problem::internal(&error))?;
    Ok(HttpResponse::Ok().json(TemplateList { data: all.into_iter().map(Into::into).collect() }))
}

/// Begin with a dashboard
///
/// Makes the template's insights and a dashboard on which they stand, all of them the caller's. For editors of the
/// project, and above.
#[utoipa::path(
    operation_id = "create_dashboard_from_template",
    tag = "dashboards",
    params(("name" = String, Path, description = "`product`, `web` or `shop`")),
    request_body = Beginning,
    responses((status = 201, description = "The dashboard", body = DashboardView), NoAccess, BadBody),
)]
#[post("/api/v1/dashboard-templates/{name}")]
pub(super) async fn create(
    caller: ProjectMember,
    name: web::Path<String>,
    Json(beginning): Json<Beginning>,
    state: web::Data<State>,
) -> Result<HttpResponse, Problem> {
    caller.require_keeping()?;
    let mut all = templates::all().map_err(|error| Problem::internal(&error))?.into_iter();
    let no_such = || Problem::new(Code::NotFound, "there is no such template");
    let template = all.find(|template| template.name == *name).ok_or_else(no_such)?;
    let title = Title::parse(beginning.name.as_deref().unwrap_or(&template.title).trim());
    let title = title.map_err(|fault| Problem::field("name", "invalid", format!("name {fault}")))?;
    let visibility = beginning.visibility.unwrap_or(Visibility::Project);
    let contents =
        template.insights.iter().map(|insight| (content(insight, visibility), insight.place)).collect();
    let mut conn = state.connection().await?;
    let (project, owner) = (caller.project, caller.member.account);
    let named = (title.as_str(), visibility);
    let made = starting_dashboards::create(&mut conn, project, owner, named, contents, (state.clock)()).await;
    let (dashboard, insights) = made.map_err(AnalyticsError::from)?;
    let news = insights.iter().map(|insight| caller.news_of(insight, NotificationKind::InsightCreated));
    tell_all(&state, project, news).await;
    caller.made(conn, &state, dashboard).await
}

fn content(insight: &TemplateInsight, visibility: Visibility) -> Content<'_> {
    Content {
        title: Some(&insight.title),
        body: Some(&insight.body),
        query: Some(insight.query.clone()),
        visibility: Some(visibility.as_str()),
        tags: Some(Vec::new()),
    }
}
