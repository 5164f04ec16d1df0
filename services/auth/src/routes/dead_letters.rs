//! `/api/v1/dead-letters`: looking at them, putting them back into the log, deleting them.
//!
//! They are read from the broker here. The workers alone write to the log, so they are asked to replay and to delete.

use actix_web::{HttpRequest, HttpResponse, delete, get, post, web};
use chrono::{DateTime, Utc};
use millrace_domain::ids::ProjectId;
use millrace_http::json::Json;
use millrace_http::page::Page;
use millrace_http::problem::{Code, Problem, ProblemBody};
use millrace_http::query::Query;
use millrace_messaging::dead_letters::filter::Filter;
use millrace_messaging::dead_letters::letter::Letter;
use millrace_messaging::dead_letters::orders::{MAX_LETTERS, Order};
use millrace_messaging::dead_letters::shelf;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

mod carrying_out;
mod view;

use carrying_out::{Deed, Extent, carry_out};
use view::LetterView;

use crate::caller::Caller;
use crate::project_access::{AtLeastAdmin, ProjectAccess};
use crate::routes::denials::{BadBody, NoAccess};
use crate::state::State;

/// Dead letters.
#[derive(Serialize, ToSchema)]
struct LetterList {
    /// In the order in which they were put away. There may be fewer than the page holds, and another page all the same.
    data: Vec<LetterView>,
    /// Where the next page begins; `null` after the last.
    next_cursor: Option<String>,
}

/// What was replayed.
#[derive(Serialize, ToSchema)]
struct Replayed {
    /// Letters that are in the log again.
    #[schema(example = 3)]
    replayed: u64,
    /// Whether these were all: if not, ask again.
    complete: bool,
}

/// What was deleted.
#[derive(Serialize, ToSchema)]
struct Dropped {
    /// Letters that are gone.
    #[schema(example = 3)]
    dropped: u64,
    /// Whether these were all: if not, ask again.
    complete: bool,
}

/// Which letters.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Meant {
    /// The project whose events they are. System admins alone need not name one.
    #[param(value_type = Option<Uuid>, nullable = false)]
    project_id: Option<String>,
    /// Why they are dead: `unreadable`, `unknown_project`, `invalid`, `refused` or `exhausted`.
    #[param(nullable = false, example = "refused")]
    reason: Option<String>,
    /// What happened.
    #[param(nullable = false, example = "order_completed")]
    event_type: Option<String>,
    /// Put away not before (RFC 3339).
    #[param(value_type = Option<DateTime<Utc>>, nullable = false)]
    from: Option<String>,
    /// Put away before (RFC 3339).
    #[param(value_type = Option<DateTime<Utc>>, nullable = false)]
    to: Option<String>,
}

impl Meant {
    fn filter(self) -> Result<Filter, Problem> {
        Ok(Filter {
            project: parsed("project_id", self.project_id)?,
            reason: self.reason,
            event_type: self.event_type,
            from: parsed("from", self.from)?,
            to: parsed("to", self.to)?,
        })
    }
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Asked {
    /// The project whose events they are. System admins alone need not name one.
    #[param(value_type = Option<Uuid>, nullable = false)]
    project_id: Option<String>,
    /// Why they are dead: `unreadable`, `unknown_project`, `invalid`, `refused` or `exhausted`.
    #[param(nullable = false, example = "refused")]
    reason: Option<String>,
    /// What happened.
    #[param(nullable = false, example = "order_completed")]
    event_type: Option<String>,
    /// Put away not before (RFC 3339).
    #[param(value_type = Option<DateTime<Utc>>, nullable = false)]
    from: Option<String>,
    /// Put away before (RFC 3339).
    #[param(value_type = Option<DateTime<Utc>>, nullable = false)]
    to: Option<String>,
    /// How many letters a page holds, 1 to 200; 50 if absent.
    #[param(value_type = Option<u16>, nullable = false, minimum = 1, maximum = 200, default = 50)]
    limit: Option<String>,
    /// The `next_cursor` of the page before.
    #[param(nullable = false)]
    cursor: Option<String>,
}

/// Letters to put back into the log: those named by `ids`, or all that the other fields mean.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ReplayBody {
    /// The project whose events they are. System admins alone need not name one.
    #[schema(value_type = Option<Uuid>)]
    project_id: Option<ProjectId>,
    /// Their ids, at most 200.
    #[schema(max_items = 200, example = json!([17, 18]))]
    ids: Option<Vec<u64>>,
    /// Why they are dead.
    #[schema(example = "refused")]
    reason: Option<String>,
    /// What happened.
    event_type: Option<String>,
    /// Put away not before.
    from: Option<DateTime<Utc>>,
    /// Put away before.
    to: Option<DateTime<Utc>>,
}

impl ReplayBody {
    fn extent(self) -> Result<Extent, Problem> {
        let Self { project_id, ids, reason, event_type, from, to } = self;
        let filter = Filter { project: project_id, reason, event_type, from, to };
        let Some(ids) = ids else { return whole(filter) };
        if (Filter { project: None, ..filter.clone() }) != Filter::default() {
            return Err(Problem::field(
                "ids",
                "conflict",
                "ids: name letters, or say which are meant; not both",
            ));
        }
        if ids.is_empty() || ids.len() > MAX_LETTERS {
            let message = format!("ids: name 1 to {MAX_LETTERS} letters");
            return Err(Problem::field("ids", "out_of_range", message));
        }
        Ok(Extent::Named(Order::Named { project: project_id, ids }))
    }
}

/// A filter for a deed that cannot be undone. One that means everything of everybody is more likely a mistake.
fn whole(filter: Filter) -> Result<Extent, Problem> {
    if filter.is_empty() {
        let message = "say which letters are meant: project_id, reason, event_type, from or to";
        return Err(Problem::field("project_id", "required", message));
    }
    Ok(Extent::Found(filter))
}

fn parsed<T: std::str::FromStr>(name: &str, text: Option<String>) -> Result<Option<T>, Problem>
where
    T::Err: std::fmt::Display,
{
    let parsed = text.map(|text| text.parse()).transpose();
    parsed.map_err(|fault| Problem::field(name, "invalid", format!("{name}: {fault}")))
}

/// Lets owners and admins of the project pass, and system admins whatever is meant.
async fn admit(
    state: &State,
    caller: Caller,
    project: Option<ProjectId>,
    request: &HttpRequest,
) -> Result<Caller, Problem> {
    if caller.claims.admin {
        return Ok(caller);
    }
    let project = project.ok_or_else(|| {
        Problem::new(Code::Forbidden, "only system admins see everything: name a project in `project_id`")
    })?;
    Ok(ProjectAccess::<AtLeastAdmin>::of(state, caller, project, request).await?.caller)
}

/// The letter that the path names, if it is the caller's to see.
async fn named(
    state: &State,
    caller: Caller,
    id: &str,
    request: &HttpRequest,
) -> Result<(Letter, Caller), Problem> {
    let not_found =
        || Problem::new(Code::NotFound, "there is no such dead letter, or it is not yours to see");
    let id: u64 = id.parse().map_err(|_not_an_id| not_found())?;
    let letter = shelf::get(&state.broker, id).await.map_err(|error| away(&error))?.ok_or_else(not_found)?;
    if !caller.claims.admin && !caller.claims.roles.contains_key(&letter.project) {
        return Err(not_found());
    }
    let caller = admit(state, caller, Some(letter.project), request).await?;
    Ok((letter, caller))
}

fn away(error: &millrace_messaging::error::MessagingError) -> Problem {
    Problem::unavailable("the broker", error)
}

/// Dead letters
///
/// Events that can never be stored as they are, with the reason and where they came from, in the order in which they
/// were put away. For owners and admins of a project; system admins see those of all.
#[utoipa::path(
    operation_id = "list_dead_letters",
    tag = "dead letters",
    params(Asked),
    responses(
        (status = 200, description = "A page of dead letters", body = LetterList),
        (status = 422, description = "A parameter cannot be used; `errors` says which", body = ProblemBody, content_type = "application/problem+json"),
        NoAccess,
    ),
    security(("access_token" = [])),
)]
#[get("/api/v1/dead-letters")]
pub(super) async fn list(
    caller: Caller,
    Query(asked): Query<Asked>,
    request: HttpRequest,
    state: web::Data<State>,
) -> Result<HttpResponse, Problem> {
    let Asked { project_id, reason, event_type, from, to, limit, cursor } = asked;
    let filter = Meant { project_id, reason, event_type, from, to }.filter()?;
    let page = Page::<u64>::parse(limit.as_deref(), cursor.as_deref())?;
    admit(&state, caller, filter.project, &request).await?;
    let found = shelf::page(&state.broker, &filter, page.after, page.limit().into())
        .await
        .map_err(|error| away(&error))?;
    let next_cursor = found.next.and_then(|next| Page::cursor(&next));
    let data = found.letters.iter().map(LetterView::of).collect();
    Ok(HttpResponse::Ok().json(LetterList { data, next_cursor }))
}

/// A dead letter
#[utoipa::path(
    operation_id = "show_dead_letter",
    tag = "dead letters",
    params(("id" = u64, Path, description = "The letter")),
    responses((status = 200, description = "The letter", body = LetterView), NoAccess),
    security(("access_token" = [])),
)]
#[get("/api/v1/dead-letters/{id}")]
pub(super) async fn show(
    caller: Caller,
    id: web::Path<String>,
    request: HttpRequest,
    state: web::Data<State>,
) -> Result<HttpResponse, Problem> {
    let (letter, _) = named(&state, caller, &id, &request).await?;
    Ok(HttpResponse::Ok().json(LetterView::of(&letter)))
}

/// Replay a dead letter
///
/// Puts it back into the log. It is stored if what was wrong is mended, once however often it is replayed; otherwise it
/// is another dead letter.
#[utoipa::path(
    operation_id = "replay_dead_letter",
    tag = "dead letters",
    params(("id" = u64, Path, description = "The letter")),
    responses((status = 200, description = "It is in the log", body = Replayed), NoAccess),
    security(("access_token" = [])),
)]
#[post("/api/v1/dead-letters/{id}/replay")]
pub(super) async fn replay_one(
    caller: Caller,
    id: web::Path<String>,
    request: HttpRequest,
    state: web::Data<State>,
) -> Result<HttpResponse, Problem> {
    let (letter, caller) = named(&state, caller, &id, &request).await?;
    let extent = Extent::Named(Order::Named { project: Some(letter.project), ids: vec![letter.id] });
    let (replayed, complete) = carry_out(&state, &caller, Deed::Replay, extent, Some(letter.project)).await?;
    Ok(HttpResponse::Ok().json(Replayed { replayed, complete }))
}

/// Replay dead letters
///
/// Those named by `ids`, or all that the other fields mean. What fails again is another dead letter, which this does not
/// replay a second time.
#[utoipa::path(
    operation_id = "replay_dead_letters",
    tag = "dead letters",
    request_body = ReplayBody,
    responses((status = 200, description = "They are in the log", body = Replayed), NoAccess, BadBody),
    security(("access_token" = [])),
)]
#[post("/api/v1/dead-letters/replay")]
pub(super) async fn replay(
    caller: Caller,
    Json(body): Json<ReplayBody>,
    request: HttpRequest,
    state: web::Data<State>,
) -> Result<HttpResponse, Problem> {
    let project = body.project_id;
    let extent = body.extent()?;
    let caller = admit(&state, caller, project, &request).await?;
    let (replayed, complete) = carry_out(&state, &caller, Deed::Replay, extent, project).await?;
    Ok(HttpResponse::Ok().json(Replayed { replayed, complete }))
}

/// Delete a dead letter
#[utoipa::path(
    operation_id = "drop_dead_letter",
    tag = "dead letters",
    params(("id" = u64, Path, description = "The letter")),
    responses((status = 204, description = "It is gone"), NoAccess),
    security(("access_token" = [])),
)]
#[delete("/api/v1/dead-letters/{id}")]
pub(super) async fn drop_one(
    caller: Caller,
    id: web::Path<String>,
    request: HttpRequest,
    state: web::Data<State>,
) -> Result<HttpResponse, Problem> {
    let (letter, caller) = named(&state, caller, &id, &request).await?;
    let extent = Extent::Named(Order::Named { project: Some(letter.project), ids: vec![letter.id] });
    carry_out(&state, &caller, Deed::Drop, extent, Some(letter.project)).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Delete dead letters
///
/// All that the parameters mean; one of them is needed.
#[utoipa::path(
    operation_id = "drop_dead_letters",
    tag = "dead letters",
    params(Meant),
    responses(
        (status = 200, description = "They are gone", body = Dropped),
        (status = 422, description = "A parameter cannot be used; `errors` says which", body = ProblemBody, content_type = "application/problem+json"),
        NoAccess,
    ),
    security(("access_token" = [])),
)]
#[delete("/api/v1/dead-letters")]
pub(super) async fn drop_all(
    caller: Caller,
    Query(meant): Query<Meant>,
    request: HttpRequest,
    state: web::Data<State>,
) -> Result<HttpResponse, Problem> {
    let filter = meant.filter()?;
    let project = filter.project;
    let caller = admit(&state, caller, project, &request).await?;
    let (dropped, complete) = carry_out(&state, &caller, Deed::Drop, whole(filter)?, project).await?;
    Ok(HttpResponse::Ok().json(Dropped { dropped, complete }))
}
