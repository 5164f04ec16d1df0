//! Programs of others, run from the scripts in `deploy/peers`: what they make of us is nobody's opinion here.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

/// A peer that runs for as long as a test needs it.
#[derive(Debug)]
pub struct Peer {
    /// Its first line of output, with which it says that it is ready, and where.
    pub ready: String,
    lines: Lines<BufReader<ChildStdout>>,
    _child: Child,
}

impl Peer {
    /// Starts a script, by its extension with Node.js or Python, and waits until it says that it is ready.
    pub async fn start(script: &str, arguments: &[&str]) -> Self {
        let mut command = command(script).await;
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().expect("a peer starts");
        let output = child.stdout.take().expect("its output is piped");
        let mut lines = BufReader::new(output).lines();
        let ready = lines.next_line().await.expect("a peer's output is text");
        let ready = ready.unwrap_or_else(|| panic!("{script} ended before it was ready"));
        Self { ready, lines, _child: child }
    }

    /// Its next line of output.
    pub async fn line(&mut self) -> String {
        let line = tokio::time::timeout(crate::wait::DEADLINE, self.lines.next_line()).await;
        line.expect("the peer says something in time").expect("its output is text").expect("it runs")
    }
}

/// Runs a script to its end with `input`, and returns what it printed. A script that fails fails the test.
pub async fn run(script: &str, input: &str) -> String {
    let mut command = command(script).await;
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn().expect("a peer starts");
    let mut stdin = child.stdin.take().expect("its input is piped");
    stdin.write_all(input.as_bytes()).await.expect("a peer reads its input");
    drop(stdin);
    let output = child.wait_with_output().await.expect("a peer ends");
    assert!(output.status.success(), "{script} failed: {}", output.status);
    String::from_utf8(output.stdout).expect("its output is text")
}

/// Installs what scripts need, which takes a while the first time. Whoever starts one need not ask for it, except to
/// measure how long the script takes.
pub async fn install() {
    let installed =
        Command::new(folder().join("install")).status().await.expect("the peers' installer starts");
    assert!(installed.success(), "the peers cannot be installed");
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/peers")
}

/// The interpreter of a script, once everything it needs is installed.
async fn command(script: &str) -> Command {
    install().await;
    let folder = folder();
    let script = folder.join(script);
    let mut command = match script.extension().and_then(|extension| extension.to_str()) {
        Some("mjs") => Command::new("node"),
        Some("py") => Command::new(folder.join("venv/bin/python")),
        other => panic!("nothing is known to run scripts with the extension {other:?}"),
    };
    command.arg(script);
    command
}
