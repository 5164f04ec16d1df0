use std::time::Duration;

use millrace_storage::migrations::{apply, pending, revert_all};
use millrace_testkit::database::TestDatabase;

const WEEK: Duration = Duration::from_secs(7 * 24 * 3600);

/// Everything a migration can make, as text.
async fn schema(database: &TestDatabase) -> Vec<String> {
    let rows = database
        .client()
        .await
        .query(
            "SELECT format('%s.%s %s %s %s', table_name, column_name, data_type, is_nullable, column_default)
               FROM information_schema.columns WHERE table_schema = 'public'
             UNION ALL SELECT indexdef FROM pg_indexes WHERE schemaname = 'public'
             UNION ALL SELECT conrelid::regclass || ' ' || conname || ' ' || pg_get_constraintdef(oid)
               FROM pg_constraint WHERE connamespace = 'public'::regnamespace
             UNION ALL SELECT 'sequence ' || sequencename FROM pg_sequences WHERE schemaname = 'public'
             UNION ALL SELECT 'hypertable ' || hypertable_name FROM timescaledb_information.hypertables
             ORDER BY 1",
            &[],
        )
        .await
        .unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn they_go_up_and_down_and_up_again() {
    let database = TestDatabase::empty().await;
    let applied = apply(&database.url(), WEEK).await.unwrap();
    assert!(applied.len() >= 5, "{applied:?}");
    let up = schema(&database).await;
    assert!(up.iter().any(|line| line.contains("events_identity")), "{up:#?}");

    revert_all(&database.url()).await.unwrap();
    let down = schema(&database).await;
    let left: Vec<_> = down.iter().filter(|line| !line.contains("__diesel_schema_migrations")).collect();
    assert!(left.is_empty(), "left behind: {left:#?}");

    apply(&database.url(), WEEK).await.unwrap();
    assert_eq!(schema(&database).await, up);
}

#[tokio::test(flavor = "multi_thread")]
async fn applying_them_twice_or_at_once_is_fine() {
    let database = TestDatabase::empty().await;
    let url = database.url();
    assert!(!pending(&url).await.unwrap().is_empty());
    let (one, other) = tokio::join!(
        tokio::task::spawn({
            let url = url.clone();
            async move { apply(&url, WEEK).await.map_err(|e| e.to_string()) }
        }),
        tokio::task::spawn({
            let url = url.clone();
            async move { apply(&url, WEEK).await.map_err(|e| e.to_string()) }
        }),
    );
    let (one, other) = (one.unwrap().unwrap(), other.unwrap().unwrap());
    assert!(one.is_empty() != other.is_empty(), "one of them applied all: {one:?} {other:?}");
    assert!(pending(&url).await.unwrap().is_empty());
}
