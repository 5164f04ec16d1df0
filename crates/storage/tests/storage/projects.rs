use chrono::{TimeDelta, Utc};
use millrace_domain::access::{Role, Scope};
use millrace_domain::ids::ProjectId;
use millrace_domain::membership::Refusal;
use millrace_storage::accounts::{self, NewAccount};
use millrace_storage::api_keys::{self, NewApiKey, Replacement};
use millrace_storage::database::{Database, PoolSettings};
use millrace_storage::error::StorageError;
use millrace_storage::members::Changed;
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
    let new = NewAccount {
        email: "ada@example.org",
        password_hash: Some("x"),
        full_name: None,
        is_admin: false,
        email_verified: true,
    };
    let ada = accounts::create(&mut conn, new).await.unwrap();
    members::set(&mut conn, shop, ada.id, Role::Viewer).await.unwrap();
    members::set(&mut conn, shop, ada.id, Role::Editor).await.unwrap();
    assert_eq!(members::role(&mut conn, shop, ada.id).await.unwrap(), Some(Role::Editor));
    let seen: Vec<ProjectId> =
        projects::of_account(&mut conn, ada.id).await.unwrap().iter().map(|project| project.id).collect();
    assert_eq!(seen, [shop]);
}

#[tokio::test]
async fn a_project_is_not_left_without_an_owner() {
    let database = TestDatabase::create().await;
    let (shop, other) = (project(&database.url(), "UTC").await, project(&database.url(), "UTC").await);
    let pool = Database::new(&database.url(), PoolSettings::named("test")).unwrap();
    let mut conn = pool.connection().await.unwrap();
    let new = NewAccount {
        email: "ada@example.org",
        password_hash: Some("x"),
        full_name: None,
        is_admin: false,
        email_verified: true,
    };
    let ada = accounts::create(&mut conn, new).await.unwrap().id;
    assert!(members::add(&mut conn, shop, ada, Role::Owner).await.unwrap());
    assert!(!members::add(&mut conn, shop, ada, Role::Viewer).await.unwrap());
    assert_eq!(members::role(&mut conn, shop, ada).await.unwrap(), Some(Role::Owner));
    for to in [None, Some(Role::Admin)] {
        let changed = members::change(&mut conn, shop, ada, to, Role::Owner).await.unwrap();
        assert_eq!(changed, Changed::Refused(Refusal::LastOwner));
    }
    let elsewhere = members::change(&mut conn, other, ada, None, Role::Owner).await.unwrap();
    assert_eq!(elsewhere, Changed::NotAMember);
    let member = members::find(&mut conn, shop, ada).await.unwrap().unwrap();
    assert_eq!((member.email.as_str(), member.role), ("ada@example.org", Role::Owner));
    assert!(members::page(&mut conn, other, None, 10).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_key_is_replaced_within_its_project() {
    let database = TestDatabase::create().await;
    let (shop, other) = (project(&database.url(), "UTC").await, project(&database.url(), "UTC").await);
    let pool = Database::new(&database.url(), PoolSettings::named("test")).unwrap();
    let mut conn = pool.connection().await.unwrap();
    let key = api_keys::create(&mut conn, shop, new_key(&[1; 32])).await.unwrap();
    let now = Utc::now();
    let new = Replacement {
        hash: &[2; 32],
        shown: "mr_ghijkl",
        expires_at: None,
        old_expires_at: now + TimeDelta::hours(1),
    };
    assert!(api_keys::rotate(&mut conn, other, key.id, new, now).await.unwrap().is_none());
    let record = api_keys::rotate(&mut conn, shop, key.id, new, now).await.unwrap().unwrap();
    assert_eq!((record.name.as_str(), record.scopes), ("web", vec![Scope::Ingest]));
    let end = api_keys::grant(&mut conn, &[1; 32]).await.unwrap().unwrap().expires_at.unwrap();
    assert_eq!(end.timestamp_micros(), new.old_expires_at.timestamp_micros());

    api_keys::note_use(&mut conn, other, key.id, now).await.unwrap();
    assert!(api_keys::of_project(&mut conn, shop).await.unwrap()[0].last_used_at.is_none());
    for (later, noted) in [(0, 0), (59, 0), (61, 61)] {
        api_keys::note_use(&mut conn, shop, key.id, now + TimeDelta::seconds(later)).await.unwrap();
        let used = api_keys::of_project(&mut conn, shop).await.unwrap()[0].last_used_at.unwrap();
        assert_eq!(used.timestamp(), (now + TimeDelta::seconds(noted)).timestamp());
    }
}
