//! What is the same in the description of every route.

use std::collections::BTreeMap;

use millrace_http::problem::{FieldError, ProblemBody};
use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{
    ContentBuilder, HeaderBuilder, KnownFormat, ObjectBuilder, Ref, RefOr, Response, ResponseBuilder, SchemaFormat, Type,
};
use utoipa::{IntoParams, IntoResponses, Modify, OpenApi};

/// The document without its routes.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Millrace analytics",
        description = "Exact answers to questions about events. Days are the local days of the project's zone, or of the \
                       zone asked for; weeks start on Monday. A parameter that does not exist is refused."
    ),
    tags((name = "statistics", description = "Who was active, what happened, who came back")),
    components(schemas(ProblemBody, FieldError)),
    modifiers(&Credentials),
    security(("bearer" = []), ("x_api_key" = [])),
)]
pub(super) struct Document;

struct Credentials;

impl Modify for Credentials {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let bearer = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .description(Some("An API key with the scope `read`, or an access token of a member of the project"));
        let header = ApiKeyValue::with_description("X-Api-Key", "An API key with the scope `read`");
        let components = document.components.get_or_insert_default();
        components.add_security_scheme("bearer", SecurityScheme::Http(bearer.build()));
        components.add_security_scheme("x_api_key", SecurityScheme::ApiKey(ApiKey::Header(header)));
    }
}

/// `X-Project-Id`, which [`millrace_http::authorized`] reads.
pub(super) struct ProjectHeader;

impl IntoParams for ProjectHeader {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let uuid = ObjectBuilder::new().schema_type(Type::String).format(Some(SchemaFormat::KnownFormat(KnownFormat::Uuid)));
        let parameter = ParameterBuilder::new()
            .name("X-Project-Id")
            .parameter_in(ParameterIn::Header)
            .description(Some("The project asked about; needed only with an access token that reaches several"))
            .schema(Some(uuid));
        vec![parameter.build()]
    }
}

/// Every answer that is not the answer.
pub(super) struct Refusals;

impl IntoResponses for Refusals {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        let problem = |status: &str, description: &str| {
            let content = ContentBuilder::new().schema(Some(Ref::from_schema_name("ProblemBody"))).build();
            let response = ResponseBuilder::new().description(description).content("application/problem+json", content);
            (status.to_owned(), response)
        };
        let known = ResponseBuilder::new().description("The answer is the one that `If-None-Match` names");
        let wait = HeaderBuilder::new()
            .schema(Some(ObjectBuilder::new().schema_type(Type::Integer)))
            .description(Some("Seconds after which to try again"))
            .build();
        let (status, away) = problem("503", "A dependency is away or the question takes too long; try again after `Retry-After`");
        [
            ("304".to_owned(), known),
            problem("401", "No credentials, or not live ones"),
            problem("403", "The key lacks the scope `read`, or belongs to another project than `X-Project-Id`"),
            problem("404", "The project does not exist, or is not the caller's"),
            problem("422", "A parameter cannot be used; `errors` says which and why"),
            problem("500", "A fault of the server; `request_id` leads to it in the log"),
            (status, away.header("Retry-After", wait)),
        ]
        .into_iter()
        .map(|(status, response)| (status, RefOr::T(response.build())))
        .collect()
    }
}
