//! `/api/v1/projects/{id}/settings`: what other services watch. The broker keeps it.

use actix_web::{HttpResponse, get, patch, web};
use millrace_domain::audit::Target;
use millrace_domain::audit::action::Action;
use millrace_domain::origins::AllowedOrigins;
use millrace_domain::rate::Limit;
use millrace_http::json::Json;
use millrace_http::problem::{Code, Problem};
use millrace_messaging::error::MessagingError;
use millrace_messaging::project_settings::{self, Change, ProjectSettings};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::audit::record;
use crate::project_access::{AtLeastAdmin, AtLeastViewer, ProjectAccess};
use crate::routes::denials::{BadBody, NoAccess};
use crate::state::State;

/// What a project may send and be asked.
#[derive(Serialize, ToSchema)]
struct SettingsView {
    /// Events, such as `1000/s burst 20000`; `off` for no limit.
    #[schema(example = "1000/s burst 20000")]
    event_limit: String,
    /// Questions, whoever asks; `off` for no limit.
    #[schema(example = "off")]
    api_limit: String,
    /// The origins whose pages may send events: `*` for all.
    #[schema(example = json!(["https://shop.example"]))]
    event_origins: Vec<String>,
}

impl From<ProjectSettings> for SettingsView {
    fn from(settings: ProjectSettings) -> Self {
        Self {
            event_limit: settings.event_limit.to_string(),
            api_limit: settings.api_limit.to_string(),
            event_origins: settings.event_origins.names().into_iter().map(str::to_owned).collect(),
        }
    }
}

/// What is to be another; the rest stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct SettingsChange {
    /// Events: `1000/s`, `1000/s burst 20000` or `off`. For system admins.
    #[schema(example = "1000/s burst 20000")]
    event_limit: Option<String>,
    /// Questions, whoever asks, in the same form. For system admins.
    #[schema(example = "off")]
    api_limit: Option<String>,
    /// The origins whose pages may send events, as browsers write them; `*` alone for all, none for no page.
    #[schema(example = json!(["https://shop.example"]))]
    event_origins: Option<Vec<String>>,
}

impl SettingsChange {
    fn parse(&self) -> Result<Change, Problem> {
        let limit = |field: &str, text: Option<&str>| {
            let parsed = text.map(str::parse::<Limit>).transpose();
            parsed.map_err(|fault| Problem::field(field, "invalid", format!("{field} {fault}")))
        };
        let origins = self.event_origins.as_ref();
        let origins = origins.map(|origins| AllowedOrigins::parse(origins.iter().map(String::as_str)));
        Ok(Change {
            event_limit: limit("event_limit", self.event_limit.as_deref())?,
            api_limit: limit("api_limit", self.api_limit.as_deref())?,
            event_origins: origins.transpose().map_err(|fault| {
                Problem::field("event_origins", "invalid", format!("event_origins: {fault}"))
            })?,
        })
    }
}

/// A project's settings
#[utoipa::path(
    operation_id = "show_project_settings",
    tag = "projects",
    params(("id" = uuid::Uuid, Path, description = "The project")),
    responses((status = 200, description = "What holds", body = SettingsView), NoAccess),
    security(("access_token" = [])),
)]
#[get("/api/v1/projects/{id}/settings")]
pub(super) async fn show(
    access: ProjectAccess<AtLeastViewer>,
    state: web::Data<State>,
) -> Result<HttpResponse, Problem> {
    let settings = project_settings::read(&state.broker, access.project.id).await.map_err(away)?;
    Ok(HttpResponse::Ok().json(SettingsView::from(settings)))
}

/// Change a project's settings
///
/// Admins and owners say whose pages may send events. What protects the installation, the limits, only system admins
/// change. It holds everywhere within a second, without a restart.
#[utoipa::path(
    operation_id = "change_project_settings",
    tag = "projects",
    params(("id" = uuid::Uuid, Path, description = "The project")),
    request_body = SettingsChange,
    responses((status = 200, description = "What holds from then on", body = SettingsView), NoAccess, BadBody),
    security(("access_token" = [])),
)]
#[patch("/api/v1/projects/{id}/settings")]
pub(super) async fn change(
    access: ProjectAccess<AtLeastAdmin>,
    Json(asked): Json<SettingsChange>,
    state: web::Data<State>,
) -> Result<HttpResponse, Problem> {
    let change = asked.parse()?;
    let project = access.project.id;
    if (change.event_limit.is_some() || change.api_limit.is_some()) && !access.caller.claims.admin {
        record(&state, access.did(Action::AccessDenied).on(Target::Project(project))).await;
        let detail = "limits protect the installation: only system admins change them";
        return Err(Problem::new(Code::Forbidden, detail));
    }
    change.make(&state.broker, project).await.map_err(away)?;
    let event = access.did(Action::ProjectSettingsChanged).on(Target::Project(project));
    record(&state, event.with(change.details())).await;
    let settings = project_settings::read(&state.broker, project).await.map_err(away)?;
    Ok(HttpResponse::Ok().json(SettingsView::from(settings)))
}

fn away(error: MessagingError) -> Problem {
    Problem::unavailable("the broker", &error)
}
