//! Every route of ingest on one screen. Health and metrics are mounted by the runtime.

use utoipa_actix_web::service_config::ServiceConfig;

mod events;

/// Mounts the routes.
pub fn configure(service: &mut ServiceConfig<'_>) {
    service.service(events::send);
}
