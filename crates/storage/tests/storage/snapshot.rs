use millrace_domain::ids::ProjectId;
use millrace_storage::database::{Database, PoolSettings};
use millrace_storage::projects::find;
use millrace_storage::snapshot::Snapshot;
use millrace_testkit::database::TestDatabase;
use millrace_testkit::story::project;

#[tokio::test]
async fn a_moment_is_the_same_on_another_connection() {
    let database = TestDatabase::create().await;
    let pool = Database::new(&database.url(), PoolSettings::named("test")).unwrap();
    let mut one = Snapshot::open(pool.connection().await.unwrap()).await.unwrap();
    find(&mut one, ProjectId::new()).await.unwrap();
    let shop = project(&database.url(), "UTC").await;
    let mut other = one.share(pool.spare_connection().await.unwrap()).await.unwrap();
    assert!(find(&mut other, shop).await.unwrap().is_none(), "it was not there yet");
    other.close().await.unwrap();
    one.close().await.unwrap();
    assert!(find(&mut pool.connection().await.unwrap(), shop).await.unwrap().is_some());
}

#[tokio::test]
async fn nobody_is_given_a_second_connection_that_others_may_need() {
    let database = TestDatabase::create().await;
    let settings = PoolSettings { max_connections: 4, ..PoolSettings::named("test") };
    let pool = Database::new(&database.url(), settings).unwrap();
    let _one = pool.connection().await.unwrap();
    let second = pool.spare_connection().await;
    assert!(second.is_some());
    assert!(pool.spare_connection().await.is_none());
    drop(second);
    assert!(pool.spare_connection().await.is_some());
}
