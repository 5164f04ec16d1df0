use std::fs;

use bytes::Bytes;
use millrace_domain::analytics::posting::Posting;
use millrace_domain::jobs::Kind;
use millrace_messaging::consumer::backlog;
use millrace_messaging::subjects;
use millrace_testkit::story::did;
use millrace_testkit::wait;
use serde_json::json;

use crate::bench_of_work::Bench;

const ADA: &str = "ada.lovelace@example.com";

/// The tables in which a text is anywhere. Temporary ones belong to their sessions, and nothing in ours outlives a
/// transaction.
async fn tables_that_mention(bench: &Bench, text: &str) -> Vec<String> {
    let client = bench.database.client().await;
    let tables = client
        .query(
            "SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
             WHERE c.relkind IN ('r', 'p') AND c.relpersistence <> 't' AND n.nspname NOT IN ('pg_catalog', 'information_schema')
               AND has_table_privilege(c.oid, 'SELECT')",
            &[],
        )
        .await
        .unwrap();
    let mut mentioned = Vec::new();
    for table in tables.iter().map(|row| row.get::<_, String>(0)) {
        let sql = format!("SELECT count(*) FROM ONLY {table} AS t WHERE position($1 IN t::text) > 0");
        let rows: i64 = client.query_one(&sql, &[&text]).await.unwrap().get(0);
        if rows > 0 {
            mentioned.push(table);
        }
    }
    mentioned
}

async fn user_no(bench: &Bench, user: &str) -> i32 {
    let sql = "SELECT user_no FROM users WHERE project_id = $1 AND user_id = $2";
    bench.database.client().await.query_one(sql, &[&bench.shop.0, &user]).await.unwrap().get(0)
}

/// Whether a user is in the stored postings of any day.
async fn is_in_postings(bench: &Bench, number: i32) -> bool {
    let rows = bench.database.client().await.query("SELECT body FROM postings", &[]).await.unwrap();
    let mut is_in = false;
    for row in rows {
        let posting = Posting::parse(row.get::<_, Vec<u8>>(0)).unwrap();
        posting.each(|user, _| is_in |= i64::from(user) == i64::from(number));
    }
    is_in
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_a_deleted_user_is_anywhere() {
    let (bench, worker) = Bench::stocked(600).await;
    let visit = |day: u32, hour: u32| {
        did(ADA, "login", &format!("2026-10-{day:02}T{hour:02}:10:00Z"))
            .with("properties", json!({"mail": ADA}))
            .event()
    };
    let hers: Vec<_> = (1..28).flat_map(|day| (0..24).map(move |hour| visit(day, hour))).collect();
    for batch in hers.chunks(100) {
        bench.publish(batch).await;
    }
    bench.until_the_log_is_empty().await;
    // Dead letters: hers, somebody else's, and bytes that mean nothing but have her name in them.
    for payload in [format!("broken {ADA} bytes"), "broken bytes of somebody else".to_owned()] {
        bench.publish_raw(bench.shop, Bytes::from(payload)).await;
    }
    bench.until_the_log_is_empty().await;
    assert_eq!(backlog(&bench.broker, subjects::DEAD_LETTERS_STREAM).await.unwrap().messages, 2);
    let exported = bench.ask(Kind::Export, json!({"format": "csv", "user_id": ADA})).await;
    assert_eq!(bench.result_of(exported).await["rows"], 27 * 24);
    let old_number = user_no(&bench, ADA).await;
    wait::until("it is stored when she did what", async || is_in_postings(&bench, old_number).await).await;
    let friends = json!({"or": [{"users": [ADA, "somebody"]}, {"did": {"event_type": "login"}}]});
    let keep = "INSERT INTO cohorts VALUES (gen_random_uuid(), $1, 'Friends', $2::text::jsonb, NULL, 1, now(), now())";
    bench.database.client().await.execute(keep, &[&bench.shop.0, &friends.to_string()]).await.unwrap();
    let answered = "WITH insight AS
            (INSERT INTO insights VALUES (gen_random_uuid(), $1, 'Mails', '', '{}', NULL, 'project', '{}', 1, now(), now())
             RETURNING id)
         INSERT INTO insight_results SELECT id, '{}', $2, now() FROM insight";
    let answer = json!({"data": [{"breakdown": ADA, "count": 648}]}).to_string();
    bench.database.client().await.execute(answered, &[&bench.shop.0, &answer]).await.unwrap();
    assert!(tables_that_mention(&bench, ADA).await.contains(&"public.insight_results".to_owned()));
    assert!(
        tables_that_mention(&bench, ADA).await.len() >= 3,
        "the search finds her as long as she is there"
    );
    worker.dismiss().await;

    // Some of her events are on their way when the job is asked for, and its workers are killed.
    bench.publish(&(0..20).map(|minute| visit(28, minute)).collect::<Vec<_>>()).await;
    let id = bench.ask(Kind::DeleteUser, json!({"user_id": ADA})).await;
    let mut worker = bench.worker_process();
    wait::until("her row is gone", async || bench.job(id).await.checkpoint.is_some()).await;
    worker.kill().await.unwrap();
    let _worker = bench.worker_process();
    let result = bench.result_of(id).await;

    assert_eq!((&result["found"], &result["dead_letters"]), (&json!(true), &json!(1)));
    assert_eq!(tables_that_mention(&bench, ADA).await, [""; 0]);
    assert!(!is_in_postings(&bench, old_number).await);
    assert_eq!(bench.stored().await, 600);
    bench.assert_the_books_balance().await;
    assert_eq!(backlog(&bench.broker, subjects::DEAD_LETTERS_STREAM).await.unwrap().messages, 1);
    assert!(bench.job(exported).await.result.unwrap()["files_deleted_at"].is_string());
    let left = fs::read_dir(bench.files.path().join(format!("exports/{}", bench.shop))).unwrap().count();
    assert_eq!(left, 0, "files of exports may have anybody in them");

    // Whoever comes back is a new user.
    bench.publish(&[visit(29, 1)]).await;
    bench.until_the_log_is_empty().await;
    assert!(user_no(&bench, ADA).await > old_number);
    bench.assert_the_books_balance().await;

    // Nobody's deletion is no failure.
    let result = bench.result_of(bench.ask(Kind::DeleteUser, json!({"user_id": "nobody"})).await).await;
    assert_eq!((&result["found"], &result["events"]), (&json!(false), &json!(0)));
}

#[tokio::test(flavor = "multi_thread")]
async fn events_that_come_while_a_user_is_deleted_belong_to_a_new_user() {
    let (bench, worker) = Bench::stocked(100).await;
    let visits: Vec<_> = (0..300)
        .map(|n| did(ADA, "login", &format!("2026-10-05T{:02}:{:02}:00Z", n / 60, n % 60)).event())
        .collect();
    bench.publish(&visits[..100]).await;
    bench.until_the_log_is_empty().await;
    let id = bench.ask(Kind::DeleteUser, json!({"user_id": ADA})).await;
    for batch in visits[100..].chunks(5) {
        bench.publish(batch).await;
    }
    bench.result_of(id).await;
    bench.until_the_log_is_empty().await;
    worker.dismiss().await;
    // Some were deleted with her, the others are of somebody new; none is nobody's.
    let sql = "SELECT count(*) FROM events e LEFT JOIN users u USING (project_id, user_id)
               WHERE u.user_no IS DISTINCT FROM e.user_no";
    let nobodys: i64 = bench.database.client().await.query_one(sql, &[]).await.unwrap().get(0);
    assert_eq!(nobodys, 0);
    bench.assert_the_books_balance().await;
}
