//! The only public door.
//!
//! A request comes in → it gets its id ([`millrace_http::request_id`]) → its path says which service answers it
//! ([`upstreams`]) → a browser's session cookie becomes an access token ([`browser_session`]) → its headers are rewritten for the next hop, its body is passed on chunk by chunk under a cap,
//! and the answer comes back the same way ([`proxy`]). Neither side is ever sent more than it takes, and neither
//! body is ever held whole.
//!
//! What goes wrong on the way is told as a problem ([`errors`]), unless part of the answer is already out: then the
//! connection is cut, because half an answer must not look like a whole one.

pub mod app;
pub mod browser_session;
pub mod config;
pub mod errors;
pub mod proxy;
pub mod routes;
pub mod state;
pub mod upstreams;
