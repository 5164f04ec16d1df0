//! The whole product, as its users meet it: the command on one side, answers on the other, all five services and the
//! real servers between.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on panics"
)]

mod api_document;
mod dead_letters;
mod demo_and_load;
mod import;
mod jobs;
mod product;
