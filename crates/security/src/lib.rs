//! Passwords, tokens, API keys, envelopes. Pure functions over keys and bytes.

pub mod api_key;
pub mod envelope;
mod hex;
pub mod password;
pub mod signing_key;
pub mod token;
