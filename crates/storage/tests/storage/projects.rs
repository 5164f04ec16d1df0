use chrono::{TimeDelta, Utc};
use millrace_domain::access::{Role, Scope};
use millrace_domain::ids::ProjectId;
use millrace_storage::accounts::{self, NewAccount};
use millrace_storage::api_keys::{self, NewApiKey};
use millrace_storage::database::{Database, PoolSettings};
use millrace_storage::error::StorageError;
use millrace_storage::{members, projects};
use millrace_testkit::database::TestDatabase;
use millrace_testkit::story::project;

fn new_key<'a>(hash: &'a [u8; 32]) -> NewApiKey<'a> {
    NewApiKey { name: "web", hash, shown: "mr_abcdef", scopes: &[Scope::Ingest], expires_at: None }
}

#[tokio::test]
async fn a_key_grants_its_project_until_it_is_revoked() {
    let database = TestDatabase::create().await;
    let shop = project(&database.url(), "UTC").await;
    let other = project(&database.url(), "UTC").await;
    let pool = Database::new(&database.url(), PoolSettings::named("test")).unwrap();
    let mut conn = pool.connection().await.unwrap();

    let key = api_keys::create(&mut conn, shop, new_key(&[7; 32])).await.unwrap();
    let grant = api_keys::grant(&mut conn, &[7; 32]).await.unwrap().unwrap();
    assert_eq!((grant.project_id, grant.scopes.clone()), (shop, vec![Scope::Ingest]));
    assert!(grant.is_live(Utc::now() + TimeDelta::days(9_999)));

    assert!(
        !api_keys::revoke(&mut conn, other, key.id).await.unwrap(),
        "another project's key is out of reach"
    );
    assert!(api_keys::revoke(&mut conn, shop, key.id).await.unwrap());
    assert!(api_keys::grant(&mut conn, &[7; 32]).await.unwrap().is_none());
    assert!(api_keys::of_project(&mut conn, shop).await.unwrap()[0].revoked_at.is_some());
}

#[tokio::test]
async fn a_key_needs_a_project_and_a_hash_of_its_own() {
    let database = TestDatabase::create().await;
    let shop = project(&database.url(), "UTC").await;
    let pool = Database::new(&database.url(), PoolSettings::named("test")).unwrap();
    let mut conn = pool.connection().await.unwrap();
    let orphan = api_keys::create(&mut conn, ProjectId::new(), new_key(&[1; 32])).await;
    assert!(matches!(orphan, Err(StorageError::Missing(_))), "{orphan:?}");
    api_keys::create(&mut conn, shop, new_key(&[1; 32])).await.unwrap();
    let twin = api_keys::create(&mut conn, shop, new_key(&[1; 32])).await;
    assert!(matches!(twin, Err(StorageError::Conflict(_))), "{twin:?}");
}

#[tokio::test]
async fn members_see_their_projects_and_nobody_elses() {
    let database = TestDatabase::create().await;
    let (shop, _hidden) = (project(&database.url(), "UTC").await, project(&database.url(), "UTC").await);
    let pool = Database::new(&database.url(), PoolSettings::named("test")).unwrap();
    let mut conn = pool.connection().await.unwrap();
    let new = NewAccount { email: "ada@example.org", password_hash: "x", full_name: None, is_admin: false };
    let ada = accounts::create(&mut conn, new).await.unwrap();
    members::set(&mut conn, shop, ada.id, Role::Viewer).await.unwrap();
    members::set(&mut conn, shop, ada.id, Role::Editor).await.unwrap();
    assert_eq!(members::role(&mut conn, shop, ada.id).await.unwrap(), Some(Role::Editor));
    let seen: Vec<ProjectId> =
        projects::of_account(&mut conn, ada.id).await.unwrap().iter().map(|project| project.id).collect();
    assert_eq!(seen, [shop]);
}
