use std::time::Duration;

use millrace_storage::compaction;

use crate::chronicle::{did, tell};
use crate::stage::Stage;

/// Every event is by somebody new, so in any one moment there are as many users as events. Counts and users are read
/// one after the other, from different tables, while events arrive and sets are merged.
#[actix_web::test]
async fn the_parts_of_an_answer_are_of_one_moment() {
    let stage = Stage::set().await;
    let project = stage.project("UTC").await;
    let mut teller = stage.teller();
    let arriving = async {
        for user in 0..150 {
            tell(&mut teller, &project, &[did(&format!("user-{user}"), "visit", "2026-11-01T12:00:00Z")])
                .await;
        }
    };
    let merging = async {
        let mut connection = stage.connection().await;
        loop {
            compaction::compact(&mut connection, 10).await.unwrap();
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    let asking = async {
        let mut seen = Vec::new();
        while seen.last() != Some(&150) {
            let path = "/api/v1/stats/top-events?from=2026-11-01&to=2026-11-01";
            let answer = stage.ask(&project, path).await.body;
            let Some(row) = answer["data"].get(0) else { continue };
            assert_eq!(row["count"], row["users"], "{answer}");
            seen.push(row["count"].as_u64().unwrap());
        }
        seen.dedup();
        assert!(seen.len() > 5, "events arrived while they were counted: {seen:?}");
    };
    tokio::select! {
        ((), ()) = async { tokio::join!(arriving, asking) } => {}
        () = merging => {}
    }
}
