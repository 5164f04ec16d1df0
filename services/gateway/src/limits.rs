//! How often a caller may ask. Counted here, in buckets that all gateways share ([`millrace_cache::limits`]), before a
//! service is asked.
//!
//! A caller is whoever shows an API key, a token or the cookie of a session, or else an address. Credentials are not
//! checked here, so anybody can make them up, one for each request: that is what an address may do in all, whoever it
//! says it is. A token counts as a whole, for as long as it lives: what it says of its session nobody has verified yet,
//! and others could say the same.

use std::sync::Arc;

use actix_web::body::{EitherBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::middleware::Next;
use actix_web::{Error, HttpRequest, ResponseError};
use millrace_cache::limits::{Allowance, Limits};
use millrace_domain::rate::Rate;
use millrace_http::client_address::TrustedProxies;
use millrace_http::credentials::Credentials;
use millrace_http::problem::Problem;
use millrace_http::quota::{self, Field, Quota};
use millrace_http::session_cookie::SessionCookies;
use sha2::{Digest, Sha256};

/// What a caller may ask, as metrics and headers call it.
const API: &str = "api";
/// What an address may ask, whatever it shows.
const ADDRESS: &str = "address";
/// Where auth counts attempts by itself, by account and by address.
const LOGIN: [&str; 2] = ["/api/v1/auth/login", "/auth/login"];

/// What requests are counted as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RouteClass {
    /// Questions and changes.
    Api,
    /// By auth, which counts attempts to sign in.
    Elsewhere,
}

impl RouteClass {
    /// What a request for a path is counted as.
    #[must_use]
    pub fn of(path: &str) -> Self {
        if LOGIN.contains(&path) { Self::Elsewhere } else { Self::Api }
    }
}

/// Counts requests.
#[derive(Clone, Debug)]
pub struct Limiter {
    /// Where they are counted.
    pub limits: Limits,
    /// What a caller may ask; `None`: anything.
    pub api: Option<Rate>,
    /// What an address may ask; `None`: anything.
    pub address: Option<Rate>,
    /// Whose word on where a request came from is taken.
    pub trusted_proxies: TrustedProxies,
}

impl Limiter {
    /// Takes a request from what its caller may ask, and answers the fields that tell what is left.
    async fn admit(&self, request: &HttpRequest) -> Result<Option<[Field; 2]>, Problem> {
        let (quotas, allowances): (Vec<_>, Vec<_>) = self.allowances(request).into_iter().unzip();
        if allowances.is_empty() {
            return Ok(None);
        }
        let outcome = self.limits.take(&allowances, 1).await;
        let told = outcome.refused.unwrap_or_default();
        let (Some(quota), Some(standing)) = (quotas.get(told), outcome.standings.get(told)) else {
            return Ok(None);
        };
        if outcome.refused.is_none() {
            return Ok(Some(quota.fields(standing.remaining, standing.more)));
        }
        Err(Problem::too_many(*quota, "too many requests: wait before you ask again", standing.wait))
    }

    fn allowances(&self, request: &HttpRequest) -> Vec<(Quota, Allowance)> {
        if self.api.is_none() && self.address.is_none() {
            return Vec::new();
        }
        let address = self.trusted_proxies.client(request);
        let mut allowances = Vec::with_capacity(2);
        let mut add = |policy, rate: Option<Rate>, allowance: &dyn Fn(Rate) -> Allowance| {
            allowances.extend(rate.map(|rate| (Quota::of(policy, rate), allowance(rate))));
        };
        match credential(request) {
            Some(credential) => {
                add(API, self.api, &|rate| Allowance::of_credential(API, &credential, rate));
                add(ADDRESS, self.address, &|rate| Allowance::of_address(ADDRESS, address, rate));
            }
            None => add(API, self.api, &|rate| Allowance::of_address(API, address, rate)),
        }
        allowances
    }
}

/// The SHA-256 of what a caller shows, if it could be good.
fn credential(request: &HttpRequest) -> Option<[u8; 32]> {
    let sha256 = |text: &str| Sha256::digest(text.as_bytes()).into();
    match Credentials::read(request.headers()) {
        Ok(Credentials::Key(key)) => Some(key.hash().0),
        Ok(Credentials::Token(token)) => Some(sha256(&token)),
        Err(_none_that_could_be_good) => {
            let cookie = |secure| SessionCookies { secure }.session(request.headers());
            cookie(true).or_else(|| cookie(false)).map(sha256)
        }
    }
}

/// Lets a request through, or answers 429.
///
/// # Errors
/// Those of the service inside.
pub async fn middleware<B: MessageBody>(
    limiter: Arc<Limiter>,
    class: RouteClass,
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B>>, Error> {
    let admitted = match class {
        RouteClass::Api => limiter.admit(request.request()).await,
        RouteClass::Elsewhere => Ok(None),
    };
    match admitted {
        Ok(quota) => {
            let mut answer = next.call(request).await?;
            // A service that refuses for a reason of its own tells which quota that was.
            if !answer.headers().contains_key(quota::LIMIT) {
                for (name, value) in quota.into_iter().flatten() {
                    answer.headers_mut().insert(name, value);
                }
            }
            Ok(answer.map_into_left_body())
        }
        Err(problem) => Ok(request.into_response(problem.error_response()).map_into_right_body()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_count_is_not_counted_twice() {
        for (path, class) in [
            ("/api/v1/auth/login", RouteClass::Elsewhere),
            ("/auth/login", RouteClass::Elsewhere),
            ("/api/v1/auth/login/", RouteClass::Api),
            ("/api/v1/auth/refresh", RouteClass::Api),
            ("/api/v1/stats/dau", RouteClass::Api),
        ] {
            assert_eq!(RouteClass::of(path), class, "{path}");
        }
    }
}
