use serde_json::{Value, json};

use crate::chronicle::{did, tell};
use crate::stage::Stage;

#[actix_web::test]
async fn every_type_is_listed_once_page_by_page() {
    let stage = Stage::set().await;
    let (project, neighbour) = (stage.project("Asia/Kolkata").await, stage.project("UTC").await);
    let mut teller = stage.teller();
    let kinds = ["visit", "buy", "naïve, \"quoted\"", "Signup", "été"];
    for (day, kind) in kinds.iter().enumerate() {
        let time = format!("2026-11-0{}T12:14:59Z", day + 1);
        tell(&mut teller, &project, &[did("ada", kind, &time), did("ada", kind, "2026-10-31T12:15:00Z")])
            .await;
    }
    tell(&mut teller, &neighbour, &[did("ada", "elsewhere", "2026-11-01T12:00:00Z")]).await;

    let mut path = "/api/v1/event-types?limit=2".to_owned();
    let (mut listed, mut pages): (Vec<Value>, usize) = (Vec::new(), 0);
    loop {
        let page = stage.ask(&project, &path).await.body;
        listed.extend(page["data"].as_array().unwrap().iter().cloned());
        pages += 1;
        match page["next_cursor"].as_str() {
            Some(cursor) => path = format!("/api/v1/event-types?limit=2&cursor={cursor}"),
            None => break,
        }
    }
    let row = |kind: &str, last: &str| json!({"event_type": kind, "count": 2, "first_seen": "2026-10-31T12:15:00Z", "last_seen": last});
    assert_eq!(pages, 3);
    assert_eq!(
        listed,
        [
            row("Signup", "2026-11-04T12:00:00Z"),
            row("buy", "2026-11-02T12:00:00Z"),
            row("naïve, \"quoted\"", "2026-11-03T12:00:00Z"),
            row("visit", "2026-11-01T12:00:00Z"),
            row("été", "2026-11-05T12:00:00Z"),
        ]
    );
}
