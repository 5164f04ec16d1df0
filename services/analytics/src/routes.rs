//! Every route of analytics on one screen. Health and metrics are mounted by the runtime.

use actix_web::App;
use utoipa::OpenApi;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa_actix_web::AppExt;
use utoipa_actix_web::service_config::ServiceConfig;

mod active_users;
mod retention;
mod top_events;

/// Mounts the routes.
pub fn configure(service: &mut ServiceConfig<'_>) {
    service
        .service(active_users::dau)
        .service(active_users::wau)
        .service(active_users::mau)
        .service(top_events::top_events)
        .service(retention::retention);
}

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Millrace analytics",
        description = "Exact answers to questions about events. Days are the local days of the project's zone or of the \
                       zone asked for; weeks start on Monday."
    ),
    tags((name = "statistics", description = "Who was active, what happened, who came back"))
)]
struct Document;

/// The routes as an OpenAPI document.
#[must_use]
pub fn openapi() -> utoipa::openapi::OpenApi {
    let (_, mut document) = App::new().into_utoipa_app().openapi(Document::openapi()).configure(configure).split_for_parts();
    let components = document.components.get_or_insert_default();
    let bearer = |format: &str, description: &str| {
        let http = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format(format).description(Some(description));
        SecurityScheme::Http(http.build())
    };
    components.add_security_scheme("read_key", bearer("mr_…", "An API key with the scope `read`"));
    components.add_security_scheme("access_token", bearer("JWT", "An access token of a member of the project"));
    components.add_security_scheme("x_api_key", SecurityScheme::ApiKey(ApiKey::Header(ApiKeyValue::new("X-Api-Key"))));
    document
}
