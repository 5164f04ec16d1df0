//! Passwords, tokens, API keys, envelopes. Pure functions over keys and bytes.

pub mod api_key;
pub mod browser_session;
pub mod csrf;
pub mod envelope;
mod hex;
pub mod id_token;
mod jwe;
pub mod mail_token;
pub mod password;
pub mod password_choice;
pub mod refresh_token;
pub mod secret_text;
pub mod share_token;
pub mod signing_key;
pub mod ticket;
pub mod token;
pub mod webhook_signature;
