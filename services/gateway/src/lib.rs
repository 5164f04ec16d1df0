//! The only public door.
//!
//! A request comes in → it gets its id ([`millrace_http::request_id`]) → what could be read in two ways is refused
//! ([`screen`]) → its path says which service answers it ([`upstreams`]) → its caller may ask so often ([`limits`]) → a
//! browser's session cookie becomes an access token ([`browser_session`]) → a service that does not answer is not asked
//! ([`upstreams::circuit`]) → its headers are rewritten for the next hop, its body is passed on chunk by chunk under a
//! cap, and the answer comes back the same way ([`proxy`]), compressed ([`compression`]) and with what browsers must
//! know ([`security_headers`], [`cors`]). Neither side is ever sent more than it takes, and neither body is ever held
//! whole.
//!
//! People are told what happens while it happens, over WebSockets ([`sockets`]): events ([`live`]) and what becomes of
//! what they work with ([`notifications`]).
//!
//! What goes wrong on the way is told as a problem ([`errors`]), unless part of the answer is already out: then the
//! connection is cut, because half an answer must not look like a whole one.

pub mod api_document;
pub mod app;
pub mod browser_session;
pub mod compression;
pub mod config;
pub mod cors;
pub mod errors;
pub mod limits;
pub mod live;
pub mod notifications;
pub mod plain;
pub mod proxy;
pub mod routes;
pub mod screen;
pub mod security_headers;
pub mod server;
pub mod sockets;
pub mod state;
pub mod threshold;
pub mod tls;
pub mod upstreams;
