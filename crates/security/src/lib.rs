//! Passwords, tokens, API keys. Pure functions over keys and bytes.

pub mod api_key;
