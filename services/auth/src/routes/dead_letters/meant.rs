//! Which dead letters a request means.

use chrono::{DateTime, Utc};
use millrace_domain::ids::ProjectId;
use millrace_http::problem::Problem;
use millrace_http::query::parameter;
use millrace_messaging::dead_letters::filter::Filter;
use millrace_messaging::dead_letters::orders::{MAX_LETTERS, Order};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use super::carrying_out::Extent;

/// Which letters.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Meant {
    /// The project whose events they are. System admins alone need not name one.
    #[param(value_type = Option<Uuid>, nullable = false)]
    project_id: Option<String>,
    /// Why they are dead: `unreadable`, `unknown_project`, `invalid`, `schema_violation`, `refused` or `exhausted`.
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
    pub(super) fn filter(self) -> Result<Filter, Problem> {
        Ok(Filter {
            project: parameter("project_id", self.project_id.as_deref(), str::parse)?,
            reason: self.reason,
            event_type: self.event_type,
            from: parameter("from", self.from.as_deref(), str::parse)?,
            to: parameter("to", self.to.as_deref(), str::parse)?,
        })
    }
}

/// Letters to put back into the log: those named by `ids`, or all that the other fields mean.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ReplayBody {
    /// The project whose events they are. System admins alone need not name one.
    #[schema(value_type = Option<Uuid>)]
    pub(super) project_id: Option<ProjectId>,
    /// Their ids, at most 200.
    #[schema(max_items = 200, example = json!([17, 18]))]
    ids: Option<Vec<u64>>,
    /// Why they are dead.
    #[schema(example = "refused")]
    pub(super) reason: Option<String>,
    /// What happened.
    pub(super) event_type: Option<String>,
    /// Put away not before.
    pub(super) from: Option<DateTime<Utc>>,
    /// Put away before.
    pub(super) to: Option<DateTime<Utc>>,
}

impl ReplayBody {
    pub(super) fn extent(self) -> Result<Extent, Problem> {
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
pub(super) fn whole(filter: Filter) -> Result<Extent, Problem> {
    if filter.is_empty() {
        let message = "say which letters are meant: project_id, reason, event_type, from or to";
        return Err(Problem::field("project_id", "required", message));
    }
    Ok(Extent::Found(filter))
}
