//! Who may do what: accounts, projects, API keys.
//!
//! People: `POST /api/v1/auth/login` → may they try ([`attempts`]) → is it the password ([`passwords`]) → a session
//! ([`sessions`]) with an access token ([`tokens`]), which every later request shows ([`caller`]), and a refresh token
//! that gets the next two; or, for a browser, a session with a cookie ([`browser_sessions`]), for which the gateway is
//! given access tokens. What they may do in a project stands in the handler's signature ([`project_access`]). Sessions
//! and roles are read from the database at every request, and remembered for seconds only where programs ask whether a
//! token is good: a token proves who, not what, and not for longer than its session.
//!
//! Mail proves who reads it at an address, and gets somebody in again who forgot a password ([`mail`]).
//! Or `GET /api/v1/auth/google`: a provider proves who they are, and [`openid`] whose account that is.
//!
//! Programs: other services hold an API key or a token in hand and ask over the broker what it opens ([`answers`]).
//! They remember the answer, so whatever takes a right away is announced ([`announcements`]), after the commit.
//!
//! What matters to security is recorded ([`audit`]) before it is answered, in a log that is only ever appended to.

pub mod announcements;
pub mod answers;
pub mod app;
pub mod attempts;
pub mod audit;
pub mod browser_sessions;
pub mod caller;
pub mod config;
pub mod errors;
pub mod jobs;
pub mod key_succession;
mod known_tokens;
pub mod mail;
pub mod openid;
pub mod passwords;
pub mod project_access;
pub mod registration;
pub mod routes;
pub mod sessions;
pub mod state;
pub mod tokens;
