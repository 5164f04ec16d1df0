//! Exact answers to questions about events.
//!
//! `POST /api/v1/query`, `GET /api/v1/stats/…` → who is it ([`authenticator`]) → may so much be asked ([`api_limit`]) → read the question ([`routes`]) → give the answer
//! that is kept from a moment ago ([`kept`]), or part the time it covers into what the roll-ups hold and what only the
//! events know ([`plan`]) → read both in one snapshot of the database ([`reader`]) → answer with the set algebra of
//! [`millrace_domain::analytics`] ([`questions`]) → send it with a tag that tells whether it changed ([`answer`]).
//!
//! This service never writes events.

pub mod alerts;
pub mod answer;
pub mod api_limit;
pub mod app;
pub mod audit;
pub mod authenticator;
pub mod config;
pub mod errors;
pub mod insight_answers;
mod keepsake;
pub mod kept;
pub mod kept_sets;
pub mod markdown;
pub mod member;
pub mod news;
pub mod plan;
pub mod postings;
pub mod questions;
pub mod reader;
pub mod routes;
pub mod services;
pub mod shares;
pub mod slices;
pub mod sql;
pub mod state;
pub mod turns;
pub mod working_memory;
