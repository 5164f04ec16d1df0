//! Configuration: the environment, read once, every mistake reported at once.
//!
//! ```
//! use millrace_runtime::config::{ConfigError, Env};
//! use std::time::Duration;
//!
//! struct Config { nats_url: String, timeout: Duration }
//!
//! fn from_env(mut env: Env) -> Result<Config, ConfigError> {
//!     let nats_url = env.required("NATS_URL");
//!     let timeout = env.duration("MILLRACE_PUBLISH_TIMEOUT", Duration::from_secs(3));
//!     env.law(timeout < Duration::from_secs(30), "MILLRACE_PUBLISH_TIMEOUT must be less than 30s");
//!     env.finish(|| Some(Config { nats_url: nats_url?, timeout }))
//! }
//!
//! let error = from_env(Env::of([("MILLRACE_PUBLISH_TIMEOUT", "soon")])).err().unwrap();
//! assert!(error.to_string().contains("NATS_URL"));
//! assert!(error.to_string().contains("MILLRACE_PUBLISH_TIMEOUT"));
//! ```

use std::collections::HashMap;
use std::fmt::Display;
use std::str::FromStr;
use std::time::Duration;

use bytesize::ByteSize;
use secrecy::SecretString;

/// The environment, and what was found wrong with it so far.
#[derive(Debug)]
pub struct Env {
    vars: HashMap<String, String>,
    problems: Vec<String>,
}

/// Everything that is wrong with the environment, one line each. Values are not repeated: they may be secrets.
#[derive(Debug, thiserror::Error)]
#[error("the configuration is not usable:\n{}", .0.iter().map(|p| format!("  - {p}")).collect::<Vec<_>>().join("\n"))]
pub struct ConfigError(Vec<String>);

impl Env {
    /// The environment of this process.
    #[must_use]
    pub fn from_process() -> Self {
        Self { vars: std::env::vars().collect(), problems: Vec::new() }
    }

    /// An environment of these variables alone.
    pub fn of<K: Into<String>, V: Into<String>>(vars: impl IntoIterator<Item = (K, V)>) -> Self {
        Self { vars: vars.into_iter().map(|(k, v)| (k.into(), v.into())).collect(), problems: Vec::new() }
    }

    /// A variable that must be there. `None` only after noting why.
    pub fn required<T: FromStr<Err: Display>>(&mut self, name: &str) -> Option<T> {
        if self.text(name).is_none() {
            self.problems.push(format!("{name} is not set"));
        }
        self.optional(name)
    }

    /// A secret that must be there.
    pub fn required_secret(&mut self, name: &str) -> Option<SecretString> {
        self.required::<String>(name).map(SecretString::from)
    }

    /// A variable that may be absent or empty.
    pub fn optional<T: FromStr<Err: Display>>(&mut self, name: &str) -> Option<T> {
        let parsed = self.text(name)?.parse();
        self.note(name, parsed)
    }

    /// A variable with a default.
    pub fn or<T: FromStr<Err: Display>>(&mut self, name: &str, default: T) -> T {
        self.optional(name).unwrap_or(default)
    }

    /// A length of time like `500ms`, `30s` or `5m`.
    pub fn duration(&mut self, name: &str, default: Duration) -> Duration {
        self.optional::<humantime::Duration>(name).map_or(default, Into::into)
    }

    /// An amount of memory or disk like `256MiB`, in bytes.
    pub fn bytes(&mut self, name: &str, default: ByteSize) -> u64 {
        self.or(name, default).as_u64()
    }

    /// A law between settings; `broken` says what it is when it does not hold.
    pub fn law(&mut self, holds: bool, broken: &str) {
        if !holds {
            self.problems.push(broken.to_owned());
        }
    }

    /// The configuration, if nothing was wrong.
    ///
    /// # Errors
    /// Every problem noted, together.
    pub fn finish<T>(self, build: impl FnOnce() -> Option<T>) -> Result<T, ConfigError> {
        match build() {
            Some(config) if self.problems.is_empty() => Ok(config),
            _ => Err(ConfigError(self.problems)),
        }
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.vars.get(name).map(String::as_str).filter(|text| !text.is_empty())
    }

    fn note<T, E: Display>(&mut self, name: &str, parsed: Result<T, E>) -> Option<T> {
        parsed.map_err(|e| self.problems.push(format!("{name}: {e}"))).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mistake_is_reported_at_once() {
        let mut env = Env::of([("A", "x"), ("B", "7 parsecs"), ("EMPTY", "")]);
        let a: Option<u16> = env.required("A");
        env.duration("B", Duration::ZERO);
        let empty: Option<String> = env.required("EMPTY");
        env.law(false, "C must be less than D");
        let error = env.finish(|| Some((a?, empty?))).unwrap_err().to_string();
        assert_eq!(error.lines().count(), 5, "{error}");
    }

    #[test]
    fn a_sound_environment_gives_the_configuration() {
        let mut env = Env::of([("SIZE", "2 MiB"), ("WAIT", "1m 30s")]);
        let size = env.bytes("SIZE", ByteSize::b(1));
        let wait = env.duration("WAIT", Duration::ZERO);
        assert_eq!(env.finish(|| Some((size, wait))).unwrap(), (2 << 20, Duration::from_secs(90)));
    }
}
