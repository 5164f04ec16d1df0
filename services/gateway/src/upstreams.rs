//! Which service answers which path.

use actix_web::dev::HttpServiceFactory;
use actix_web::{Resource, web};

pub mod circuit;
pub mod liveness;
pub mod origin;

use origin::Origin;

/// A service behind the gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Upstream {
    /// Accounts, sessions, projects and keys.
    Auth,
    /// Events in.
    Ingest,
    /// Events from the log into the store.
    Worker,
    /// Questions about events.
    Analytics,
}

use Upstream::{Analytics, Auth, Ingest};

/// The whole table. A prefix stands for itself and for everything below it, on whole path segments; the first one that
/// fits decides, so what lies below another one stands before it.
pub const ROUTES: &[(&str, Upstream)] = &[
    ("/api/v1/events", Ingest),
    ("/api/v1/stats", Analytics),
    ("/api/v1/event-types", Analytics),
    ("/api/v1/schema/{event_type}", Auth),
    ("/api/v1/schema", Analytics),
    ("/api/v1/cohorts", Analytics),
    ("/api/v1/insights", Analytics),
    ("/api/v1/dashboards", Analytics),
    ("/api/v1/dashboard-templates", Analytics),
    ("/api/v1/alerts", Analytics),
    ("/api/v1/shared", Analytics),
    ("/api/v1/query", Analytics),
    ("/api/v1/sql", Analytics),
    ("/api/v1/users", Analytics),
    ("/api/v1/properties", Analytics),
    ("/api/v1/auth", Auth),
    ("/api/v1/projects", Auth),
    ("/api/v1/audit", Auth),
    ("/api/v1/dead-letters", Auth),
    ("/api/v1/jobs", Auth),
    ("/auth", Auth),
    ("/.well-known/jwks.json", Auth),
    // What the SDKs of other products call: CloudEvents, Segment and RudderStack, PostHog, Amplitude, Mixpanel.
    ("/api/v1/cloudevents", Ingest),
    ("/v1", Ingest),
    ("/batch", Ingest),
    ("/capture", Ingest),
    ("/e", Ingest),
    ("/i", Ingest),
    ("/flags", Ingest),
    ("/array", Ingest),
    ("/decide", Ingest),
    ("/sourceConfig", Ingest),
    ("/beacon", Ingest),
    ("/2/httpapi", Ingest),
    ("/track", Ingest),
    ("/import", Ingest),
    ("/engage", Ingest),
    ("/groups", Ingest),
];

/// Where a GET has an effect, against what the method promises: Mixpanel's SDKs send events with it, and who comes back
/// from an issuer shows a code that can be used once. What is asked here is not asked a second time.
const ACTS_ON_GET: &[&str] = &[
    "/track",
    "/import",
    "/engage",
    "/groups",
    "/auth/google/callback",
    "/api/v1/auth/google/callback",
    "/api/v1/auth/oidc/callback",
];

/// Whether a path is one of those; with or without a slash at the end, as the services take it.
#[must_use]
pub fn acts_on_get(path: &str) -> bool {
    ACTS_ON_GET.contains(&path.strip_suffix('/').unwrap_or(path))
}

impl Upstream {
    /// All of them.
    pub const ALL: [Self; 4] = [Auth, Ingest, Self::Worker, Analytics];

    /// Its name in logs, metrics and health reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Auth => "auth",
            Ingest => "ingest",
            Self::Worker => "worker",
            Analytics => "analytics",
        }
    }
}

/// Something of each service.
#[derive(Clone, Debug)]
pub struct PerUpstream<T> {
    /// Of auth.
    pub auth: T,
    /// Of ingest.
    pub ingest: T,
    /// Of the worker.
    pub worker: T,
    /// Of analytics.
    pub analytics: T,
}

/// Where the services are: `MILLRACE_AUTH_URL`, `MILLRACE_INGEST_URL`, `MILLRACE_WORKER_URL`, `MILLRACE_ANALYTICS_URL`.
pub type Origins = PerUpstream<Origin>;

impl<T> PerUpstream<T> {
    /// The same of each.
    pub fn each(make: impl Fn(Upstream) -> T) -> Self {
        let [auth, ingest, worker, analytics] = Upstream::ALL.map(make);
        Self { auth, ingest, worker, analytics }
    }

    /// That of one of them.
    #[must_use]
    pub fn of(&self, upstream: Upstream) -> &T {
        match upstream {
            Auth => &self.auth,
            Ingest => &self.ingest,
            Upstream::Worker => &self.worker,
            Analytics => &self.analytics,
        }
    }
}

/// Mounts a scope per prefix. Metrics and logs call the endpoint by the bare prefix: what follows it holds ids.
pub fn mount<S: HttpServiceFactory + 'static>(
    service: &mut web::ServiceConfig,
    handled: impl Fn(Resource, Upstream) -> S,
) {
    for (prefix, upstream) in ROUTES {
        // A scope is found by comparing texts, and so is the prefix itself. Patterns are regular expressions to actix, and
        // each request would be held against one after the other: a tenth of what the gateway does. The pattern has a
        // first alternative only for the name of the endpoint, which is that of nothing.
        let bare = handled(web::resource(""), *upstream);
        let below = handled(web::resource(["", "/{below:.*}"]), *upstream);
        service.service(web::scope(prefix).service(bare).service(below));
    }
}

#[cfg(test)]
mod tests {
    use actix_web::test::{TestRequest, call_and_read_body, init_service};
    use actix_web::{App, HttpRequest};

    use super::*;

    /// What the endpoint label and the upstream of a path are, by the very matching that serves requests.
    async fn matched(paths: &[&str]) -> Vec<String> {
        let app = init_service(App::new().configure(|service| {
            mount(service, |resource, upstream| {
                resource.to(move |request: HttpRequest| async move {
                    format!("{} {}", upstream.name(), request.match_pattern().unwrap_or_default())
                })
            });
        }))
        .await;
        let mut answers = Vec::new();
        for path in paths {
            let body = call_and_read_body(&app, TestRequest::get().uri(path).to_request()).await;
            answers.push(String::from_utf8(body.to_vec()).unwrap());
        }
        answers
    }

    #[actix_web::test]
    async fn a_prefix_stands_for_itself_and_for_what_is_below_it() {
        let paths = [
            "/api/v1/stats",
            "/api/v1/stats/",
            "/api/v1/stats/a%2Fb/events?limit=1",
            "/api/v1/auth/google/callback",
            "/auth/google/callback",
            "/api/v1/schema?event_type=login",
            "/api/v1/schema/a%2Fb",
        ];
        let answers = matched(&paths).await;
        let stats = "analytics /api/v1/stats";
        let schemas = ["analytics /api/v1/schema", "auth /api/v1/schema/{event_type}"];
        assert_eq!(
            answers,
            [&[stats, stats, stats, "auth /api/v1/auth", "auth /auth"][..], &schemas].concat()
        );
    }

    #[actix_web::test]
    async fn only_whole_segments_count() {
        let paths = [
            "/api/v1/eventsx",
            "/api/v1/events-types",
            "/api/v1",
            "/authority",
            "/x/auth",
            "/",
            "/api/v1//stats",
        ];
        assert_eq!(matched(&paths).await, [""; 7]);
    }

    #[test]
    fn no_row_is_hidden_by_one_before_it() {
        for (place, (above, _)) in ROUTES.iter().enumerate() {
            let below = format!("{above}/");
            let hidden = ROUTES.iter().skip(place + 1).find(|(prefix, _)| prefix.starts_with(&below));
            assert_eq!(hidden, None, "{above}");
        }
    }

    #[test]
    fn what_acts_on_get_is_passed_on() {
        for path in ACTS_ON_GET {
            assert!(ROUTES.iter().any(|(prefix, _)| path.starts_with(prefix)), "{path}");
        }
        assert!(acts_on_get("/track/") && !acts_on_get("/tracks") && !acts_on_get("/"));
    }

    #[test]
    fn no_prefix_is_there_twice() {
        let mut prefixes: Vec<_> = ROUTES.iter().map(|(prefix, _)| prefix).collect();
        prefixes.sort_unstable();
        prefixes.dedup();
        assert_eq!(prefixes.len(), ROUTES.len());
    }
}
