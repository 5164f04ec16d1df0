//! `/api/v1/dead-letters`: looking at them, putting them back into the log, deleting them.
//!
//! They are read from the broker here. The workers alone write to the log, so they are asked to replay and to delete.

use actix_web::{HttpRequest, HttpResponse, delete, get, post, web};
use millrace_http::json::Json;
use millrace_http::page::{Page, Paged, Paging};
use millrace_http::problem::Problem;
use millrace_http::query::Query;
use millrace_messaging::dead_letters::shelf;
use serde::Serialize;
use utoipa::ToSchema;

mod carrying_out;
mod meant;
mod named;
mod view;

use carrying_out::{Deed, carry_out};
use meant::{Meant, ReplayBody, whole};
use named::Named;
use view::LetterView;

use crate::caller::Caller;
use crate::project_access::admit;
use crate::routes::denials::{BadBody, BadParameter, NoAccess};
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
    params(Meant, Paging),
    responses((status = 200, description = "A page of dead letters", body = LetterList), NoAccess, BadParameter),
    security(("access_token" = [])),
)]
#[get("/api/v1/dead-letters")]
pub(super) async fn list(
    caller: Caller,
    Query(asked): Query<Paged<Meant>>,
    request: HttpRequest,
    state: web::Data<State>,
) -> Result<HttpResponse, Problem> {
    let filter = asked.wanted.filter()?;
    let page: Page<u64> = asked.paging.page()?;
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
pub(super) async fn show(named: Named) -> HttpResponse {
    HttpResponse::Ok().json(LetterView::of(&named.letter))
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
pub(super) async fn replay_one(named: Named, state: web::Data<State>) -> Result<HttpResponse, Problem> {
    let (replayed, complete) = named.carry_out(&state, Deed::Replay).await?;
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
pub(super) async fn drop_one(named: Named, state: web::Data<State>) -> Result<HttpResponse, Problem> {
    named.carry_out(&state, Deed::Drop).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Delete dead letters
///
/// All that the parameters mean; one of them is needed.
#[utoipa::path(
    operation_id = "drop_dead_letters",
    tag = "dead letters",
    params(Meant),
    responses((status = 200, description = "They are gone", body = Dropped), NoAccess, BadParameter),
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
