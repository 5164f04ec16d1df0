//! The binary, as it is run.

use std::process::Stdio;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;
use tokio::time::timeout;

use crate::gateway::{DEADLINE, client, nobody};
use crate::upstream::Upstream;

#[tokio::test(flavor = "multi_thread")]
async fn it_counts_and_logs_by_prefix_keeps_queries_to_itself_and_stops_when_asked() {
    let analytics = Upstream::mirror();
    let mut gateway = Command::new(env!("CARGO_BIN_EXE_millrace-gateway"))
        .env_clear()
        .env("MILLRACE_BIND", "127.0.0.1:0")
        .env("MILLRACE_ANALYTICS_URL", format!("http://{}", analytics.address))
        .env("MILLRACE_API_LIMIT", "1/h")
        .env("MILLRACE_INGEST_URL", format!("http://{}", nobody()))
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut log = BufReader::new(gateway.stdout.take().unwrap()).lines();
    let mut lines = Vec::new();
    let address = loop {
        let line =
            timeout(DEADLINE, log.next_line()).await.unwrap().unwrap().expect("it logs where it listens");
        let entry: Value = serde_json::from_str(&line).unwrap();
        lines.push(line);
        if let Some(address) = entry["address"].as_str() {
            break address.to_owned();
        }
    };
    let ask = |path: &str| client().get(format!("http://{address}{path}")).send();
    assert_eq!(ask("/api/v1/stats/someone-known?email=secret%40example.com").await.unwrap().status(), 200);
    assert_eq!(ask("/api/v1/stats").await.unwrap().status(), 429);
    assert_eq!(ask("/api/v1/events?token=secret").await.unwrap().status(), 503);

    for _ in 1..5 {
        assert_eq!(ask("/api/v1/events").await.unwrap().status(), 503);
    }

    let metrics = ask("/metrics").await.unwrap().text().await.unwrap();
    for line in [
        r#"api_requests_total{method="GET",endpoint="/api/v1/stats",status_code="200"} 1"#,
        r#"api_requests_total{method="GET",endpoint="/api/v1/stats",status_code="429"} 1"#,
        r#"rate_limit_exceeded_total{scope="api"} 1"#,
        r#"api_requests_total{method="GET",endpoint="/api/v1/events",status_code="503"} 5"#,
        r#"upstream_failures_total{upstream="ingest",reason="connect"} 5"#,
        r#"upstream_circuit_state{upstream="ingest"} 2"#,
        r#"upstream_circuit_state{upstream="analytics"} 0"#,
    ] {
        assert!(metrics.lines().any(|metric| metric == line), "{line} not in {metrics}");
    }

    let pid = gateway.id().unwrap().to_string();
    assert!(Command::new("kill").args(["-TERM", &pid]).status().await.unwrap().success());
    while let Some(line) = timeout(DEADLINE, log.next_line()).await.unwrap().unwrap() {
        lines.push(line);
    }
    assert!(timeout(DEADLINE, gateway.wait()).await.unwrap().unwrap().success());

    let log = lines.join("\n");
    assert!(
        !log.contains("secret") && !log.contains("someone-known") && !metrics.contains("someone-known"),
        "{log}"
    );
    let entries: Vec<Value> = lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    let answered =
        |endpoint: &str| entries.iter().find(|e| e["message"] == "answered" && e["endpoint"] == endpoint);
    let asked = answered("/api/v1/stats").unwrap();
    assert_eq!((&asked["status"], &asked["span"]["client"]), (&200.into(), &"127.0.0.1".into()));
    assert_eq!(asked["span"]["parameters"], "email");
    let failure = entries.iter().find(|e| e["upstream"] == "ingest").expect("the failure is logged");
    assert_eq!((&failure["level"], &failure["reason"]), (&"WARN".into(), &"connect".into()));
}
