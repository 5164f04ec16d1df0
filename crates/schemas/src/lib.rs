//! Strict mode: a project may say what the properties of an event type look like, as a JSON Schema of the draft 2020-12.
//!
//! Whoever manages a project writes a schema, and every worker holds every event against it: a schema must not be able to
//! keep a worker busy, let alone end it. [`Schema`] is one that cannot: it is small, refers to nothing but its own
//! definitions, and to none of them in a circle. [`Rules`] is a schema made ready, [`Violation`] what breaks one.

mod bounds;
mod rules;
mod schema;

pub use rules::{Rules, Violation};
pub use schema::{Schema, SchemaFault};
