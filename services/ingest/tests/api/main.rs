//! Ingest as its clients meet it, between a real auth, NATS, Redis and, where a story goes that far, a worker.

mod access;
mod faults;
mod forms;
mod limits;
mod openapi;
mod stage;
mod verdicts;
