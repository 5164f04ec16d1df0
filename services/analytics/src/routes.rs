//! Every route of analytics on one screen. Health and metrics are mounted by the runtime.

use actix_web::App;
use utoipa::OpenApi;
use utoipa_actix_web::AppExt;
use utoipa_actix_web::service_config::ServiceConfig;

mod active_users;
mod document;
mod event_types;
mod properties;
mod query;
mod retention;
mod top_events;
mod trends;
mod users;

use document::Document;

/// Mounts the routes.
pub fn configure(service: &mut ServiceConfig<'_>) {
    service
        .service(active_users::dau)
        .service(active_users::wau)
        .service(active_users::mau)
        .service(top_events::top_events)
        .service(retention::retention)
        .service(trends::trends)
        .service(query::query)
        .service(event_types::event_types)
        .service(properties::properties)
        .service(users::users)
        .service(users::user)
        .service(users::events);
}

/// The routes as an OpenAPI document.
#[must_use]
pub fn openapi() -> utoipa::openapi::OpenApi {
    let (_, routes) =
        App::new().into_utoipa_app().openapi(Document::openapi()).configure(configure).split_for_parts();
    document::complete(routes)
}
