//! What other services are told over the broker.

use std::time::{Duration, Instant};

use chrono::{TimeDelta, Utc};
use millrace_domain::access::Role;
use millrace_domain::ids::ProjectId;
use millrace_messaging::error::MessagingError;
use millrace_messaging::keys::{KeyAnswer, KeyQuestion};
use millrace_messaging::tokens::TokenVerifier;
use millrace_messaging::{requests, subjects};
use millrace_testkit::wait;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::stage::Stage;

impl Stage {
    /// A verifier as other services have one, listening to revocations.
    pub(crate) async fn verifier(&self) -> TokenVerifier {
        let verifier = TokenVerifier::new(self.broker().await);
        tokio::spawn(verifier.clone().listen(CancellationToken::new()));
        wait::until("auth answers", async || verifier.verify("a.b.c").await.is_ok()).await;
        verifier
    }
}

#[actix_web::test]
async fn a_token_is_verified_with_the_roles_of_its_holder() {
    let stage = Stage::set().await;
    let (ada, root) = (stage.person("ada").await, stage.system_admin("root").await);
    let project = stage.project_of(&ada, Role::Viewer).await;
    let verifier = stage.verifier().await;
    let claims = verifier.verify(&ada.access).await.unwrap().unwrap();
    assert_eq!((claims.account_id, claims.admin), (ada.id, false));
    assert_eq!(claims.roles.iter().collect::<Vec<_>>(), [(&project, &Role::Viewer)]);
    assert!(claims.may_read(project) && !claims.may_read(ProjectId::new()));
    let left = claims.expires_at - Utc::now();
    assert!(left > TimeDelta::minutes(14) && left <= TimeDelta::minutes(15), "{left}");

    let claims = verifier.verify(&root.access).await.unwrap().unwrap();
    assert!(claims.admin && claims.roles.is_empty() && claims.may_read(project));
}

#[actix_web::test]
async fn a_token_that_is_not_ours_is_nobodys() {
    let stage = Stage::set().await;
    let ada = stage.person("ada").await;
    let verifier = stage.verifier().await;
    for token in ["", "nonsense", "a.b.c", &ada.access[..ada.access.len() - 4]] {
        assert!(verifier.verify(token).await.unwrap().is_none(), "{token}");
    }
}

#[actix_web::test]
async fn a_new_project_is_open_to_its_owner_at_once() {
    let stage = Stage::set().await;
    let ada = stage.person("ada").await;
    let verifier = stage.verifier().await;
    assert!(verifier.verify(&ada.access).await.unwrap().unwrap().roles.is_empty());
    let (_, project) = stage.post("/api/v1/projects", &ada, json!({"name": "Shop"})).await;
    let project: ProjectId = project["id"].as_str().unwrap().parse().unwrap();
    let created = Instant::now();
    wait::until("other services know", async || {
        verifier.verify(&ada.access).await.unwrap().unwrap().may_read(project)
    })
    .await;
    assert!(created.elapsed() < Duration::from_secs(1), "it took {:?}", created.elapsed());
}

#[actix_web::test]
async fn a_question_that_is_none_is_not_answered() {
    let stage = Stage::set().await;
    let broker = stage.broker().await;
    let ask = async |sha256: &str| {
        let question = KeyQuestion { sha256: sha256.to_owned() };
        requests::ask::<_, KeyAnswer>(&broker, subjects::RESOLVE_KEY, &question).await
    };
    wait::until("auth answers", async || ask(&"0".repeat(64)).await.is_ok()).await;
    for sha256 in ["", "xyz", &"g".repeat(64), &"0".repeat(66)] {
        let error = ask(sha256).await.unwrap_err();
        assert!(
            matches!(&error, MessagingError::NoAnswer { reason, .. } if reason.contains("bad question")),
            "{error}"
        );
    }
}
