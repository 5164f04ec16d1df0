//! Running the program.

use std::collections::BTreeMap;
use std::process::{Command, Output, Stdio};

/// The program with arguments, and nothing from the environment that it listens to.
pub(crate) fn millrace(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_millrace"));
    for name in ["URL", "INGEST_KEY", "READ_KEY", "DEMO_INGEST_KEY", "DEMO_READ_KEY"] {
        command.env_remove(format!("MILLRACE_{name}"));
    }
    command.args(args).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// What the program said and how it ended.
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ended {
    /// The `name: value` lines of standard output.
    pub(crate) fn summary(&self) -> BTreeMap<&str, &str> {
        self.stdout.lines().filter_map(|line| line.split_once(": ")).collect()
    }

    /// The four counts of an import.
    pub(crate) fn counts(&self) -> [u64; 4] {
        let summary = self.summary();
        ["read", "accepted", "duplicates", "rejected"].map(|name| summary[name].parse().unwrap())
    }
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

pub(crate) fn run(args: &[&str]) -> Ended {
    millrace(args).output().unwrap().into()
}
