//! Memory is bounded by a setting, whatever is asked, about however much.

use futures_util::future::join_all;
use millrace_testkit::wait;
use reqwest::header::{CACHE_CONTROL, RETRY_AFTER};
use roaring::RoaringBitmap;
use serde_json::{Value, json};
use tokio::process::Child;

use crate::killed::replica_with;
use crate::stage::{Project, Stage, header, problem};

/// Users of the large project, every second of whom is active on each of its days, which are those of ten years.
const USERS: u32 = 200_000;
/// Events on the last of its days.
const EVENTS: i32 = 120_000;
const SETTING: &str = "64MiB";
const MEBIBYTES: f64 = 64.0;

async fn has_users(stage: &Stage, project: &Project, users: i32) {
    let client = stage.database.client().await;
    let sql = "UPDATE projects SET next_user_no = $2 WHERE id = $1";
    client.execute(sql, &[&project.id.0, &users]).await.unwrap();
}

async fn large_project(stage: &Stage) -> Project {
    let project = stage.project("UTC").await;
    has_users(stage, &project, i32::try_from(USERS).unwrap()).await;
    let mut bytes = Vec::new();
    (0..USERS)
        .filter(|user| user % 7 % 2 == 0)
        .collect::<RoaringBitmap>()
        .serialize_into(&mut bytes)
        .unwrap();
    let client = stage.database.client().await;
    let sets = "INSERT INTO activity (project_id, event_type, day, part, users)
                SELECT $1, '', day::date, 0, $2 FROM generate_series('2016-01-01', '2025-12-31', interval '1 day') AS day";
    client.execute(sets, &[&project.id.0, &bytes]).await.unwrap();
    let events = "INSERT INTO events
                  SELECT $1, gen_random_uuid(), '2025-12-31'::timestamptz + n * interval '500 milliseconds', now(), 1,
                         n * 7919::bigint % 50000, 'user', (ARRAY['visit', 'search', 'buy'])[1 + n % 3], NULL,
                         jsonb_build_object('plan', n % 4), NULL
                  FROM generate_series(1, $2) AS n";
    client.execute(events, &[&project.id.0, &EVENTS]).await.unwrap();
    let counts = "INSERT INTO event_counts
                  SELECT project_id, time_bucket('15 minutes', occurred_at), event_type, count(*) FROM events
                  WHERE project_id = $1 GROUP BY 1, 2, 3";
    client.execute(counts, &[&project.id.0]).await.unwrap();
    project
}

fn heavy_questions() -> [Value; 8] {
    let years = |mut question: Value| {
        (question["from"], question["to"]) = ("2016-01-01".into(), "2025-12-31".into());
        question
    };
    let recent = |mut question: Value| {
        (question["from"], question["to"]) = ("2023-05-01".into(), "2025-12-31".into());
        question
    };
    let steps = json!([{"event_type": "visit"}, {"event_type": "search"}, {"event_type": "buy"}]);
    [
        years(json!({"kind": "retention", "cohort": "recurring"})),
        years(json!({"kind": "retention", "cohort": "first_time", "mode": "on_or_after"})),
        years(json!({"kind": "active_users", "window": "month"})),
        recent(json!({"kind": "lifecycle"})),
        recent(json!({"kind": "stickiness"})),
        recent(json!({"kind": "sessions"})),
        recent(json!({"kind": "funnel", "steps": steps})),
        recent(json!({
            "kind": "trends", "measure": "users", "event_type": "visit", "interval": "week", "breakdown": "plan",
        })),
    ]
}

/// The most memory that a process ever had, in MiB.
fn peak(process: &Child) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", process.id().unwrap())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() / 1024.0
}

#[actix_web::test]
async fn eight_heavy_questions_at_once_stay_within_the_setting() {
    let stage = Stage::set().await;
    let project = large_project(&stage).await;
    // With few arenas, as everywhere it is deployed: what one thread has freed is there for the others.
    let settings = [
        ("MILLRACE_QUERY_MEMORY", SETTING),
        ("MILLRACE_QUERIES_PER_PROJECT", "8"),
        ("MALLOC_ARENA_MAX", "2"),
    ];
    let (process, url) = replica_with(&stage, &settings).await;
    let client = reqwest::Client::new();
    let ask = async |question: &Value| {
        let request = client.post(format!("{url}/api/v1/query")).json(question);
        let request = request.bearer_auth(project.key.reveal()).header(CACHE_CONTROL, "no-cache");
        let response = request.send().await.ok()?;
        // Told to come back, or the process is on its way.
        let busy = response.status() == 503 && response.headers().contains_key(RETRY_AFTER);
        assert!(response.status() == 200 || busy, "{}", response.text().await.unwrap());
        Some(response).filter(|_| !busy)
    };
    let little = json!({"kind": "active_users", "from": "2025-12-31", "to": "2025-12-31"});
    wait::until("it answers", async || ask(&little).await.is_some()).await;
    let at_first = peak(&process);
    for _ in 0..2 {
        let questions = heavy_questions();
        join_all(
            questions.iter().map(|question| {
                wait::until("the question is answered", async || ask(question).await.is_some())
            }),
        )
        .await;
    }
    let took = peak(&process) - at_first;
    println!("{took:.0} MiB on top of {at_first:.0} MiB");
    assert!(took < MEBIBYTES, "{took} MiB");
}

#[actix_web::test]
async fn a_question_that_would_never_fit_is_refused_and_one_that_does_not_fit_yet_is_told_to_wait() {
    let stage = Stage::set().await;
    let project = stage.project("UTC").await;
    let question = |day: u32| {
        let date = format!("2026-11-{day:02}");
        json!({"kind": "active_users", "from": date, "to": date})
    };
    has_users(&stage, &project, i32::MAX).await;
    let (status, refused) = problem(stage.query(&project, &question(1))).await;
    assert_eq!((status, &refused["errors"][0]["code"]), (422, &json!("too_much_memory")), "{refused}");

    // Two of these do not fit at once.
    has_users(&stage, &project, 10_000_000).await;
    let mut keeper = stage.database.client().await;
    let locked = keeper.transaction().await.unwrap();
    locked.execute("LOCK TABLE activity IN ACCESS EXCLUSIVE MODE", &[]).await.unwrap();
    let (one, other) = (question(2), question(3));
    let refused = {
        let asking = [stage.query(&project, &one).send(), stage.query(&project, &other).send()];
        let (refused, _, rest) = futures_util::future::select_all(asking.map(Box::pin)).await;
        locked.rollback().await.unwrap();
        let answered = join_all(rest).await;
        assert!(answered.into_iter().all(|answer| answer.unwrap().status() == 200));
        refused.unwrap()
    };
    assert_eq!(refused.status(), 503);
    assert!(!header(&refused, "retry-after").is_empty());
    stage.answer(&project, &question(4)).await;
}
