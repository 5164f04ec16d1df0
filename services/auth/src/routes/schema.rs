//! `/api/v1/schema/{event_type}`: what the properties of an event type must look like. The workers hold events against it.

use actix_web::{HttpRequest, HttpResponse, delete, get, put, web};
use chrono::{DateTime, Utc};
use millrace_domain::audit::action::Action;
use millrace_domain::audit::{Details, Target};
use millrace_domain::text::{EventType, ShortText};
use millrace_http::json::Json;
use millrace_http::problem::{Code, Problem, ProblemBody};
use millrace_schemas::Schema;
use millrace_storage::event_schemas::{self, EventSchema, MAX_PER_PROJECT};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::audit::record;
use crate::caller::Caller;
use crate::errors::AuthError;
use crate::project_access::{
    AtLeastAdmin, AtLeastViewer, ProjectAccess, RequiredRole, project_meant, unnamed,
};
use crate::routes::denials::{BadBody, BadParameter, NoAccess};
use crate::state::State;

/// The schema of an event type.
#[derive(Serialize, ToSchema)]
struct SchemaView {
    /// The event type.
    #[schema(example = "order_completed")]
    event_type: String,
    /// What its properties must look like: JSON Schema, draft 2020-12.
    #[schema(value_type = Object, example = json!({"type": "object", "properties": {"value": {"type": "number"}}, "required": ["value"]}))]
    schema: Value,
    /// When it was last changed.
    changed_at: DateTime<Utc>,
}

impl From<EventSchema> for SchemaView {
    fn from(found: EventSchema) -> Self {
        Self { event_type: found.event_type, schema: found.schema, changed_at: found.changed_at }
    }
}

/// The event type that the path names, and what the caller may do in the project that the request means.
struct Meant<R> {
    event_type: EventType,
    access: ProjectAccess<R>,
}

impl<R: RequiredRole> Meant<R> {
    async fn by(
        caller: Caller,
        event_type: &str,
        request: &HttpRequest,
        state: &State,
    ) -> Result<Self, Problem> {
        let project = project_meant(&caller, request)?.ok_or_else(unnamed)?;
        let access = ProjectAccess::of(state, caller, project, request).await?;
        let invalid = |fault| Problem::field("event_type", "invalid", format!("event_type {fault}"));
        Ok(Self { event_type: EventType::parse(event_type).map_err(invalid)?, access })
    }

    async fn changed(&self, state: &State, action: Action) {
        let project = self.access.project.id;
        let event_type = ShortText::cut(self.event_type.as_str());
        let details = Details { event_type, ..Details::default() };
        record(state, self.access.did(action).on(Target::Project(project)).with(details)).await;
    }

    async fn end(&self, state: &State) -> Result<HttpResponse, Problem> {
        let mut conn = state.connection().await?;
        let ended = event_schemas::end(&mut conn, self.access.project.id, &self.event_type).await;
        drop(conn);
        if !ended.map_err(AuthError::from)? {
            return Err(none());
        }
        self.changed(state, Action::EventSchemaEnded).await;
        Ok(HttpResponse::NoContent().finish())
    }
}

fn none() -> Problem {
    Problem::new(Code::NotFound, "the event type has no schema: its properties are stored as they come")
}

/// The schema of an event type
///
/// Every member sees it.
#[utoipa::path(
    operation_id = "show_event_schema",
    tag = "schemas",
    params(
        ("event_type" = String, Path, description = "The event type"),
        ("X-Project-Id" = Option<Uuid>, Header, description = "The project, for whoever has several"),
    ),
    responses((status = 200, description = "The schema", body = SchemaView), NoAccess, BadParameter),
    security(("access_token" = [])),
)]
#[get("/api/v1/schema/{event_type}")]
pub(super) async fn show(
    caller: Caller,
    event_type: web::Path<String>,
    request: HttpRequest,
    state: web::Data<State>,
) -> Result<HttpResponse, Problem> {
    let Meant { event_type, access } =
        Meant::<AtLeastViewer>::by(caller, &event_type, &request, &state).await?;
    let mut conn = state.connection().await?;
    let found = event_schemas::find(&mut conn, access.project.id, &event_type).await;
    let found = found.map_err(AuthError::from)?.ok_or_else(none)?;
    Ok(HttpResponse::Ok().json(SchemaView::from(found)))
}

/// Be strict with an event type
///
/// Events whose properties break the schema are not stored: within a second or two they go to the dead letters, with the
/// property and the rule, and can be replayed when the schema is another. What was stored before stays. Formats are
/// checked. `$ref` may refer to `#/$defs/<name>` alone, and not in circles; nothing is fetched. `null` ends it.
#[utoipa::path(
    operation_id = "set_event_schema",
    tag = "schemas",
    params(
        ("event_type" = String, Path, description = "The event type"),
        ("X-Project-Id" = Option<Uuid>, Header, description = "The project, for whoever has several"),
    ),
    request_body(
        content = Option<Object>, description = "JSON Schema, draft 2020-12, of at most 32 KiB; or `null`",
        example = json!({
            "type": "object", "properties": {"value": {"type": "number", "minimum": 0}}, "required": ["value"],
        }),
    ),
    responses(
        (status = 200, description = "The schema", body = SchemaView),
        (status = 204, description = "There is none from then on"),
        (status = 409, description = "200 event types of the project have a schema", body = ProblemBody, content_type = "application/problem+json"),
        NoAccess,
        BadBody,
    ),
    security(("access_token" = [])),
)]
#[put("/api/v1/schema/{event_type}")]
pub(super) async fn set(
    caller: Caller,
    event_type: web::Path<String>,
    Json(schema): Json<Value>,
    request: HttpRequest,
    state: web::Data<State>,
) -> Result<HttpResponse, Problem> {
    let meant = Meant::<AtLeastAdmin>::by(caller, &event_type, &request, &state).await?;
    if schema.is_null() {
        return meant.end(&state).await;
    }
    let schema = Schema::parse(schema);
    let schema = schema.map_err(|fault| Problem::field("schema", "invalid", format!("schema: {fault}")))?;
    let mut conn = state.connection().await?;
    let project = meant.access.project.id;
    let set = event_schemas::set(&mut conn, project, &meant.event_type, &schema.into_value()).await;
    drop(conn);
    let set = set.map_err(AuthError::from)?.ok_or_else(|| {
        Problem::new(Code::Conflict, format!("{MAX_PER_PROJECT} event types of the project have a schema"))
    })?;
    meant.changed(&state, Action::EventSchemaChanged).await;
    Ok(HttpResponse::Ok().json(SchemaView::from(set)))
}

/// Stop being strict with an event type
///
/// Its properties are stored as they come.
#[utoipa::path(
    operation_id = "end_event_schema",
    tag = "schemas",
    params(
        ("event_type" = String, Path, description = "The event type"),
        ("X-Project-Id" = Option<Uuid>, Header, description = "The project, for whoever has several"),
    ),
    responses((status = 204, description = "There is none from then on"), NoAccess, BadParameter),
    security(("access_token" = [])),
)]
#[delete("/api/v1/schema/{event_type}")]
pub(super) async fn end(
    caller: Caller,
    event_type: web::Path<String>,
    request: HttpRequest,
    state: web::Data<State>,
) -> Result<HttpResponse, Problem> {
    Meant::<AtLeastAdmin>::by(caller, &event_type, &request, &state).await?.end(&state).await
}
