//! Every route of analytics on one screen. Health and metrics are mounted by the runtime.

use actix_web::App;
use millrace_http::methods::Methods;
use utoipa::OpenApi;
use utoipa_actix_web::AppExt;
use utoipa_actix_web::service_config::ServiceConfig;

mod active_users;
mod alerts;
mod cohorts;
mod dashboards;
mod denials;
mod document;
mod event_types;
mod insights;
mod last_result;
mod one;
mod properties;
mod query;
mod retention;
mod schema;
mod sql;
mod templates;
mod top_events;
mod trends;
mod users;

use document::Document;

/// Mounts the routes, and what is known of their methods.
pub fn configure(service: &mut ServiceConfig<'_>) {
    mount(service);
    service.map(|plain| plain.app_data(Methods::of(&openapi())));
}

fn mount(service: &mut ServiceConfig<'_>) {
    service
        .service(active_users::dau)
        .service(active_users::wau)
        .service(active_users::mau)
        .service(top_events::top_events)
        .service(retention::retention)
        .service(trends::trends)
        .service(query::query)
        .service(sql::sql)
        .service(event_types::event_types)
        .service(properties::properties)
        .service(users::users)
        .service(users::user)
        .service(users::events)
        .service(schema::schema)
        .service(cohorts::list)
        .service(cohorts::create)
        .service(cohorts::show)
        .service(cohorts::change)
        .service(cohorts::remove)
        .service(cohorts::members)
        .service(insights::list)
        .service(insights::create)
        .service(insights::show)
        .service(insights::change)
        .service(insights::remove)
        .service(alerts::list)
        .service(alerts::create)
        .service(alerts::show)
        .service(alerts::change)
        .service(alerts::remove)
        .service(alerts::new_secret)
        .service(alerts::history::list)
        .service(alerts::retry::retry)
        .service(templates::list)
        .service(templates::create)
        .service(dashboards::list)
        .service(dashboards::create)
        .service(dashboards::show)
        .service(dashboards::change)
        .service(dashboards::remove)
        .service(dashboards::data::show)
        .service(dashboards::shared::show)
        .service(dashboards::insights::add)
        .service(dashboards::insights::remove)
        .service(dashboards::shares::list)
        .service(dashboards::shares::create)
        .service(dashboards::shares::revoke);
}

/// The routes as an OpenAPI document.
#[must_use]
pub fn openapi() -> utoipa::openapi::OpenApi {
    let (_, routes) =
        App::new().into_utoipa_app().openapi(Document::openapi()).configure(mount).split_for_parts();
    document::complete(routes)
}
