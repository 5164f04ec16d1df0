use reqwest::Response;
use reqwest::header::{ETAG, IF_NONE_MATCH};

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

    tell(&mut stage.appender(), &project, &[did("ada", "visit", "2026-11-02T12:00:00Z")]).await;
    let changed = ask(&stage, &project, &tag).await;
    assert_eq!(changed.status(), 200);
    assert_ne!(header(&changed, ETAG.as_str()), tag);
}

#[actix_web::test]
async fn merging_sets_changes_no_answer() {
    let stage = Stage::set().await;
    let project = stage.project("UTC").await;
    let mut appender = stage.appender();
    for user in ["ada", "grace", "ada"] {
        tell(&mut appender, &project, &[did(user, "visit", "2026-11-02T12:00:00Z")]).await;
    }
    let tag = header(&ask(&stage, &project, "\"none\"").await, ETAG.as_str());
    stage.compact().await;
    assert_eq!(ask(&stage, &project, &tag).await.status(), 304);
}
