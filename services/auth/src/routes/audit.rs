//! `GET /api/v1/audit`.

use actix_web::{HttpRequest, HttpResponse, get, web};
use chrono::{DateTime, Utc};
use millrace_domain::audit::action::Action;
use millrace_domain::text::ShortText;
use millrace_http::page::{Paged, Paging};
use millrace_http::problem::Problem;
use millrace_http::query::{Query, parameter};
use millrace_storage::audit::{self, Entry, Filter};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::caller::Caller;
use crate::errors::AuthError;
use crate::project_access::admit;
use crate::routes::denials::{BadParameter, NoAccess};
use crate::state::State;

/// An entry of the audit log.
#[derive(Serialize, ToSchema)]
struct EntryView {
    /// Its place in the log: 1, 2, 3 …
    #[schema(example = 42)]
    seq: i64,
    /// The event's id.
    id: Uuid,
    /// When it happened.
    occurred_at: DateTime<Utc>,
    /// What happened.
    #[schema(example = "api_key.revoked")]
    action: String,
    /// How it ended: `success`, `failure` or `denied`.
    #[schema(example = "success")]
    outcome: String,
    /// Who did it.
    actor: ActorView,
    /// What it was done to.
    target: Option<TargetView>,
    /// The project that it belongs to.
    project_id: Option<Uuid>,
    /// The address of the client.
    #[schema(example = "192.0.2.7")]
    address: Option<String>,
    /// What the client called itself.
    user_agent: Option<String>,
    /// The id of the request.
    request_id: Option<String>,
    /// What else there is to say.
    #[schema(value_type = serde_json::Value)]
    details: Box<RawValue>,
    /// The hash of the entry before, in hexadecimal.
    prev_hash: String,
    /// Its own hash, in hexadecimal.
    hash: String,
}

/// Who did it.
#[derive(Serialize, ToSchema)]
struct ActorView {
    /// `account`; `operator` for whoever runs `millrace admin`; `anonymous` for somebody who has proved nothing.
    #[schema(example = "account")]
    kind: String,
    /// The account.
    id: Option<Uuid>,
}

/// What it was done to.
#[derive(Serialize, ToSchema)]
struct TargetView {
    /// `account`, `project`, `api_key`, `session` or `signing_key`.
    #[schema(example = "api_key")]
    kind: String,
    /// Its id.
    id: String,
}

/// Entries.
#[derive(Serialize, ToSchema)]
struct EntryList {
    /// Newest first.
    data: Vec<EntryView>,
    /// Where the next page begins; `null` after the last.
    next_cursor: Option<String>,
}

impl TryFrom<Entry> for EntryView {
    type Error = serde_json::Error;

    fn try_from(entry: Entry) -> Result<Self, serde_json::Error> {
        let Entry { seq, occurred_at, action, outcome, project_id, address, user_agent, request_id, .. } =
            entry;
        let target = entry.target_kind.zip(entry.target_id);
        Ok(Self {
            seq,
            id: entry.event_id,
            occurred_at,
            action,
            outcome,
            actor: ActorView { kind: entry.actor_kind, id: entry.actor_id },
            target: target.map(|(kind, id)| TargetView { kind, id }),
            project_id,
            address,
            user_agent,
            request_id,
            details: RawValue::from_string(entry.details)?,
            prev_hash: hex(&entry.prev_hash),
            hash: hex(&entry.hash),
        })
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Wanted {
    /// An action such as `login.failed`, or an area such as `login.`
    #[param(nullable = false)]
    action: Option<String>,
    /// `success`, `failure` or `denied`.
    #[param(nullable = false)]
    outcome: Option<String>,
    /// The account that did it.
    #[param(value_type = Option<Uuid>, nullable = false)]
    actor: Option<String>,
    /// The id of what it was done to.
    #[param(nullable = false)]
    target: Option<String>,
    /// The project that it belongs to. System admins alone need not name one.
    #[param(value_type = Option<Uuid>, nullable = false)]
    project_id: Option<String>,
    /// Not before (RFC 3339).
    #[param(value_type = Option<DateTime<Utc>>, nullable = false)]
    from: Option<String>,
    /// Before (RFC 3339).
    #[param(value_type = Option<DateTime<Utc>>, nullable = false)]
    to: Option<String>,
}

impl Wanted {
    fn filter(&self) -> Result<Filter, Problem> {
        Ok(Filter {
            actions: parameter("action", self.action.as_deref(), Action::matching)?,
            outcome: parameter("outcome", self.outcome.as_deref(), str::parse)?,
            actor: parameter("actor", self.actor.as_deref(), str::parse)?,
            target: parameter("target", self.target.as_deref(), ShortText::parse)?.map(|id| id.to_string()),
            project: parameter("project_id", self.project_id.as_deref(), str::parse)?,
            from: parameter("from", self.from.as_deref(), str::parse)?,
            to: parameter("to", self.to.as_deref(), str::parse)?,
        })
    }
}

/// The audit log
///
/// Newest first. System admins see everything; owners and admins of a project see its entries. A page goes on where the
/// one before ended, whatever is appended meanwhile.
#[utoipa::path(
    operation_id = "list_audit_log",
    tag = "audit",
    params(Wanted, Paging),
    responses((status = 200, description = "A page of entries", body = EntryList), NoAccess, BadParameter),
    security(("access_token" = [])),
)]
#[get("/api/v1/audit")]
pub(super) async fn list(
    caller: Caller,
    Query(asked): Query<Paged<Wanted>>,
    request: HttpRequest,
    state: web::Data<State>,
) -> Result<HttpResponse, Problem> {
    let filter = asked.wanted.filter()?;
    let page = asked.paging.page()?;
    admit(&state, caller, filter.project, &request).await?;
    let mut conn = state.connection().await?;
    let found = audit::page(&mut conn, &filter, page.after, page.probe()).await;
    let mut found = found.map_err(AuthError::from)?;
    let next_cursor = page.cut(&mut found, |entry| entry.seq);
    let data = found.into_iter().map(EntryView::try_from).collect::<Result<_, _>>();
    let data = data.map_err(|error| Problem::internal(&error))?;
    Ok(HttpResponse::Ok().json(EntryList { data, next_cursor }))
}
