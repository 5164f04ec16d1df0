//! The first start, and the ones after.

use futures_util::future::join_all;
use millrace_auth::app::App;
use millrace_auth::config::Config;
use millrace_auth::tokens::Tokens;
use millrace_runtime::launch::Process;
use millrace_storage::database::{Database, PoolSettings};
use millrace_storage::signing_keys::{self, NewSigningKey};
use millrace_testkit::database::TestDatabase;
use millrace_testkit::nats::TestNats;
use tokio_util::sync::CancellationToken;

use crate::stage::{MASTER_KEY, Stage, config};

async fn start(config: Config) -> Result<App, String> {
    let process = Process { shutdown: CancellationToken::new(), metrics: None };
    App::build(config, process).await.map_err(|error| error.to_string())
}

#[actix_web::test]
async fn services_that_start_at_once_agree_on_one_signing_key() {
    let database = TestDatabase::create().await;
    let store = Database::new(&database.url(), PoolSettings::named("test")).unwrap();
    // Connected beforehand, so that they meet in the database.
    let starters = join_all((0..8).map(|_| store.connection())).await;
    let keys = join_all(starters.into_iter().enumerate().map(async |(number, conn)| {
        let kid = number.to_string();
        let new = NewSigningKey { kid: &kid, public_pem: "public", private_box: b"sealed" };
        let conn = &mut conn.unwrap();
        signing_keys::ensure(conn, new).await.unwrap();
        signing_keys::newest(conn).await.unwrap().unwrap().kid
    }))
    .await;
    assert!(keys.windows(2).all(|pair| pair[0] == pair[1]), "{keys:?}");
    let stored = database.client().await.query_one("SELECT count(*) FROM signing_keys", &[]).await.unwrap();
    assert_eq!(stored.get::<_, i64>(0), 1);
}

#[actix_web::test]
async fn tokens_survive_a_restart() {
    let stage = Stage::set().await;
    let ada = stage.person("ada").await;
    let store = Database::new(&stage.database.url(), PoolSettings::named("test")).unwrap();
    let again = Tokens::load(&store, &MASTER_KEY.parse().unwrap(), "test").await.unwrap();
    assert_eq!(again.verify(&ada.access).unwrap().sub, ada.id);
    let elsewhere = Tokens::load(&store, &MASTER_KEY.parse().unwrap(), "another issuer").await.unwrap();
    assert!(elsewhere.verify(&ada.access).is_err());
}

#[actix_web::test]
async fn another_master_key_is_found_out_at_the_start() {
    let stage = Stage::set().await;
    let mut config = config(&stage.database.url(), stage.nats.url());
    config.master_key = "f".repeat(64).parse().unwrap();
    let error = start(config).await.unwrap_err();
    assert!(error.contains("MILLRACE_MASTER_KEY"), "{error}");
}

#[actix_web::test]
async fn without_its_servers_it_does_not_start() {
    let (database, nats) = tokio::join!(TestDatabase::create(), TestNats::isolated());
    let nowhere = "127.0.0.1:1";
    let error = start(config(&format!("postgres://a:b@{nowhere}/c"), nats.url())).await.unwrap_err();
    assert!(error.contains("database"), "{error}");
    assert!(!error.contains("a:b"), "{error}");
    let error = start(config(&database.url(), &format!("nats://{nowhere}"))).await.unwrap_err();
    assert!(error.contains("broker"), "{error}");
}
