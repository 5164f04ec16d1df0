use std::time::Duration;

use metrics_exporter_prometheus::PrometheusBuilder;
use millrace_analytics::answer::Answer;
use millrace_analytics::kept::{Asking, KeptAnswers};
use millrace_analytics::plan::Source;
use millrace_cache::data_versions::Month;
use millrace_domain::ids::ProjectId;
use millrace_testkit::redis::TestRedis;
use millrace_testkit::wait;
use reqwest::Response;
use reqwest::header::{ETAG, IF_NONE_MATCH};
use serde_json::{Value, json};

use crate::chronicle::{did, tell};
use crate::stage::{Project, Stage, header};

const PATH: &str = "/api/v1/stats/dau?from=2026-11-01&to=2026-11-02";

async fn ask(stage: &Stage, project: &Project, known: &str) -> Response {
    stage.request(PATH, &project.key).header(IF_NONE_MATCH, known).send().await.unwrap()
}

#[actix_web::test]
async fn an_answer_is_sent_again_only_when_it_changed() {
    let stage = Stage::set().await;
    let project = stage.project("UTC").await;
    let first = stage.request(PATH, &project.key).send().await.unwrap();
    let tag = header(&first, ETAG.as_str());
    assert!(tag.starts_with('"') && tag.ends_with('"'), "a strong tag: {tag}");
    assert_eq!(header(&first, "cache-control"), "private, no-cache");
    assert_eq!(header(&first, "content-type"), "application/json");

    for known in [tag.clone(), format!("W/{tag}"), format!("\"other\", {tag}"), "*".to_owned()] {
        let again = ask(&stage, &project, &known).await;
        assert_eq!(again.status(), 304, "{known}");
        assert_eq!(
            (header(&again, ETAG.as_str()), header(&again, "cache-control")),
            (tag.clone(), "private, no-cache".to_owned())
        );
        assert_eq!(again.bytes().await.unwrap().len(), 0);
    }
    assert_eq!(ask(&stage, &project, "\"other\"").await.status(), 200);
    assert_eq!(ask(&stage, &project, "not a tag").await.status(), 200);

    tell(&mut stage.teller(), &project, &[did("ada", "visit", "2026-11-02T12:00:00Z")]).await;
    let changed = ask(&stage, &project, &tag).await;
    assert_eq!(changed.status(), 200);
    assert_ne!(header(&changed, ETAG.as_str()), tag);
}

#[actix_web::test]
async fn merging_sets_changes_no_answer() {
    let stage = Stage::set().await;
    let project = stage.project("UTC").await;
    let mut teller = stage.teller();
    for user in ["ada", "grace", "ada"] {
        tell(&mut teller, &project, &[did(user, "visit", "2026-11-02T12:00:00Z")]).await;
    }
    let tag = header(&ask(&stage, &project, "\"none\"").await, ETAG.as_str());
    stage.compact().await;
    assert_eq!(ask(&stage, &project, &tag).await.status(), 304);
}

#[actix_web::test]
async fn an_answer_is_kept_until_its_data_change() {
    let stage = Stage::set().await;
    let (project, other) = (stage.project("UTC").await, stage.project("UTC").await);
    let november =
        async |project| kept(&stage, project, "/api/v1/stats/dau?from=2026-11-02&to=2026-11-03").await;
    let june = async || kept(&stage, &project, "/api/v1/stats/dau?from=2026-06-02&to=2026-06-03").await;
    let mut teller = stage.teller();
    tell(&mut teller, &project, &[did("ada", "visit", "2026-11-02T12:00:00Z")]).await;
    let (first, again) = (november(&project).await, november(&project).await);
    assert_eq!((first.0.as_str(), again.0.as_str()), ("miss", "hit"));
    assert_eq!((&first.1, &first.1["data"][0]["users"]), (&again.1, &json!(1)));
    assert_eq!((june().await.0.as_str(), june().await.0.as_str()), ("miss", "hit"));
    assert_eq!(november(&other).await.1["data"][0]["users"], 0, "what is kept for one project is no other's");

    tell(&mut teller, &project, &[did("grace", "visit", "2026-11-02T13:00:00Z")]).await;
    let changed = november(&project).await;
    assert_eq!((changed.0.as_str(), &changed.1["data"][0]["users"]), ("miss", &json!(2)));
    assert_eq!(june().await.0, "hit", "nothing happened in June");
}

#[actix_web::test]
async fn a_client_that_insists_gets_an_answer_of_its_own() {
    let stage = Stage::set().await;
    let project = stage.project("UTC").await;
    let path = "/api/v1/stats/top-events?from=2026-11-02&to=2026-11-02";
    kept(&stage, &project, path).await;
    let insisting = stage.request(path, &project.key).header("Cache-Control", "no-cache");
    assert_eq!(header(&insisting.send().await.unwrap(), "x-cache"), "miss");
    assert_eq!(kept(&stage, &project, path).await.0, "hit");
}

#[actix_web::test]
async fn of_many_who_ask_the_same_at_once_one_has_it_worked_out() {
    let stage = Stage::set().await;
    let project = stage.project("UTC").await;
    let path = "/api/v1/stats/retention?from=2026-10-01&to=2026-11-02&interval=day";
    let asking = (0..20).map(|_| kept(&stage, &project, path));
    let answers = futures_util::future::join_all(asking).await;
    assert_eq!(answers.iter().filter(|(cache, _)| cache == "miss").count(), 1);
    assert!(answers.iter().all(|(_, answer)| *answer == answers[0].1));
}

#[actix_web::test]
async fn with_redis_away_every_answer_is_worked_out() {
    let stage = Stage::with_wires().await;
    let project = stage.project("UTC").await;
    let path = "/api/v1/stats/dau?from=2026-11-02&to=2026-11-03";
    assert_eq!(
        (kept(&stage, &project, path).await.0, kept(&stage, &project, path).await.0),
        ("miss".into(), "hit".into())
    );
    stage.redis_wire.cut();
    assert_eq!(kept(&stage, &project, path).await.0, "miss");
    stage.redis_wire.mend();
    wait::until("answers are kept again", async || kept(&stage, &project, path).await.0 == "hit").await;
}

#[tokio::test]
async fn what_another_replica_has_made_is_found_and_kept_no_longer_than_there() {
    let recorder = PrometheusBuilder::new().build_recorder();
    let figures = recorder.handle();
    let _recording = metrics::set_default_local_recorder(&recorder);
    let redis = TestRedis::isolated().await;
    let replica = |kept_for| KeptAnswers::new(redis.url(), kept_for, 1 << 20).unwrap();
    let asking = Asking::spelt("dau", ProjectId::new(), Month::FIRST..=Month::FIRST, "how many?".to_owned());
    let recall = async |replica: &KeptAnswers, answer: &str| {
        let made = async { Ok(Answer::of(&answer, Source::RollUp).unwrap()) };
        let (answer, kept) = replica.recall(&asking, made).await.unwrap();
        (serde_json::from_slice::<String>(answer.body()).unwrap(), kept)
    };
    // The other one would keep it for longer than this test waits.
    let (one, other) = (replica(Duration::from_secs(3)), replica(Duration::from_secs(600)));
    assert_eq!(recall(&one, "first").await, ("first".to_owned(), false));
    assert_eq!(recall(&other, "second").await, ("first".to_owned(), true));
    assert_eq!(recall(&other, "second").await, ("first".to_owned(), true));
    let figures = figures.render();
    for (tier, result, count) in
        [("memory", "miss", 2), ("memory", "hit", 1), ("redis", "miss", 1), ("redis", "hit", 1)]
    {
        let line = format!(r#"cache_requests_total{{tier="{tier}",result="{result}"}} {count}"#);
        assert!(figures.lines().any(|figure| figure == line), "{line} not in {figures}");
    }
    wait::until("it is made anew", async || recall(&other, "third").await == ("third".to_owned(), false))
        .await;
}

/// An answer, and whether it was kept.
async fn kept(stage: &Stage, project: &Project, path: &str) -> (String, Value) {
    let response = stage.request(path, &project.key).send().await.unwrap();
    assert_eq!(response.status(), 200);
    (header(&response, "x-cache"), response.json().await.unwrap())
}
