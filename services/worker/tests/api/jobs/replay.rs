use chrono::Utc;
use futures_util::{StreamExt, stream};
use millrace_domain::batch::EventBatch;
use millrace_domain::event::Event;
use millrace_domain::ids::ProjectId;
use millrace_domain::jobs::Kind;
use millrace_messaging::dead_letters::{DeadLetter, Lineage, bury};
use millrace_messaging::{subjects, wire};
use millrace_testkit::story::project;
use serde_json::json;

use crate::bench_of_work::{Bench, fortnight};
use crate::dead_letters::dead_letters;

impl Bench {
    /// Puts good events away, as if something had been wrong with them.
    async fn bury(&self, project_id: ProjectId, reason: &'static str, events: &[Event]) {
        let letters = events.iter().zip(1..).map(|(event, sequence)| async move {
            let batch = EventBatch { project_id, received_at: Utc::now(), events: vec![event.clone()] };
            let payload = wire::encode(&batch, &[], usize::MAX).remove(0).payload;
            let subject = subjects::events(project_id);
            let failing_since = Utc::now();
            let from = Lineage { subject: &subject, sequence, deliveries: 1, failing_since, headers: None };
            let letter = DeadLetter { payload, reason, detail: String::new(), source: None };
            bury(&self.broker, from, letter).await.unwrap();
        });
        stream::iter(letters).buffer_unordered(64).collect::<()>().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn letters_are_replayed_once_whatever_is_killed_and_others_stay() {
    let bench = Bench::new().await;
    let elsewhere = project(&bench.database.url(), "UTC").await;
    let events = fortnight(1_200);
    let (meant, others) = events.split_at(800);
    bench.bury(bench.shop, "refused", meant).await;
    bench.bury(bench.shop, "invalid", &others[..200]).await;
    bench.bury(elsewhere, "refused", &others[200..]).await;
    // As if somebody who replayed it had ended before it was deleted.
    bench.publish(&meant[..1]).await;

    let id = bench.ask(Kind::Replay, json!({"reason": "refused"})).await;
    let (result, _worker) = bench.finish_with_kills(id, 1).await;
    assert_eq!(result["letters"], 800);
    let progress = bench.job(id).await.progress;
    assert_eq!((progress.done, progress.total), (800, Some(800)));
    bench.until_the_log_is_empty().await;
    assert_eq!(bench.stored().await, 800);
    let left = dead_letters(&bench).await;
    assert_eq!(left.len(), 400);
    assert!(left.iter().all(|letter| letter.project == elsewhere || letter.reason == "invalid"));
    bench.assert_the_books_balance().await;

    let logins = bench.ask(Kind::Replay, json!({"event_type": "login"})).await;
    let replayed = bench.result_of(logins).await["letters"].as_u64().unwrap();
    bench.until_the_log_is_empty().await;
    assert_eq!(bench.stored().await, 800 + i64::try_from(replayed).unwrap());
    assert!(replayed > 0 && replayed < 200, "{replayed}");
}
