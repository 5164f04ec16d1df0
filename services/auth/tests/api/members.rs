//! Members of a project, and what each role may do with them.

use std::time::{Duration, Instant};

use millrace_domain::access::Role;
use millrace_domain::ids::{AccountId, ProjectId};
use millrace_messaging::tokens::TokenVerifier;
use millrace_storage::members;
use millrace_testkit::wait;
use reqwest::Method;
use serde_json::{Value, json};

use crate::stage::{Person, Stage, answer};

const ROLES: [Role; 4] = [Role::Viewer, Role::Editor, Role::Admin, Role::Owner];

impl Stage {
    async fn join(&self, project: ProjectId, person: &Person, role: Role) {
        let mut store = self.store().await;
        members::set(&mut store, project, person.id, role).await.unwrap();
    }

    async fn role_of(&self, project: ProjectId, person: &Person) -> Option<Role> {
        let mut store = self.store().await;
        members::role(&mut store, project, person.id).await.unwrap()
    }

    async fn patch(&self, path: &str, person: &Person, body: Value) -> (u16, Value) {
        answer(self.to(Method::PATCH, path).bearer_auth(&person.access).json(&body)).await
    }
}

fn members_of(project: ProjectId) -> String {
    format!("/api/v1/projects/{project}/members")
}

fn member(project: ProjectId, person: &Person) -> String {
    format!("/api/v1/projects/{project}/members/{}", person.id)
}

async fn within_a_second(verifier: &TokenVerifier, person: &Person, project: ProjectId, role: Option<Role>) {
    let changed = Instant::now();
    wait::until("other services know", async || {
        verifier.verify(&person.access).await.unwrap().unwrap().roles.get(&project).copied() == role
    })
    .await;
    assert!(changed.elapsed() < Duration::from_secs(1), "it took {:?}", changed.elapsed());
}

#[actix_web::test]
async fn a_member_comes_changes_and_goes_and_every_service_knows_at_once() {
    let stage = Stage::set().await;
    let (ada, bob) = (stage.person("ada").await, stage.person("bob").await);
    let project = stage.project_of(&ada, Role::Owner).await;
    let verifier = stage.verifier().await;
    assert!(verifier.verify(&bob.access).await.unwrap().unwrap().roles.is_empty());

    let body = json!({"email": " BOB@example.com", "role": "viewer"});
    let (status, added) = stage.post(&members_of(project), &ada, body.clone()).await;
    assert_eq!((status, &added["email"], &added["role"]), (201, &json!("bob@example.com"), &json!("viewer")));
    within_a_second(&verifier, &bob, project, Some(Role::Viewer)).await;
    assert_eq!(stage.post(&members_of(project), &ada, body).await.0, 409, "a role is not given by accident");

    let (status, changed) = stage.patch(&member(project, &bob), &ada, json!({"role": "editor"})).await;
    assert_eq!((status, &changed["role"], &changed["account_id"]), (200, &json!("editor"), &json!(bob.id)));
    within_a_second(&verifier, &bob, project, Some(Role::Editor)).await;

    let (_, list) = stage.get(&members_of(project), &bob).await;
    let seen: Vec<_> =
        list["data"].as_array().unwrap().iter().map(|one| (&one["email"], &one["role"])).collect();
    assert_eq!(
        seen,
        [(&json!("ada@example.com"), &json!("owner")), (&json!("bob@example.com"), &json!("editor"))]
    );

    assert_eq!(stage.delete(&member(project, &bob), &ada).await, 204);
    within_a_second(&verifier, &bob, project, None).await;
    assert_eq!(stage.get(&members_of(project), &bob).await.0, 404, "it is a stranger's project again");
    assert_eq!(stage.delete(&member(project, &bob), &ada).await, 404);
}

#[actix_web::test]
async fn each_role_does_with_members_what_it_may_and_no_more() {
    let stage = Stage::set().await;
    let (actor, other) = (stage.person("actor").await, stage.person("other").await);
    let project = stage.project_of(&stage.person("founder").await, Role::Owner).await;
    for acts in ROLES {
        stage.join(project, &actor, acts).await;
        let manages = acts >= Role::Admin;
        assert_eq!(stage.get(&members_of(project), &actor).await.0, 200);
        for role in ROLES {
            let within = manages && role <= acts;
            let body = json!({"email": other.email, "role": role});
            let (status, _) = stage.post(&members_of(project), &actor, body).await;
            assert_eq!(status, if within { 201 } else { 403 }, "{acts:?} adds {role:?}");
            for to in ROLES {
                stage.join(project, &other, role).await;
                let within = within && to <= acts;
                let (status, _) = stage.patch(&member(project, &other), &actor, json!({"role": to})).await;
                assert_eq!(status, if within { 200 } else { 403 }, "{acts:?} makes {role:?} {to:?}");
                let has = stage.role_of(project, &other).await;
                assert_eq!(has, Some(if within { to } else { role }));
            }
            stage.join(project, &other, role).await;
            let status = stage.delete(&member(project, &other), &actor).await;
            assert_eq!(status, if within { 204 } else { 403 }, "{acts:?} removes {role:?}");
            let mut store = stage.store().await;
            members::change(&mut store, project, other.id, None, Role::Owner).await.unwrap();
        }
    }
}

#[actix_web::test]
async fn everybody_may_leave_but_the_last_owner() {
    let stage = Stage::set().await;
    let (ada, bob) = (stage.person("ada").await, stage.person("bob").await);
    let project = stage.project_of(&ada, Role::Owner).await;
    stage.join(project, &bob, Role::Viewer).await;
    assert_eq!(stage.delete(&member(project, &bob), &bob).await, 204);

    assert_eq!(stage.delete(&member(project, &ada), &ada).await, 409);
    let (status, problem) = stage.patch(&member(project, &ada), &ada, json!({"role": "admin"})).await;
    assert_eq!((status, &problem["code"]), (409, &json!("conflict")));
    assert!(problem["detail"].as_str().unwrap().contains("last owner"), "{problem}");

    stage.join(project, &bob, Role::Owner).await;
    assert_eq!(stage.delete(&member(project, &ada), &ada).await, 204);
    assert_eq!(stage.delete(&member(project, &bob), &bob).await, 409);
}

#[actix_web::test]
async fn two_owners_who_leave_at_once_leave_one() {
    let stage = Stage::set().await;
    let (ada, bob) = (stage.person("ada").await, stage.person("bob").await);
    for _ in 0..8 {
        let project = stage.project_of(&ada, Role::Owner).await;
        stage.join(project, &bob, Role::Owner).await;
        let (adas, bobs) = (member(project, &ada), member(project, &bob));
        let (one, other) = tokio::join!(stage.delete(&adas, &ada), stage.delete(&bobs, &bob));
        let mut both = [one, other];
        both.sort_unstable();
        assert_eq!(both, [204, 409]);
    }
}

#[actix_web::test]
async fn the_members_of_others_do_not_exist() {
    let stage = Stage::set().await;
    let (ada, eve) = (stage.person("ada").await, stage.person("eve").await);
    let (project, _) = (stage.project_of(&ada, Role::Owner).await, stage.project_of(&eve, Role::Owner).await);
    assert_eq!(stage.get(&members_of(project), &eve).await.0, 404);
    let body = json!({"email": eve.email, "role": "owner"});
    assert_eq!(stage.post(&members_of(project), &eve, body).await.0, 404);
    assert_eq!(stage.patch(&member(project, &ada), &eve, json!({"role": "viewer"})).await.0, 404);
    assert_eq!(stage.delete(&member(project, &ada), &eve).await, 404);
    let root = stage.system_admin("root").await;
    assert_eq!(stage.patch(&member(project, &ada), &root, json!({"role": "owner"})).await.0, 200);
}

#[actix_web::test]
async fn a_member_that_cannot_be_is_refused_by_field() {
    let stage = Stage::set().await;
    let ada = stage.person("ada").await;
    let project = stage.project_of(&ada, Role::Owner).await;
    for (body, field, code) in [
        (json!({"role": "viewer"}), "email", "missing"),
        (json!({"email": "bob", "role": "viewer"}), "email", "invalid"),
        (json!({"email": "bob@example.com", "role": "viewer"}), "email", "unknown"),
        (json!({"email": "bob@example.com", "role": "emperor"}), "role", "invalid"),
    ] {
        let (status, problem) = stage.post(&members_of(project), &ada, body.clone()).await;
        let error = &problem["errors"][0];
        assert_eq!((status, &error["field"], &error["code"]), (422, &json!(field), &json!(code)), "{body}");
    }
    for nobody in [AccountId::new().to_string(), "nonsense".to_owned()] {
        let path = format!("{}/{nobody}", members_of(project));
        assert_eq!(stage.patch(&path, &ada, json!({"role": "viewer"})).await.0, 404);
        assert_eq!(stage.delete(&path, &ada).await, 404);
    }
}
