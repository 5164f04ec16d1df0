//! Signing in with a provider.

mod accounts;
mod attacks;
pub(crate) mod browser;
mod hostile;
mod log;
pub(crate) mod provider;
pub(crate) mod sign_in;
