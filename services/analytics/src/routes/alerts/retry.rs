//! `…/history/{event_id}/deliveries/{channel}/retry`: telling after all what was given up.

use actix_web::{HttpResponse, post, web};
use millrace_domain::ids::AlertEventId;
use millrace_http::problem::{Code, Problem};
use millrace_storage::alerts::Alert;
use millrace_storage::alerts::deliveries::{self, Channel, Retried};

use super::history::AlertDeliveryView;
use crate::errors::AnalyticsError;
use crate::member::ProjectMember;
use crate::routes::denials::{NoAccess, NotSo};
use crate::state::State;

/// Tell after all what was given up
///
/// A `dead` delivery is tried again at once: once, if ten tries were in vain before. For editors of the project, and above.
#[utoipa::path(
    operation_id = "retry_alert_delivery",
    tag = "alerts",
    params(
        ("id" = Uuid, Path, description = "The alert"),
        ("event_id" = Uuid, Path, description = "What happened, by its id in the history"),
        ("channel" = String, Path, description = "`notification`, `webhook` or `mail`"),
    ),
    responses((status = 200, description = "It is `pending`", body = AlertDeliveryView), NoAccess, NotSo),
)]
#[post("/api/v1/alerts/{id}/history/{event_id}/deliveries/{channel}/retry")]
pub(in crate::routes) async fn retry(
    caller: ProjectMember,
    path: web::Path<(String, String, String)>,
    state: web::Data<State>,
) -> Result<HttpResponse, Problem> {
    let (id, event, channel) = path.into_inner();
    let mut conn = state.connection().await?;
    let alert: Alert = caller.changeable(&mut conn, &id, None).await?;
    let unknown = || Problem::new(Code::NotFound, "the alert's history has no such delivery");
    let (event, channel) =
        event.parse::<AlertEventId>().ok().zip(Channel::named(&channel)).ok_or_else(unknown)?;
    match deliveries::retry(&mut conn, alert.id, event, channel).await.map_err(AnalyticsError::from)? {
        Retried::Pending(delivery) => Ok(HttpResponse::Ok().json(AlertDeliveryView::from(delivery))),
        Retried::NotDead(delivery) => {
            let detail = format!("the delivery is {}: only one that is dead is tried again", delivery.status);
            Err(Problem::new(Code::Conflict, detail))
        }
        Retried::Missing => Err(unknown()),
    }
}
