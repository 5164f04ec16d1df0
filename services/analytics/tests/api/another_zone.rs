//! A project gets another zone: its answers are those of its events, before, while the sets are made anew and after that,
//! by a process that has had the old sets in memory all the time.

use millrace_domain::access::Role;
use millrace_domain::jobs::{Kind, Status};
use millrace_storage::jobs::{self, Filter};
use millrace_testkit::wait;
use reqwest::Method;
use serde_json::json;

use crate::chronicle::{chance, invent, tell_in_disorder};
use crate::generated::{clock, every_question};
use crate::people::Person;
use crate::stage::{Project, Stage};

async fn move_to(stage: &Stage, project: &Project, owner: &Person, zone: &str) {
    let path = format!("{}/api/v1/projects/{}", stage.auth, project.id);
    let request = reqwest::Client::new().request(Method::PATCH, path).bearer_auth(&owner.token);
    let response = request.json(&json!({"timezone": zone})).send().await.unwrap();
    assert_eq!(response.status(), 200, "{}", response.text().await.unwrap());
}

async fn until_the_rebuilds_have_ended(stage: &Stage, project: &Project) {
    let filter = Filter { project: Some(project.id), kind: Some(Kind::Rebuild), status: None };
    wait::until("the sets are made anew", async || {
        let jobs = jobs::page(&mut *stage.connection().await, filter, None, 10).await.unwrap();
        jobs.iter().all(|job| job.status == Status::Succeeded)
    })
    .await;
}

#[actix_web::test]
async fn answers_are_right_while_a_project_moves_to_another_zone_and_back() {
    let mut random = chance();
    let stage = Stage::at(clock).await;
    let project = stage.project("UTC").await;
    let owner = Person::member(&stage, project.id, "owner", Role::Owner).await;
    let history = invent(&mut random, 200);
    tell_in_disorder(&stage, &project, &history[..100], &mut random).await;
    stage.compact().await;
    every_question(&stage, &project, Some("UTC"), &history[..100]).await;

    // Nobody is there to make the sets anew.
    move_to(&stage, &project, &owner, "Asia/Kolkata").await;
    every_question(&stage, &project, None, &history[..100]).await;
    tell_in_disorder(&stage, &project, &history[..150], &mut random).await;
    every_question(&stage, &project, None, &history[..150]).await;
    // Back again, some sets are of the days of Kolkata.
    move_to(&stage, &project, &owner, "UTC").await;
    every_question(&stage, &project, None, &history[..150]).await;
    move_to(&stage, &project, &owner, "Asia/Kolkata").await;

    stage.hire_a_worker().await;
    tell_in_disorder(&stage, &project, &history, &mut random).await;
    until_the_rebuilds_have_ended(&stage, &project).await;
    every_question(&stage, &project, Some("Asia/Kolkata"), &history).await;
}
