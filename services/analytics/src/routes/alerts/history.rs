//! `/api/v1/alerts/{id}/history`: when an alert fired and was over, and who heard of it.

use actix_web::{HttpResponse, get, web};
use chrono::{DateTime, Utc};
use millrace_http::page::Paging;
use millrace_http::problem::Problem;
use millrace_http::query::Query;
use millrace_storage::alerts::Alert;
use millrace_storage::alerts::history::{self, Delivery, Event};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::errors::AnalyticsError;
use crate::member::ProjectMember;
use crate::routes::denials::NoAccess;
use crate::state::State;

/// What happened to an alert.
#[derive(Serialize, ToSchema)]
struct AlertEventList {
    /// Newest first.
    data: Vec<AlertEventView>,
    /// Where the next page begins; `null` after the last.
    next_cursor: Option<String>,
}

/// That it fired, or was over.
#[derive(Serialize, ToSchema)]
struct AlertEventView {
    /// Its id: that of the notification, and in what is posted.
    id: Uuid,
    /// `fired` or `resolved`.
    #[schema(example = "fired")]
    kind: &'static str,
    /// The number that decided.
    number: Option<f64>,
    /// The one before.
    previous: Option<f64>,
    /// When.
    occurred_at: DateTime<Utc>,
    /// Who was to hear of it.
    deliveries: Vec<AlertDeliveryView>,
}

/// What became of telling somebody.
#[derive(Serialize, ToSchema)]
pub(super) struct AlertDeliveryView {
    /// `notification`, `webhook` or `mail`.
    #[schema(example = "webhook")]
    channel: String,
    /// `pending`, `delivered` (a mail: handed over to be sent) or `dead`.
    #[schema(example = "delivered")]
    status: String,
    /// How often it was tried.
    attempts: i32,
    /// Why it failed, the last time.
    error: Option<String>,
    /// When it was delivered or given up.
    settled_at: Option<DateTime<Utc>>,
}

impl From<Delivery> for AlertDeliveryView {
    fn from(delivery: Delivery) -> Self {
        let Delivery { channel, status, attempts, error, settled_at, .. } = delivery;
        Self { channel, status, attempts, error, settled_at }
    }
}

impl From<Event> for AlertEventView {
    fn from(Event { id, kind, reading, occurred_at, deliveries }: Event) -> Self {
        Self {
            id: id.0,
            kind: kind.as_str(),
            number: reading.number,
            previous: reading.previous,
            occurred_at,
            deliveries: deliveries.into_iter().map(Into::into).collect(),
        }
    }
}

/// The history of an alert
///
/// When it fired and was over, what it read then, and who has heard of it.
#[utoipa::path(
    operation_id = "list_alert_history",
    tag = "alerts",
    params(("id" = Uuid, Path, description = "The alert"), Paging),
    responses((status = 200, description = "A page of its history", body = AlertEventList), NoAccess),
)]
#[get("/api/v1/alerts/{id}/history")]
pub(in crate::routes) async fn list(
    caller: ProjectMember,
    id: web::Path<String>,
    Query(paging): Query<Paging>,
    state: web::Data<State>,
) -> Result<HttpResponse, Problem> {
    let page = paging.page()?;
    let mut conn = state.connection().await?;
    let alert: Alert = caller.visible(&mut conn, &id).await?;
    let found = history::page(&mut conn, alert.id, page.after, page.probe()).await;
    let mut found = found.map_err(AnalyticsError::from)?;
    let next_cursor = page.cut(&mut found, Event::place);
    Ok(HttpResponse::Ok()
        .json(AlertEventList { data: found.into_iter().map(Into::into).collect(), next_cursor }))
}
