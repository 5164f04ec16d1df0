//! Every route of ingest on one screen. Health and metrics are mounted by the runtime.

use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{ComponentsBuilder, InfoBuilder, OpenApi, OpenApiBuilder};
use utoipa_actix_web::AppExt;
use utoipa_actix_web::service_config::ServiceConfig;

mod events;

/// Mounts the routes.
pub fn configure(service: &mut ServiceConfig<'_>) {
    service.service(events::send);
}

/// What the routes say of themselves.
#[must_use]
pub fn openapi() -> OpenApi {
    let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format("API key").build();
    let header = ApiKey::Header(ApiKeyValue::new("X-Api-Key"));
    let base = OpenApiBuilder::new()
        .info(InfoBuilder::new().title("Millrace ingest").version(env!("CARGO_PKG_VERSION")).build())
        .components(Some(
            ComponentsBuilder::new()
                .security_scheme("ingest_key", SecurityScheme::Http(bearer))
                .security_scheme("ingest_key_header", SecurityScheme::ApiKey(header))
                .build(),
        ))
        .build();
    actix_web::App::new().into_utoipa_app().openapi(base).configure(configure).split_for_parts().1
}
