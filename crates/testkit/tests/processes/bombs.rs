//! Bodies that are small on the wire and large in memory, many at once, and what becomes of others meanwhile.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use flate2::Compression;
use flate2::write::GzEncoder;
use futures_util::future::join_all;
use millrace_testkit::wait;

use crate::service::Ground;

const AT_ONCE: usize = 8;
const MOST_MIB: u64 = 50;
/// 256 MiB of spaces, as `brotliCompressSync` of Node.js writes them.
const BROTLI: &[u8] = include_bytes!("spaces.br");

/// As many in gzip: a member of it for each MiB.
fn gzip() -> Vec<u8> {
    let mut mebibyte = GzEncoder::new(Vec::new(), Compression::best());
    mebibyte.write_all(&[b' '; 1 << 20]).unwrap();
    mebibyte.finish().unwrap().repeat(256)
}

fn client() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().timeout(wait::DEADLINE).build().unwrap()
}

/// Asks one question after the other until it is told that it is enough: how long the answers took, in order of length.
async fn bystander(url: String, enough: Arc<AtomicBool>) -> Vec<Duration> {
    let (client, mut took) = (client(), Vec::new());
    while !enough.load(Ordering::Relaxed) || took.len() < 100 {
        let asked = Instant::now();
        assert_eq!(client.get(&url).send().await.unwrap().status(), 200);
        took.push(asked.elapsed());
    }
    took.sort_unstable();
    took
}

fn p99(took: &[Duration]) -> Duration {
    took[took.len() * 99 / 100]
}

#[tokio::test(flavor = "multi_thread")]
async fn bombs_leave_the_memory_of_ingest_and_gateway_as_it_was() {
    let ground = Ground::prepare().await;
    let ingest = [ground.start("ingest").await];
    let gateway = ground.gateway(&ingest).await;
    let alive = format!("{}/api/v1/health/ingest/live", gateway.url());
    let idle = bystander(alive.clone(), Arc::new(AtomicBool::new(true))).await;
    let calm = [&ingest[0], &gateway].map(|service| service.memory("VmRSS"));

    for (coding, bomb) in [("br", BROTLI.to_vec()), ("gzip", gzip())] {
        let enough = Arc::<AtomicBool>::default();
        let beside = tokio::spawn(bystander(alive.clone(), Arc::clone(&enough)));
        let client = client();
        let answers = join_all((0..AT_ONCE).map(|_| {
            let bomb = client.post(format!("{}/api/v1/events", gateway.url())).body(bomb.clone());
            bomb.bearer_auth(ground.key.reveal()).header("content-encoding", coding).send()
        }))
        .await;
        enough.store(true, Ordering::Relaxed);
        for answer in answers {
            assert_eq!(answer.unwrap().status(), 413, "{coding}");
        }
        let beside = beside.await.unwrap();
        let most = [&ingest[0], &gateway].map(|service| service.memory("VmHWM"));
        println!(
            "{coding}, {} bytes: {most:?} MiB at most, {calm:?} MiB before; p99 beside it {:?}, idle {:?}",
            bomb.len(),
            p99(&beside),
            p99(&idle)
        );
        for (most, calm) in most.into_iter().zip(calm) {
            assert!(most < calm + MOST_MIB, "{coding}: {most} MiB, and {calm} MiB before");
        }
    }
}
