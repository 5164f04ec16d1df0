use std::process::Stdio;
use std::time::Duration;

use millrace_testkit::{servers, wait};
use tokio::process::{Child, Command};

use crate::bench_of_work::{Bench, fortnight};

/// The worker as operators run it: a process of its own, which can be killed.
fn start(bench: &Bench) -> Child {
    Command::new(env!("CARGO_BIN_EXE_millrace-worker"))
        .env("DATABASE_URL", bench.database.url())
        .env("NATS_URL", bench.nats.url())
        .env("REDIS_URL", servers::redis_url())
        .env("MILLRACE_BIND", "127.0.0.1:0")
        .env("MILLRACE_ACK_WAIT", "3s")
        .env("MILLRACE_STATEMENT_TIMEOUT", "2s")
        .env("MILLRACE_BATCH_MESSAGES", "4")
        .env("MILLRACE_EVENTS_BYTES", "64MiB")
        .env("MILLRACE_DEAD_LETTERS_BYTES", "16MiB")
        .env("MILLRACE_LOG", "warn")
        .stdout(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_killed_in_the_middle_loses_nothing_and_doubles_nothing() {
    let bench = Bench::new().await;
    let events = fortnight(6_000);
    for batch in events.chunks(50) {
        bench.publish(batch).await;
    }
    // Killed three times, each time while it is storing: some messages are stored and not acknowledged, some are
    // in its hands and not stored.
    for _ in 0..3 {
        let before = bench.stored().await;
        let mut worker = start(&bench);
        wait::until("it stores something", async || bench.stored().await > before).await;
        worker.kill().await.unwrap();
    }
    assert!(bench.stored().await < 6_000, "the kills came before the end");

    let mut worker = start(&bench);
    bench.until_the_log_is_empty().await;
    assert_eq!(bench.stored().await, 6_000);
    bench.assert_the_books_balance().await;

    // Asked to stop, it stops without an error.
    let pid = worker.id().unwrap();
    Command::new("kill").args(["-TERM", &pid.to_string()]).status().await.unwrap();
    let status = tokio::time::timeout(Duration::from_secs(20), worker.wait()).await.unwrap().unwrap();
    assert!(status.success(), "{status}");
}
