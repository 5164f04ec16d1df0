//! The routes that other products' SDKs know. They answer 200 where `/api/v1/events` would answer 202, because some of
//! those SDKs take anything else for a failure.

use actix_web::Resource;
use actix_web::http::Method;
use actix_web::web::{self, ServiceConfig};
use millrace_http::serve::nothing_here;
use utoipa::OpenApi as _;
use utoipa::openapi::path::{Operation, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::Type;
use utoipa::openapi::{ObjectBuilder, OpenApi, Required};

mod amplitude;
mod cloudevents;
mod denials;
mod mixpanel;
mod posthog;
mod request;
mod segment;
mod settings;

/// What these routes say of themselves.
#[derive(utoipa::OpenApi)]
#[openapi(paths(
    segment::send,
    segment::beacon,
    settings::segment,
    settings::rudderstack,
    posthog::capture,
    posthog::capture_v1,
    settings::flags,
    settings::decide,
    settings::posthog,
    settings::posthog_script,
    cloudevents::send,
    cloudevents::handshake,
    amplitude::send,
    mixpanel::track,
    mixpanel::import,
    mixpanel::engage,
    mixpanel::groups,
))]
struct Document;

/// The paths that the same handler as `/batch/` answers, with the names of their operations.
const CAPTURE_TOO: [(&str, &str); 3] =
    [("/capture/", "posthog_capture"), ("/e/", "posthog_e"), ("/i/v0/e/", "posthog_i_v0_e")];

/// Where Mixpanel's SDKs send with GET as well.
const MIXPANEL: [&str; 4] = ["/track", "/import", "/engage", "/groups"];

/// The document, with every path that PostHog's legacy protocol has, and Mixpanel's other method.
pub(super) fn document() -> OpenApi {
    let mut document = Document::openapi();
    let short = document.paths.paths.get("/track").and_then(|track| track.post.clone());
    for path in MIXPANEL {
        let Some(item) = document.paths.paths.get_mut(path) else { continue };
        item.get = item.post.clone().zip(short.clone()).map(|(post, short)| in_the_query(post, short));
    }
    if let Some(batch) = document.paths.paths.get("/batch/").cloned() {
        for (path, operation) in CAPTURE_TOO {
            let mut item = batch.clone();
            if let Some(post) = &mut item.post {
                post.operation_id = Some(operation.to_owned());
            }
            document.paths.paths.insert(path.to_owned(), item);
        }
    }
    document
}

/// What is said of a POST, said of a GET that has the same in its query string and is answered like `/track`.
fn in_the_query(mut operation: Operation, short: Operation) -> Operation {
    operation.operation_id = operation.operation_id.map(|id| id + "_get");
    operation.description = Some(
        "As with POST, in the query string; answered with `1` or `0`, with `verbose=1` also why.".to_owned(),
    );
    operation.request_body = None;
    operation.responses = short.responses;
    let data = ParameterBuilder::new()
        .name("data")
        .parameter_in(ParameterIn::Query)
        .required(Required::True)
        .description(Some("JSON, plain or in Base64"))
        .schema(Some(ObjectBuilder::new().schema_type(Type::String)))
        .build();
    operation.parameters = Some(vec![data.into()]);
    operation
}

/// Mounts them, with and without a slash at the end: SDKs of one product differ in that.
pub(super) fn configure(service: &mut ServiceConfig) {
    let at = |path: &str| -> Resource {
        web::resource([path.to_owned(), format!("{path}/")]).default_service(web::to(nothing_here))
    };
    service.service(at("/v1/{kind}").route(web::post().to(segment::send)));
    service.service(at("/v1/projects/{write_key}/settings").route(web::get().to(settings::segment)));
    service.service(at("/sourceConfig").route(web::get().to(settings::rudderstack)));
    service.service(at("/beacon/v1/batch").route(web::post().to(segment::beacon)));
    for path in ["/batch", "/capture", "/e", "/i/v0/e"] {
        service.service(at(path).route(web::post().to(posthog::capture)));
    }
    service.service(at("/i/v1/analytics/events").route(web::post().to(posthog::capture_v1)));
    service.service(at("/flags").route(web::post().to(settings::flags)));
    service.service(at("/decide").route(web::post().to(settings::decide)));
    service.service(at("/array/{token}/config").route(web::get().to(settings::posthog)));
    service.service(at("/array/{token}/config.js").route(web::get().to(settings::posthog_script)));
    let cloudevents = at("/api/v1/cloudevents").route(web::post().to(cloudevents::send));
    service.service(cloudevents.route(web::method(Method::OPTIONS).to(cloudevents::handshake)));
    service.service(at("/2/httpapi").route(web::post().to(amplitude::send)));
    // Its SDKs send one event with GET.
    let track = at("/track").route(web::get().to(mixpanel::track));
    service.service(track.route(web::post().to(mixpanel::track)));
    let import = at("/import").route(web::get().to(mixpanel::import));
    service.service(import.route(web::post().to(mixpanel::import)));
    let engage = at("/engage").route(web::get().to(mixpanel::engage));
    service.service(engage.route(web::post().to(mixpanel::engage)));
    let groups = at("/groups").route(web::get().to(mixpanel::groups));
    service.service(groups.route(web::post().to(mixpanel::groups)));
}
