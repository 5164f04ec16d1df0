//! What goes wrong in auth, as problems.

use std::time::Duration;

use actix_web::http::header::InvalidHeaderValue;
use millrace_cache::attempts::{self, Law};
use millrace_domain::email::Email;
use millrace_http::problem::{Code, Problem};
use millrace_http::quota::Quota;
use millrace_security::browser_session::CookieError;
use millrace_security::password::HashError;
use millrace_security::password_choice::ChoiceFault;
use millrace_security::token::TokenError;
use millrace_storage::error::StorageError;
use rand::rand_core::OsError;

use crate::mail::outbox;

const LOGINS: Quota = Quota { policy: "login", limit: Law::LOGIN.limit, window: Law::LOGIN.window };

/// A request that cannot be granted.
#[derive(Debug, thiserror::Error)]
pub enum AuthError {
    /// The token is not to be believed.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// The token was good, its session has ended, or its account is gone.
    #[error("the session has ended: sign in again")]
    SessionEnded,
    /// The refresh token is unknown, expired, replaced, or of a session that has ended: it is not told which.
    #[error("the refresh token is not valid: sign in again")]
    RefreshToken,
    /// The password is not the account's, or there is no account: it is not told which.
    #[error("the e-mail address or the password is wrong")]
    WrongPassword,
    /// Too many have failed for the account, or from the address.
    #[error("too many failed attempts to sign in: wait before you try again")]
    Locked(attempts::Locked),
    /// It cannot be a password.
    #[error("the password {0}")]
    BadPassword(#[from] ChoiceFault),
    /// The address has an account.
    #[error("{0} has an account already: sign in")]
    AddressTaken(Email),
    /// The password is right, and the address is not proved, which this installation asks for.
    #[error("the e-mail address is not verified yet: follow the link in the mail that was sent to it")]
    NotVerified,
    /// People cannot make accounts for themselves here.
    #[error("registration is closed: ask whoever runs this installation for an account")]
    RegistrationClosed,
    /// Too many registrations came from the address; how long to wait.
    #[error("too many accounts were asked for from this network: wait before you try again")]
    TooManyRegistrations(Quota, Duration),
    /// Too many mails were asked for from the address; how long to wait.
    #[error("too many mails were asked for from this network: wait before you try again")]
    TooManyMails(Duration),
    /// There is no mail server.
    #[error("this installation sends no mail: ask whoever runs it")]
    NoMail,
    /// The token from a mail is unknown, expired, used, replaced by a newer one or for something else: it is not told
    /// which.
    #[error("the token is not valid, or not any more: ask for another mail")]
    MailToken,
    /// Too many passwords are being tried.
    #[error("too many people are signing in at this moment, try again")]
    Busy,
    /// The operating system has no randomness to give.
    #[error("no secret can be made: {0}")]
    NoRandomness(#[from] OsError),
    /// No session cookie could be made.
    #[error(transparent)]
    Cookie(#[from] CookieError),
    /// A password could not be hashed.
    #[error(transparent)]
    Hash(#[from] HashError),
    /// A cookie does not fit into a header.
    #[error("a cookie cannot be sent: {0}")]
    Header(#[from] InvalidHeaderValue),
    /// The database did not do it.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl From<AuthError> for Problem {
    fn from(error: AuthError) -> Self {
        let code = match &error {
            AuthError::Token(TokenError::Invalid(cause)) => {
                tracing::info!(%cause, "an access token was refused");
                return Self::new(Code::Unauthenticated, "the access token is not valid");
            }
            AuthError::BadPassword(fault) => return bad_password("password", fault),
            AuthError::AddressTaken(_) => Code::Conflict,
            AuthError::Locked(locked) => return Self::too_many(LOGINS, error.to_string(), locked.wait),
            AuthError::NotVerified => Code::EmailNotVerified,
            AuthError::RegistrationClosed => Code::RegistrationClosed,
            AuthError::TooManyRegistrations(quota, wait) => {
                return Self::too_many(*quota, error.to_string(), *wait);
            }
            AuthError::TooManyMails(wait) => return Self::too_many(outbox::QUOTA, error.to_string(), *wait),
            // Not 503: trying again does not help.
            AuthError::NoMail => Code::Conflict,
            AuthError::MailToken => return Self::field("token", "invalid", error.to_string()),
            AuthError::Busy => {
                return Self::new(Code::Unavailable, error.to_string()).retry_after(Duration::from_secs(2));
            }
            AuthError::Storage(StorageError::Unavailable(cause)) => {
                return Self::unavailable("the database", cause);
            }
            AuthError::Storage(_)
            | AuthError::Header(_)
            | AuthError::NoRandomness(_)
            | AuthError::Hash(_)
            | AuthError::Cookie(_)
            | AuthError::Token(TokenError::Unsigned(_)) => {
                return Self::internal(&error);
            }
            AuthError::Token(_)
            | AuthError::SessionEnded
            | AuthError::RefreshToken
            | AuthError::WrongPassword => Code::Unauthenticated,
        };
        Self::new(code, error.to_string())
    }
}

/// A password in this field that cannot be one.
#[must_use]
pub fn bad_password(field: &str, fault: &ChoiceFault) -> Problem {
    let code = if matches!(fault, ChoiceFault::Weak(_)) { "weak" } else { "invalid" };
    Problem::field(field, code, format!("{field} {fault}"))
}
