//! Analytics as its clients meet it, on a real database, with the real auth beside it.

mod access;
mod asked;
mod caching;
mod chronicle;
mod definition;
mod faults;
mod files;
mod generated;
mod openapi;
mod parameters;
mod periods;
mod snapshots;
mod stage;
