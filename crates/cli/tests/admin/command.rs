//! Running the program.

use std::io::Write;
use std::process::{Command, Output, Stdio};

use millrace_storage::database::{Connection, Database, PoolSettings};
use millrace_testkit::database::TestDatabase;

/// What the program said and how it ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl From<Output> for Ended {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

/// `millrace admin …` on this database.
pub(crate) fn admin(database: &TestDatabase, args: &[&str]) -> Ended {
    command(database, args).output().unwrap().into()
}

/// The same, with a broker.
pub(crate) fn admin_with_broker(database: &TestDatabase, nats_url: &str, args: &[&str]) -> Ended {
    command(database, args).env("NATS_URL", nats_url).output().unwrap().into()
}

/// The same, with this on standard input.
pub(crate) fn admin_hearing(database: &TestDatabase, input: &str, args: &[&str]) -> Ended {
    let mut child = command(database, args).stdin(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap().into()
}

fn command(database: &TestDatabase, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_millrace"));
    command
        .env("DATABASE_URL", database.url())
        .env_remove("NATS_URL")
        .env_remove("REDIS_URL")
        .env_remove("MILLRACE_CHUNK_INTERVAL");
    command.arg("admin").args(args).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// The one line that a script would take.
pub(crate) fn result(ended: &Ended) -> &str {
    assert_eq!((ended.code, ended.stdout.lines().count()), (Some(0), 1), "{ended:?}");
    ended.stdout.trim_end()
}

/// The database, past the program.
pub(crate) async fn store(database: &TestDatabase) -> Connection {
    Database::new(&database.url(), PoolSettings::named("test")).unwrap().connection().await.unwrap()
}
