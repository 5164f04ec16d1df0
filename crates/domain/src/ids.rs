//! Identifiers. Each is its own type, so that a key's id cannot be passed where a project's belongs.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl $name {
            /// A new id that sorts by the time it was made (UUIDv7).
            #[must_use]
            pub fn new() -> Self {
                Self(Uuid::now_v7())
            }
        }

        impl Default for $name {
            fn default() -> Self {
                Self::new()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.parse().map(Self)
            }
        }
    };
}

uuid_id!(
    /// A project: the tenant that events, keys and questions belong to.
    ProjectId
);
uuid_id!(
    /// An event, unique within its project.
    EventId
);
uuid_id!(
    /// An API key. Public: the secret is something else.
    KeyId
);
uuid_id!(
    /// A person with an account.
    AccountId
);
uuid_id!(
    /// What an OpenID provider vouches for: one of the ways to sign in to an account.
    IdentityId
);
uuid_id!(
    /// A sign-in and all that follows from it: what access tokens belong to.
    SessionId
);

uuid_id!(
    /// A security event: told twice, it is one entry of the audit log.
    SecurityEventId
);

uuid_id!(
    /// A question that people keep, or a note.
    InsightId
);
uuid_id!(
    /// A saved set of users.
    CohortId
);
uuid_id!(
    /// Insights on one page.
    DashboardId
);
uuid_id!(
    /// A link through which anybody reads a dashboard. Public: the token in it is something else.
    ShareId
);
uuid_id!(
    /// What looks out for an insight's number.
    AlertId
);
uuid_id!(
    /// A change of an alert's state, from which everybody who is to hear of it does.
    AlertEventId
);
uuid_id!(
    /// Work that takes longer than a request.
    JobId
);

/// A distinct user's dense number within a project: small, so that a set of users is a bitmap.
pub type UserNo = u32;
