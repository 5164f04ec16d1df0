//! Every route of ingest on one screen. Health and metrics are mounted by the runtime.

use millrace_http::methods::Methods;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{ComponentsBuilder, InfoBuilder, OpenApi, OpenApiBuilder};
use utoipa_actix_web::AppExt;
use utoipa_actix_web::service_config::ServiceConfig;

mod events;
mod sdk;

/// Mounts the routes, and what is known of their methods.
pub fn configure(service: &mut ServiceConfig<'_>) {
    mount(service);
    service.map(|plain| plain.app_data(Methods::of(&openapi())));
}

fn mount(service: &mut ServiceConfig<'_>) {
    service.service(events::send);
    service.map(|plain| plain.configure(sdk::configure));
}

/// What the routes say of themselves.
#[must_use]
pub fn openapi() -> OpenApi {
    let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format("API key").build();
    let header = ApiKey::Header(ApiKeyValue::new("X-Api-Key"));
    let basic = HttpBuilder::new()
        .scheme(HttpAuthScheme::Basic)
        .description(Some("The key for a user's name, as SDKs send a write key"))
        .build();
    let query = ApiKeyValue::with_description(
        "api_key",
        "Also `writeKey`, `token`, or where an SDK has it in the body",
    );
    let base = OpenApiBuilder::new()
        .info(InfoBuilder::new().title("Millrace ingest").version(env!("CARGO_PKG_VERSION")).build())
        .components(Some(
            ComponentsBuilder::new()
                .security_scheme("ingest_key", SecurityScheme::Http(bearer))
                .security_scheme("ingest_key_header", SecurityScheme::ApiKey(header))
                .security_scheme("write_key", SecurityScheme::Http(basic))
                .security_scheme("body_key", SecurityScheme::ApiKey(ApiKey::Query(query)))
                .build(),
        ))
        .build();
    let mut document =
        actix_web::App::new().into_utoipa_app().openapi(base).configure(mount).split_for_parts().1;
    document.merge(sdk::document());
    document
}
