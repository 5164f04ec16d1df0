use std::time::Duration;

use millrace_cli::api::Verdict;
use millrace_cli::client::{Batch, Compress, SendError, Sender, SenderConfig};
use serde_json::json;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::far_end::{Answer, FarEnd, INGEST_KEY};

fn events(count: u32) -> Batch {
    let mut batch = Batch::default();
    for number in 0..count {
        let event =
            json!({"event_id": Uuid::from_u128(number.into()), "event_type": "login", "user_id": "ann"});
        batch.push(&event).unwrap();
    }
    batch
}

fn sender(far_end: &FarEnd, key: &str, retry_for: Duration) -> Sender {
    let config = SenderConfig {
        url: far_end.url.parse().unwrap(),
        key: key.parse().unwrap(),
        compress: Compress::Never,
        retry_for,
        wait: false,
    };
    Sender::new(config, CancellationToken::new()).unwrap()
}

const PATIENT: Duration = Duration::from_secs(60);

async fn send(far_end: &FarEnd, batch: &Batch) -> (Verdict, Result<(), SendError>) {
    let mut verdict = Verdict::default();
    let result = sender(far_end, INGEST_KEY, PATIENT).send(batch, &mut verdict).await;
    (verdict, result)
}

#[tokio::test]
async fn a_batch_arrives_with_its_key() {
    let far_end = FarEnd::start();
    let (verdict, result) = send(&far_end, &events(3)).await;
    assert_eq!((result, verdict.accepted), (Ok(()), 3));
    assert_eq!(far_end.seen(|seen| seen.authorization.clone()), ["Bearer mk_ingest"]);
}

#[tokio::test]
async fn an_empty_batch_bothers_nobody() {
    let far_end = FarEnd::start();
    let (verdict, result) = send(&far_end, &events(0)).await;
    assert_eq!((result, verdict), (Ok(()), Verdict::default()));
    assert!(far_end.seen(|_| ()).is_empty());
}

#[tokio::test]
async fn a_busy_server_is_asked_again_but_not_before_it_wants() {
    let far_end = FarEnd::with_script([Answer::Refuse(503, Some(1)), Answer::Refuse(429, None)]);
    let (verdict, result) = send(&far_end, &events(3)).await;
    assert_eq!((result, verdict.accepted), (Ok(()), 3));
    let times = far_end.seen(|seen| seen.at);
    assert_eq!(times.len(), 3);
    assert!(times[1] - times[0] >= Duration::from_secs(1));
}

#[tokio::test]
async fn what_arrived_before_the_connection_was_cut_is_not_doubled() {
    let far_end = FarEnd::with_script([Answer::CutAfterKeeping]);
    let (verdict, result) = send(&far_end, &events(3)).await;
    assert_eq!((result, verdict.accepted, verdict.duplicates), (Ok(()), 0, 3));
    assert_eq!(far_end.kept().len(), 3);
}

#[tokio::test]
async fn a_body_that_is_too_large_is_halved_until_it_fits() {
    let batch = events(100);
    let far_end = FarEnd::start().limit_body(batch.size() / 5);
    let (verdict, result) = send(&far_end, &batch).await;
    assert_eq!((result, verdict.accepted), (Ok(()), 100));
    assert_eq!(far_end.kept().len(), 100);
    let taken: Vec<_> = far_end.seen(|seen| seen.events).into_iter().filter(|events| *events < 20).collect();
    assert_eq!(taken.iter().sum::<usize>(), 100);
}

#[tokio::test]
async fn an_event_that_is_too_large_alone_is_rejected_with_its_place() {
    let mut batch = events(7);
    let long = json!({"event_id": Uuid::max(), "event_type": "login", "user_id": "x".repeat(3000)});
    batch.push(&long).unwrap();
    let far_end = FarEnd::start().limit_body(2000);
    let (verdict, result) = send(&far_end, &batch).await;
    assert_eq!((result, verdict.accepted, verdict.rejected), (Ok(()), 7, 1));
    assert_eq!((verdict.errors[0].index, verdict.errors[0].code.as_str()), (7, "event_too_large"));
}

#[tokio::test]
async fn places_are_right_after_halving() {
    let mut batch = events(5);
    for number in 5..9_u128 {
        let user = if number == 6 { json!(null) } else { json!("ann") };
        batch
            .push(&json!({"event_id": Uuid::from_u128(number), "event_type": "login", "user_id": user}))
            .unwrap();
    }
    let far_end = FarEnd::with_script([Answer::Refuse(400, None)]);
    let (verdict, result) = send(&far_end, &batch).await;
    assert_eq!((result, verdict.accepted, verdict.rejected), (Ok(()), 8, 1));
    assert_eq!((verdict.errors[0].index, verdict.errors[0].code.as_str()), (6, "invalid_user_id"));
}

#[tokio::test]
async fn all_rejected_is_a_verdict_too() {
    let mut batch = Batch::default();
    batch.push(&json!({"event_id": Uuid::nil(), "event_type": "login"})).unwrap();
    let far_end = FarEnd::start();
    let (verdict, result) = send(&far_end, &batch).await;
    assert_eq!((result, verdict.rejected, far_end.seen(|_| ()).len()), (Ok(()), 1, 1));
    assert_eq!(verdict.errors[0].message, "user_id is missing");
}

#[tokio::test]
async fn a_wrong_key_is_told_at_once() {
    let far_end = FarEnd::start();
    let mut verdict = Verdict::default();
    let result = sender(&far_end, "mk_wrong", PATIENT).send(&events(1), &mut verdict).await;
    assert_eq!(result, Err(SendError::Unauthorised("no such key".to_owned())));
    assert_eq!(far_end.seen(|_| ()).len(), 1);
    let far_end = FarEnd::with_script([Answer::Refuse(403, None)]);
    assert_eq!(send(&far_end, &events(1)).await.1, Err(SendError::Forbidden("not today".to_owned())));
}

#[tokio::test]
async fn patience_ends_and_the_last_answer_is_told() {
    let far_end = FarEnd::with_script([Answer::Refuse(503, Some(30))]);
    let mut verdict = Verdict::default();
    let result = sender(&far_end, INGEST_KEY, Duration::from_secs(5)).send(&events(1), &mut verdict).await;
    let Err(SendError::GaveUp { last, .. }) = result else { panic!("{result:?}") };
    assert_eq!(last, "503 Service Unavailable: not today");
}

#[tokio::test]
async fn a_server_that_is_not_there_is_waited_for() {
    // A port that was free a moment ago.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let config = SenderConfig {
        url: format!("http://127.0.0.1:{port}").parse().unwrap(),
        key: INGEST_KEY.parse().unwrap(),
        compress: Compress::Never,
        retry_for: Duration::from_secs(1),
        wait: false,
    };
    let sender = Sender::new(config, CancellationToken::new()).unwrap();
    let result = sender.send(&events(1), &mut Verdict::default()).await;
    let Err(SendError::GaveUp { last, .. }) = result else { panic!("{result:?}") };
    assert!(last.contains("Connection refused"), "{last}");
    assert_eq!(sender.trouble(), Some(last));
}

#[tokio::test]
async fn who_is_told_to_stop_waits_no_longer() {
    let far_end = FarEnd::with_script([Answer::Refuse(503, Some(30))]);
    let sender = sender(&far_end, INGEST_KEY, PATIENT);
    sender.stop().cancel();
    assert_eq!(sender.send(&events(1), &mut Verdict::default()).await, Err(SendError::Interrupted));
}

#[tokio::test]
async fn a_verdict_that_does_not_add_up_is_not_believed() {
    let far_end = FarEnd::with_script([Answer::Miscount]);
    assert_eq!(send(&far_end, &events(3)).await.1, Err(SendError::Miscounted { judged: 2, sent: 3 }));
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let far_end = FarEnd::with_script([Answer::Refuse(302, None)]);
    let Err(SendError::Refused { status: 302, .. }) = send(&far_end, &events(1)).await.1 else { panic!() };
}

#[tokio::test]
async fn bodies_are_compressed_and_the_server_is_told_to_wait_when_asked_to() {
    let far_end = FarEnd::start();
    let config = SenderConfig {
        url: far_end.url.parse().unwrap(),
        key: INGEST_KEY.parse().unwrap(),
        compress: Compress::Always,
        retry_for: PATIENT,
        wait: true,
    };
    let sender = Sender::new(config, CancellationToken::new()).unwrap();
    sender.send(&events(3), &mut Verdict::default()).await.unwrap();
    assert_eq!(far_end.seen(|seen| seen.encoding.clone()), [Some("gzip".to_owned())]);
    assert_eq!(far_end.seen(|seen| seen.query.clone()), ["wait=stored"]);
    assert_eq!(far_end.kept().len(), 3);
}
