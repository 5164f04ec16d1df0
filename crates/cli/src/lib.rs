//! The `millrace` command: what an operator or an analyst runs beside the services.
//!
//! Everything here but [`admin`] is an ordinary client of the public API, so it needs nothing but an address
//! and a key, and whatever it does anybody can do with the same two:
//!
//! - [`import`] sends files of events;
//! - [`demo`] sends the events of a simulated shop;
//! - [`load`] sends events as fast as the far end takes them, and measures.
//!
//! All three speak through [`client`]; the shapes on the wire are in [`api`].

pub mod admin;
pub mod api;
pub mod client;
pub mod demo;
pub mod import;
pub mod load;
mod pace;
mod signal;
mod summary;
