//! What a client may still do, in the fields `RateLimit-Policy` and `RateLimit` of
//! [draft-ietf-httpapi-ratelimit-headers-11](https://datatracker.ietf.org/doc/html/draft-ietf-httpapi-ratelimit-headers-11).

use std::time::Duration;

use actix_web::http::header::{HeaderName, HeaderValue};
use millrace_domain::rate::Rate;

const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
/// What is left of a quota.
pub const LIMIT: HeaderName = HeaderName::from_static("ratelimit");

/// A header field.
pub type Field = (HeaderName, HeaderValue);

/// A policy, as `RateLimit-Policy` has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    /// The policy's name.
    pub policy: &'static str,
    /// This many within `window`.
    pub limit: u32,
    /// See `limit`.
    pub window: Duration,
}

impl Quota {
    /// The policy of a rate: a burst, within the time in which the rate brings another.
    #[must_use]
    pub fn of(policy: &'static str, rate: Rate) -> Self {
        Self { policy, limit: rate.burst(), window: rate.window() }
    }

    /// Both fields: the policy, and that no more than `remaining` can be had within `more`.
    #[must_use]
    pub fn fields(&self, remaining: u32, more: Duration) -> [Field; 2] {
        let Self { policy, limit, window } = self;
        // A policy's name is ours, and fits.
        let value = |text: String| {
            HeaderValue::from_str(&text).unwrap_or_else(|_not_ascii| HeaderValue::from_static(""))
        };
        [
            (POLICY, value(format!("\"{policy}\";q={limit};w={}", seconds(*window)))),
            (LIMIT, value(format!("\"{policy}\";r={remaining};t={}", seconds(more)))),
        ]
    }
}

/// Whole seconds, rounded up: whoever comes back a moment too early is refused again.
pub(crate) fn seconds(length: Duration) -> u64 {
    (length.as_secs() + u64::from(length.subsec_nanos() > 0)).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fields_are_as_the_draft_has_them() {
        let quota = Quota::of("api", "60/s burst 120".parse().unwrap());
        let [(_, policy), (_, limit)] = quota.fields(119, Duration::from_millis(17));
        assert_eq!(policy, r#""api";q=120;w=2"#);
        assert_eq!(limit, r#""api";r=119;t=1"#);
    }
}
