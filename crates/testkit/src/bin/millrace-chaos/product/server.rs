//! The servers that the services depend on.

use std::env;
use std::process::Stdio;

use anyhow::ensure;
use tokio::process::Command;

/// What the services depend on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Server {
    Postgres,
    Nats,
    Redis,
}

impl Server {
    pub const ALL: [Self; 3] = [Self::Postgres, Self::Nats, Self::Redis];

    pub fn name(self) -> &'static str {
        match self {
            Self::Postgres => "postgres",
            Self::Nats => "nats",
            Self::Redis => "redis",
        }
    }

    /// Has the test stack do something with it.
    pub async fn stack(self, verb: &str) -> anyhow::Result<()> {
        let script = env::var("MILLRACE_TEST_STACK")?;
        let status = Command::new(script).args([verb, self.name()]).stdout(Stdio::null()).status().await?;
        ensure!(status.success(), "`stack {verb} {}` failed", self.name());
        Ok(())
    }
}
