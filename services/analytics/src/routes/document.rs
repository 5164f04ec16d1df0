//! What is the same in the description of every route.

use millrace_http::problem::{FieldError, ProblemBody};
use utoipa::openapi::path::{Operation, Parameter, ParameterBuilder, ParameterIn, PathItem};
use utoipa::openapi::security::{
    ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme,
};
use utoipa::openapi::{
    ContentBuilder, Header, HeaderBuilder, KnownFormat, ObjectBuilder, Ref, RefOr, ResponseBuilder,
    SchemaFormat, Type,
};
use utoipa::{Modify, OpenApi};

use crate::questions::active_users::ActiveUsersAnswer;
use crate::questions::explained::Explanation;
use crate::questions::funnel::FunnelAnswer;
use crate::questions::lifecycle::LifecycleAnswer;
use crate::questions::paths::PathsAnswer;
use crate::questions::sessions::SessionsAnswer;
use crate::questions::stickiness::StickinessAnswer;

/// The document without its routes.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Millrace analytics",
        description = "Exact answers to questions about events. Days are the local days of the project's zone, or of the \
                       zone asked for; weeks start on Monday. A parameter that does not exist is refused."
    ),
    tags(
        (name = "statistics", description = "Who was active, what happened, who came back"),
        (name = "cohorts", description = "Saved sets of users, by what they did or by name"),
        (name = "insights", description = "Questions that people keep, and notes"),
        (name = "dashboards", description = "Insights on one page, for the team and by link for others"),
        (name = "sql", description = "Whatever else there is to ask of a project's own events"),
        (name = "alerts", description = "What looks out for the numbers of insights"),
        (name = "shared", description = "What links show to whoever has one"),
        (name = "queries", description = "Every question, in one language"),
        (name = "users", description = "Who they are and what they did"),
    ),
    components(schemas(
        ProblemBody, FieldError, ActiveUsersAnswer, FunnelAnswer, PathsAnswer, SessionsAnswer, LifecycleAnswer,
        StickinessAnswer, Explanation,
    )),
    modifiers(&Credentials),
    security(("bearer" = []), ("x_api_key" = [])),
)]
pub(super) struct Document;

/// The tags of what people keep.
const KEPT: [&str; 4] = ["cohorts", "insights", "dashboards", "alerts"];
/// The tag of what has answers of its own kind.
const SQL: &str = "sql";

struct Credentials;

impl Modify for Credentials {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some(
            "An API key with the scope `read`, or an access token of a member of the project",
        ));
        let header = ApiKeyValue::with_description("X-Api-Key", "An API key with the scope `read`");
        let components = document.components.get_or_insert_default();
        components.add_security_scheme("bearer", SecurityScheme::Http(bearer.build()));
        let link = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some("The token of a link"));
        components.add_security_scheme("share_link", SecurityScheme::Http(link.build()));
        components.add_security_scheme("x_api_key", SecurityScheme::ApiKey(ApiKey::Header(header)));
    }
}

/// Adds to every route what it shares with the others.
pub(super) fn complete(mut document: utoipa::openapi::OpenApi) -> utoipa::openapi::OpenApi {
    for operation in document.paths.paths.values_mut().flat_map(operations) {
        if has_tag(operation, &["shared"]) {
            operation.security = Some(vec![SecurityRequirement::new::<_, [&str; 0], &str>("share_link", [])]);
            continue;
        }
        operation.parameters.get_or_insert_default().push(RefOr::T(project_header()));
        // The others are about what people keep, and describe themselves.
        if has_tag(operation, &[SQL]) {
            continue;
        }
        if !has_tag(operation, &KEPT) {
            add_headers(operation);
            add_refusals(operation, &REFUSALS);
            if operation.request_body.is_some() {
                add_refusals(operation, &REFUSALS_OF_BODIES);
            }
        } else {
            operation.security = Some(vec![SecurityRequirement::new::<_, [&str; 0], &str>("bearer", [])]);
        }
    }
    document
}

fn operations(path: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    [&mut path.get, &mut path.post, &mut path.patch, &mut path.delete].into_iter().flatten()
}

fn has_tag(operation: &Operation, tags: &[&str]) -> bool {
    operation.tags.iter().flatten().any(|tag| tags.contains(&tag.as_str()))
}

fn project_header() -> Parameter {
    let uuid = ObjectBuilder::new()
        .schema_type(Type::String)
        .format(Some(SchemaFormat::KnownFormat(KnownFormat::Uuid)));
    ParameterBuilder::new()
        .name("X-Project-Id")
        .parameter_in(ParameterIn::Header)
        .description(Some("The project asked about; needed only with an access token that reaches several."))
        .schema(Some(uuid))
        .build()
}

fn add_headers(operation: &mut Operation) {
    for status in ["200", "304"] {
        let response = operation.responses.responses.entry(status.to_owned()).or_insert_with(|| {
            RefOr::T(
                ResponseBuilder::new()
                    .description("The answer is the one that `If-None-Match` names")
                    .build(),
            )
        });
        let RefOr::T(response) = response else { continue };
        response.headers.extend([
            (
                "ETag".to_owned(),
                header(Type::String, "Changes with the answer; send it back as `If-None-Match`"),
            ),
            (
                "X-Millrace-Source".to_owned(),
                header(Type::String, "`rollup`, or `raw` if the events themselves were needed"),
            ),
            (
                "X-Cache".to_owned(),
                header(Type::String, "`hit` if the answer was kept from before, or `miss`"),
            ),
        ]);
    }
}

/// Why any question may be refused.
const REFUSALS: [(&str, &str); 7] = [
    ("401", "No credentials, or not live ones"),
    ("403", "The key lacks the scope `read`, or belongs to another project than `X-Project-Id`"),
    ("404", "The project does not exist, or is not the caller's"),
    ("422", "A parameter cannot be used; `errors` says which and why"),
    ("429", "Too many questions about the project are being answered"),
    ("500", "A fault of the server; `request_id` leads to it in the log"),
    ("503", "A dependency is away, or the question takes too long"),
];
/// Why a question in a body may be, too.
const REFUSALS_OF_BODIES: [(&str, &str); 3] = [
    ("400", "The body is not JSON"),
    ("413", "The body has more than 64 KiB"),
    ("415", "A media type or encoding that is not spoken here"),
];

fn add_refusals(operation: &mut Operation, refusals: &[(&str, &str)]) {
    for (status, description) in refusals {
        let content = ContentBuilder::new().schema(Some(Ref::from_schema_name("ProblemBody"))).build();
        let mut response = ResponseBuilder::new()
            .description(*description)
            .content("application/problem+json", content)
            .build();
        if matches!(*status, "429" | "503") {
            let wait = header(Type::Integer, "Seconds after which to try again");
            response.headers.insert("Retry-After".to_owned(), wait);
        }
        operation.responses.responses.insert((*status).to_owned(), RefOr::T(response));
    }
}

fn header(kind: Type, description: &str) -> RefOr<Header> {
    let header = HeaderBuilder::new()
        .schema(Some(ObjectBuilder::new().schema_type(kind)))
        .description(Some(description));
    RefOr::T(header.build())
}
