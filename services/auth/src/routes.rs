//! Every route of auth on one screen. Health and metrics are mounted by the runtime.

use actix_web::web;
use millrace_http::methods::Methods;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{ComponentsBuilder, InfoBuilder, OpenApi, OpenApiBuilder};
use utoipa_actix_web::AppExt;
use utoipa_actix_web::service_config::ServiceConfig;

mod arrival;
mod audit;
mod csrf;
mod dead_letters;
mod denials;
mod email;
mod form_or_json;
mod grant;
mod identities;
mod jobs;
mod keys;
mod login;
mod members;
mod openid;
mod password;
mod password_reset;
mod project_settings;
mod projects;
mod refresh;
mod register;
mod schema;
mod session;
mod session_kind;
mod sessions;

/// Mounts the routes, and what is known of their methods.
pub fn configure(service: &mut ServiceConfig<'_>) {
    mount(service);
    service.map(|plain| plain.app_data(Methods::of(&openapi())));
}

fn mount(service: &mut ServiceConfig<'_>) {
    service
        .service(register::register)
        .service(password::change)
        .service(password_reset::forgot)
        .service(password_reset::reset)
        .service(email::verify)
        .service(email::resend)
        .service(email::change)
        .service(login::login)
        .service(openid::begin)
        .service(openid::callback)
        .service(openid::provider)
        .service(identities::list)
        .service(identities::unlink)
        .service(refresh::refresh)
        .service(sessions::logout)
        .service(sessions::list)
        .service(sessions::end)
        .service(csrf::csrf)
        .service(session::me)
        .service(session::verify)
        .service(session::jwks)
        .service(projects::list)
        .service(projects::create)
        .service(projects::show)
        .service(project_settings::show)
        .service(project_settings::change)
        .service(projects::change)
        .service(keys::list)
        .service(keys::create)
        .service(keys::rotate)
        .service(keys::revoke)
        .service(members::list)
        .service(members::add)
        .service(members::change)
        .service(members::remove)
        .service(dead_letters::list)
        .service(dead_letters::drop_all)
        .service(dead_letters::replay)
        .service(dead_letters::replay_one)
        .service(dead_letters::show)
        .service(dead_letters::drop_one)
        .service(jobs::list)
        .service(jobs::create)
        .service(jobs::upload::import)
        .service(jobs::show)
        .service(jobs::interruption::cancel)
        .service(jobs::interruption::resume)
        .service(jobs::download::download)
        .service(schema::show)
        .service(schema::set)
        .service(schema::end)
        .service(audit::list);
}

/// Mounts other names of some routes, for clients that know them. They are not part of the description.
pub fn aliases(service: &mut web::ServiceConfig) {
    service
        .route("/auth/signup", web::post().to(register::answer))
        .route("/auth/login", web::post().to(login::answer))
        .route("/auth/me", web::get().to(session::show_account))
        .route("/auth/verify", web::get().to(session::show_claims))
        .route("/auth/google", web::get().to(openid::start))
        .route("/auth/google/callback", web::get().to(openid::finish))
        .route("/api/v1/auth/oidc", web::get().to(openid::start))
        .route("/api/v1/auth/oidc/callback", web::get().to(openid::finish));
}

/// What the routes say of themselves.
#[must_use]
pub fn openapi() -> OpenApi {
    let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format("JWT").build();
    let cookie = ApiKeyValue::with_description(
        "millrace_session",
        "The cookie that `POST /api/v1/auth/login?session=cookie` sets; over TLS its name is `__Host-millrace_session`. \
         It does at the gateway wherever an access token does. What changes something must also carry the header \
         `X-CSRF-Token`",
    );
    let base = OpenApiBuilder::new()
        .info(InfoBuilder::new().title("Millrace auth").version(env!("CARGO_PKG_VERSION")).build())
        .components(Some(
            ComponentsBuilder::new()
                .security_scheme("access_token", SecurityScheme::Http(bearer))
                .security_scheme("browser_session", SecurityScheme::ApiKey(ApiKey::Cookie(cookie)))
                .build(),
        ))
        .build();
    actix_web::App::new().into_utoipa_app().openapi(base).configure(mount).split_for_parts().1
}
