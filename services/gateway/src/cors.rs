//! Which pages of other origins may read answers. Preflights are answered here.

use actix_cors::Cors;
use millrace_domain::origins::AllowedOrigins;

/// How long a browser may remember a preflight; none remembers longer than two hours.
const REMEMBERED_SECONDS: usize = 7200;
/// What a page may read besides the body.
const EXPOSED: [&str; 6] =
    ["x-request-id", "retry-after", "ratelimit", "ratelimit-policy", "etag", "x-cache"];

/// The policy of ingest for these origins. It looks at no cookie: SDKs send what the browser has of them, and when all may
/// ask, theirs may as well.
pub(crate) fn policy_of_ingest(origins: &AllowedOrigins) -> Cors {
    match origins {
        AllowedOrigins::Any => told().allow_any_origin().supports_credentials(),
        AllowedOrigins::These(_) => policy(origins),
    }
}

/// The policy for these origins. Pages of origins that are named may send the browser's cookies; when all may ask, none
/// may.
pub(crate) fn policy(origins: &AllowedOrigins) -> Cors {
    match origins {
        AllowedOrigins::Any => told().allow_any_origin().send_wildcard(),
        AllowedOrigins::These(origins) => {
            origins.iter().fold(told(), |policy, origin| policy.allowed_origin(origin)).supports_credentials()
        }
    }
}

/// What every page may do and read that may ask at all.
fn told() -> Cors {
    Cors::default().allow_any_method().allow_any_header().expose_headers(EXPOSED).max_age(REMEMBERED_SECONDS)
}
