//! What can be done that matters to security. The names are part of the API: people filter and alert by them.

use std::fmt;
use std::str::FromStr;

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// It was done.
    Success,
    /// It was tried, and what was shown to prove the right to it was wrong.
    Failure,
    /// It was refused, whatever was shown.
    Denied,
}

impl Outcome {
    /// The name used in JSON, in the database and in metric labels.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Failure => "failure",
            Self::Denied => "denied",
        }
    }
}

/// An outcome that does not exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be `success`, `failure` or `denied`")]
pub struct UnknownOutcome;

impl FromStr for Outcome {
    type Err = UnknownOutcome;

    fn from_str(text: &str) -> Result<Self, UnknownOutcome> {
        let all = [Self::Success, Self::Failure, Self::Denied];
        all.into_iter().find(|outcome| outcome.as_str() == text).ok_or(UnknownOutcome)
    }
}

macro_rules! actions {
    ($($(#[$doc:meta])* $variant:ident, $name:literal, $outcome:ident;)*) => {
        /// Something that is recorded.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Action {
            $($(#[$doc])* $variant,)*
        }

        impl Action {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The stable name: `<area>.<what happened>`.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// How it ended: what fails is another action than what succeeds.
            #[must_use]
            pub fn outcome(self) -> Outcome {
                match self { $(Self::$variant => Outcome::$outcome,)* }
            }
        }
    };
}

actions! {
    /// Somebody made an account for themselves, and was signed in.
    AccountRegistered, "account.registered", Success;
    /// An operator made an account.
    AccountCreated, "account.created", Success;
    /// Somebody signed in.
    LoginSucceeded, "login.succeeded", Success;
    /// A wrong password, or no such account.
    LoginFailed, "login.failed", Failure;
    /// Too many had failed, so that no password was looked at. Recorded once for each lock.
    LoginLocked, "login.locked", Denied;
    /// A refresh token that had been replaced was shown again, and its session ended.
    RefreshTokenReused, "refresh_token.reused", Denied;
    /// Somebody signed out.
    SessionSignedOut, "session.signed_out", Success;
    /// Somebody ended another session of theirs.
    SessionEnded, "session.ended", Success;
    /// An operator ended all sessions of an account.
    SessionAllEnded, "session.all_ended", Success;
    /// An account has another password; its other sessions ended.
    PasswordChanged, "password.changed", Success;
    /// Somebody who is signed in gave a wrong password as the present one.
    PasswordChangeFailed, "password.change_failed", Failure;
    /// An account has another password, by the token of a mail or by an operator; all its sessions ended.
    PasswordReset, "password.reset", Success;
    /// As `login.locked`, for a change of password.
    PasswordChangeLocked, "password.change_locked", Denied;
    /// An identity of a provider signs in to the account of its address from now on.
    IdentityLinked, "identity.linked", Success;
    /// The same, for an account whose address nobody had proved: its password is gone, and its sessions ended.
    IdentityClaimed, "identity.claimed", Success;
    /// An identity signs in no more.
    IdentityUnlinked, "identity.unlinked", Success;
    /// Whoever holds the account has proved that they read mail at its address.
    EmailVerified, "email.verified", Success;
    /// An account has another address, and proved it.
    EmailChanged, "email.changed", Success;
    /// An account was given a role in a project.
    MemberAdded, "member.added", Success;
    /// A member has another role.
    MemberChanged, "member.changed", Success;
    /// A member was removed, or left.
    MemberRemoved, "member.removed", Success;
    /// There is a new project.
    ProjectCreated, "project.created", Success;
    /// What a project may send, and be asked, or whose pages may send for it, is another.
    ProjectSettingsChanged, "project.settings_changed", Success;
    /// A project has another name, another zone or another retention.
    ProjectChanged, "project.changed", Success;
    /// Somebody wants events as files.
    ExportStarted, "job.export_started", Success;
    /// Somebody wants a user of the project deleted. Whom is not said: the log is for ever.
    UserDeletionStarted, "job.user_deletion_started", Success;
    /// Somebody wants dead letters back in the log, by a job.
    ReplayStarted, "job.replay_started", Success;
    /// There is a new API key.
    ApiKeyCreated, "api_key.created", Success;
    /// An API key was replaced by another.
    ApiKeyRotated, "api_key.rotated", Success;
    /// An API key was taken away.
    ApiKeyRevoked, "api_key.revoked", Success;
    /// Another key signs access tokens.
    SigningKeyRotated, "signing_key.rotated", Success;
    /// The lock of an account was ended.
    AttemptsUnlocked, "attempts.unlocked", Success;
    /// There is a new link through which anybody reads a dashboard.
    ShareCreated, "share.created", Success;
    /// A link opens nothing any more.
    ShareRevoked, "share.revoked", Success;
    /// An event type has a schema that its events must keep, or another one.
    EventSchemaChanged, "event_schema.changed", Success;
    /// An event type has no schema any more.
    EventSchemaEnded, "event_schema.ended", Success;
    /// Dead letters were put back into the log.
    DeadLettersReplayed, "dead_letters.replayed", Success;
    /// Dead letters were deleted.
    DeadLettersDropped, "dead_letters.dropped", Success;
    /// A member asked for what their role does not allow.
    AccessDenied, "access.denied", Denied;
}

impl Action {
    /// The part of the name before the dot.
    #[must_use]
    pub fn area(self) -> &'static str {
        self.as_str().split_once('.').map_or(self.as_str(), |(area, _)| area)
    }

    /// The actions that a filter means: one by its name, or those of an area by `<area>.`. Never none.
    ///
    /// # Errors
    /// When it means none.
    pub fn matching(filter: &str) -> Result<Vec<Self>, UnknownAction> {
        let meant = |action: &Self| match filter.strip_suffix('.') {
            Some(area) => action.area() == area,
            None => action.as_str() == filter,
        };
        let found: Vec<Self> = Self::ALL.iter().copied().filter(meant).collect();
        if found.is_empty() { Err(UnknownAction(filter.to_owned())) } else { Ok(found) }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// An action that this version does not know.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is neither an action such as `login.failed` nor an area such as `login.`")]
pub struct UnknownAction(pub String);

impl FromStr for Action {
    type Err = UnknownAction;

    fn from_str(text: &str) -> Result<Self, UnknownAction> {
        let known = Self::ALL.iter().copied().find(|action| action.as_str() == text);
        known.ok_or_else(|| UnknownAction(text.to_owned()))
    }
}

impl Serialize for Action {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Action {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_name_is_an_area_and_a_word_and_means_one_action() {
        let names: BTreeSet<&str> = Action::ALL.iter().map(|action| action.as_str()).collect();
        assert_eq!(names.len(), Action::ALL.len());
        for action in Action::ALL {
            let (area, word) = action.as_str().split_once('.').unwrap();
            let plain =
                |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
            assert!(plain(area) && plain(word), "{action}");
            assert_eq!(action.as_str().parse(), Ok(*action));
            assert_eq!(Action::matching(action.as_str()), Ok(vec![*action]));
        }
    }

    #[test]
    fn an_area_means_all_of_its_actions_and_part_of_a_name_means_none() {
        use Action::{LoginFailed, LoginLocked, LoginSucceeded};
        assert_eq!(Action::matching("login."), Ok(vec![LoginSucceeded, LoginFailed, LoginLocked]));
        for none in ["", ".", "login", "log.", "login.fail", "login..", "LOGIN."] {
            assert!(Action::matching(none).is_err(), "{none:?}");
        }
    }
}
