//! Auth as people and services meet it, between a real PostgreSQL and a real NATS.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on should end")]

mod accounts;
mod alert_mails;
mod answers;
mod attempts;
mod audit;
mod browser_sessions;
mod dead_letters;
mod email_change;
mod event_schemas;
mod faults;
mod identities;
mod keys;
mod login;
mod mail_delivery;
mod mail_server;
mod members;
mod openapi;
mod openid;
mod pages;
mod password_reset;
mod permissions;
mod project_settings;
mod projects;
mod registration;
mod session;
mod sessions;
mod signing_keys;
mod stage;
mod startup;
mod verification;
