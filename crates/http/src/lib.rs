//! How every service speaks HTTP: one shape of error, one way to read a body, to name a request, to say who may
//! call, and to serve.

pub mod authorized;
pub mod body;
pub mod client_address;
pub mod completion;
pub mod cores;
pub mod credentials;
pub mod denials;
pub mod early_answer;
pub mod json;
pub mod methods;
pub mod multiplex;
pub mod observe;
pub mod page;
pub mod problem;
pub mod public_side;
pub mod query;
pub mod quota;
pub mod request_id;
mod request_metrics;
pub mod revision;
pub mod serve;
pub mod session_cookie;
