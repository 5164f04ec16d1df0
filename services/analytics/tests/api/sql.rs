//! Statements of projects: what they may ask, and that nothing gets through either wall.

use std::time::Duration;

use millrace_domain::access::Scope;
use millrace_storage::append::Appender;
use millrace_storage::sql::{SqlDesk, SqlError, SqlLimits, Ticket, provide_login};
use millrace_testkit::database::TestDatabase;
use millrace_testkit::sql_login::SqlLogin;
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use attacks::{ATTACKS, REFUSED_AT_THE_DOOR};

use crate::chronicle::{Teller, did, tell};
use crate::stage::{Project, Stage, header, problem};

mod attacks;

fn asking(stage: &Stage, project: &Project, body: &Value) -> RequestBuilder {
    stage.to(Method::POST, "/api/v1/sql").bearer_auth(project.key.reveal()).json(body)
}

async fn answer(stage: &Stage, project: &Project, sql: &str) -> Value {
    let response = asking(stage, project, &json!({ "sql": sql })).send().await.unwrap();
    let (status, body) = (response.status().as_u16(), response.json::<Value>().await.unwrap());
    assert_eq!(status, 200, "{sql}: {body}");
    body
}

/// A shop with ada, and a bank with bob and a secret.
async fn shop_and_bank(stage: &Stage) -> (Project, Project) {
    let (shop, bank) = (stage.project("UTC").await, stage.project("UTC").await);
    let hers = [
        did("ada", "visit", "2026-11-01T12:00:00Z").with(json!({"plan": "pro", "amount": 1.5})),
        did("ada", "buy", "2026-11-02T12:00:00.25Z").within("s1"),
    ];
    tell(&mut stage.teller(), &shop, &hers).await;
    let his = [did("bob", "transfer", "2026-11-01T12:00:00Z").with(json!({"pin": "0000-secret"}))];
    tell(&mut stage.teller(), &bank, &his).await;
    (shop, bank)
}

#[actix_web::test]
async fn a_project_asks_of_its_own_events_in_sql() {
    let stage = Stage::set().await;
    let login = SqlLogin::made(&stage.database).await;
    let (shop, _) = shop_and_bank(&stage).await;
    let sql = "SELECT event_type, count(*) AS n, min(occurred_at) AS first, sum((properties->>'amount')::numeric) AS sum,
                      session_id, 0.1::float8 AS a, 'NaN'::float8 AS a, properties
               FROM events GROUP BY event_type, session_id, properties ORDER BY 1; ";
    let found = answer(&stage, &shop, sql).await;
    let types: Vec<&Value> =
        found["columns"].as_array().unwrap().iter().map(|column| &column["type"]).collect();
    assert_eq!(types, ["text", "int8", "timestamptz", "numeric", "text", "float8", "float8", "jsonb"]);
    assert_eq!(found["columns"][6]["name"], "a");
    assert_eq!(
        found["rows"],
        json!([
            ["buy", 1, "2026-11-02T12:00:00.25+00:00", null, "s1", 0.1, "NaN", {}],
            ["visit", 1, "2026-11-01T12:00:00+00:00", 1.5, null, 0.1, "NaN", {"plan": "pro", "amount": 1.5}],
        ])
    );
    assert_eq!(found["more"], false);
    let users = answer(&stage, &shop, "WITH u AS (SELECT * FROM users) SELECT * FROM u -- all of them").await;
    assert_eq!(users["rows"], json!([["ada", {}]]));

    let body = json!({"sql": "SELECT n, 'a \"b\",\nc' || n AS t, NULL AS nothing, ARRAY[n] AS list
                              FROM generate_series(1, 5) n", "limit": 2, "format": "csv"});
    let response = asking(&stage, &shop, &body).send().await.unwrap();
    assert_eq!(header(&response, "content-type"), "text/csv; charset=utf-8");
    assert_eq!(header(&response, "x-millrace-more"), "true");
    let csv = response.text().await.unwrap();
    assert_eq!(csv, "n,t,nothing,list\n1,\"a \"\"b\"\",\nc1\",,[1]\n2,\"a \"\"b\"\",\nc2\",,[2]\n");
    let days =
        "SELECT d.date, e.event_type FROM (SELECT occurred_at::date AS date FROM events) d, events e LIMIT 1";
    assert_eq!(answer(&stage, &shop, days).await["columns"][0]["name"], "date");
    let limited = answer(&stage, &shop, "SELECT FROM generate_series(1, 1001)").await;
    assert_eq!((limited["rows"].as_array().unwrap().len(), &limited["more"]), (1_000, &json!(true)));

    for (sql, code, message, position) in [
        ("SELECT 'é', nothing FROM events", "refused", "column \"nothing\" does not exist", json!(13)),
        ("SELECT (1 FROM events", "refused", "syntax error at or near \"FROM\"", json!(11)),
        ("SELECT 1 / (count(*) - 2) FROM events", "refused", "division by zero", Value::Null),
        (
            "SELECT date_trunc('eon', occurred_at) FROM events",
            "refused",
            "unit \"eon\" not recognized",
            Value::Null,
        ),
        ("SELECT $1", "refused", "a statement has no parameters", Value::Null),
        ("SELECT * FROM accounts", "not_allowed", "accounts cannot be selected from", json!(15)),
        ("SELECT 1; SELECT 2", "not_allowed", "one statement", Value::Null),
        (
            "SELECT string_agg(md5(n::text), '') FROM generate_series(1, 300000) n",
            "too_large",
            "the answer has more",
            Value::Null,
        ),
        (
            "SELECT md5(n::text) FROM generate_series(1, 10) n, generate_series(1, 10) m, pg_sleep(1)",
            "not_allowed",
            "the function pg_sleep",
            json!(78),
        ),
    ] {
        let (status, refused) = problem(asking(&stage, &shop, &json!({ "sql": sql }))).await;
        let fault = &refused["errors"][0];
        assert_eq!(
            (status, &fault["field"], &fault["code"]),
            (422, &json!("sql"), &json!(code)),
            "{sql}: {refused}"
        );
        assert!(fault["message"].as_str().unwrap().contains(message), "{sql}: {refused}");
        assert_eq!(fault["position"], position, "{sql}: {refused}");
    }
    let wide = format!("SELECT {}", vec!["1"; 101].join(", "));
    assert_eq!(problem(asking(&stage, &shop, &json!({ "sql": wide }))).await.0, 422);
    for body in [
        json!({"sql": "SELECT 1", "limit": 0}),
        json!({"sql": "SELECT 1", "limit": 10_001}),
        json!({"query": ""}),
    ] {
        assert_eq!(problem(asking(&stage, &shop, &body)).await.0, 422, "{body}");
    }
    let sender = Project { key: stage.key(shop.id, &[Scope::Ingest]).await, ..shop.clone() };
    assert_eq!(problem(asking(&stage, &sender, &json!({"sql": "SELECT 1"}))).await.0, 403);
    login.gone().await;
}

#[actix_web::test]
async fn a_statement_takes_no_longer_than_it_may_and_not_everybody_s_turn() {
    let stage = Stage::set().await;
    let login = SqlLogin::made(&stage.database).await;
    let (shop, bank) = shop_and_bank(&stage).await;
    let endless =
        json!({"sql": "SELECT count(*) FROM generate_series(1, 1000000) a, generate_series(1, 1000000) b"});
    let slow = || async { problem(asking(&stage, &shop, &endless)).await };
    let other = async { answer(&stage, &bank, "SELECT count(*) FROM events").await["rows"].clone() };
    let (one, two, three, other) = tokio::join!(slow(), slow(), slow(), other);
    let mut statuses = [one.0, two.0, three.0];
    statuses.sort_unstable();
    assert_eq!(statuses, [429, 503, 503], "two of three get a turn, and no answer in time");
    assert_eq!(other, json!([[1]]), "another project has its own turns");
    login.gone().await;
}

#[actix_web::test]
async fn nothing_gets_through_either_wall() {
    let stage = Stage::set().await;
    let login = SqlLogin::made(&stage.database).await;
    let (shop, bank) = shop_and_bank(&stage).await;

    // The outer wall: whatever it is, it is refused before the database sees it, or by PostgreSQL reading it.
    for sql in ATTACKS.iter().chain(REFUSED_AT_THE_DOOR) {
        let (status, refused) = problem(asking(&stage, &shop, &json!({ "sql": sql }))).await;
        assert_eq!((status, &refused["errors"][0]["field"]), (422, &json!("sql")), "{sql}: {refused}");
        assert!(!refused.to_string().contains("secret-"), "{sql}: {refused}");
    }

    // The inner one, without the outer: the same statements, put to the database as they are.
    let desk = SqlDesk::new(&login.url).unwrap();
    let ticket = Ticket::of(&mut *stage.connection().await, shop.id).await.unwrap();
    let limits = SqlLimits { patience: Duration::from_millis(700), rows: 1_000, bytes: 1 << 20 };
    let mut answered = Vec::new();
    for sql in ATTACKS {
        if !matches!(
            desk.ask(&ticket, sql, &[], limits).await,
            Err(SqlError::Refused { .. } | SqlError::TooSlow)
        ) {
            answered.push(sql);
        }
    }
    assert_eq!(answered, [&""; 0]);
    let seen = async |sql: &str| desk.ask(&ticket, sql, &[], limits).await.map(|table| table.rows.join("\n"));
    for sql in [
        "SELECT * FROM project_sql.events",
        "SELECT * FROM project_sql.users",
        // Conditions that fail, or tell by how long they take, on rows that they must not see.
        "SELECT 1 FROM events WHERE CASE WHEN user_id = 'bob' THEN 1 / (length(user_id) - 3) ELSE 1 END = 1",
        "SELECT user_id::int FROM events WHERE user_id <> 'ada'",
        "SELECT pg_sleep(60) FROM events WHERE user_id = 'bob'",
        "SELECT (properties->>'pin')::int FROM events WHERE event_type = 'transfer'",
        "SELECT query FROM pg_stat_activity",
        "SELECT database_to_xml(true, true, '')",
        "SELECT * FROM pg_stats",
        "SELECT * FROM pg_settings",
        "SELECT e FROM events e",
        "SELECT * FROM pg_prepared_statements",
        "SELECT * FROM pg_roles",
    ] {
        let rows = seen(sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
        assert!(!rows.contains("bob") && !rows.contains("0000-secret"), "{sql}: {rows}");
    }
    // A ticket is good for its project, and cannot be made of another.
    let forged = |project: &Project| {
        format!("SELECT set_config('millrace.ticket', '{}' || substr(current_setting('millrace.ticket'), 37), true),
                 (SELECT count(*) FROM project_sql.events)", project.id)
    };
    assert_eq!(seen("SELECT count(*) FROM events").await.unwrap(), "[2]");
    let rows = seen(&forged(&bank)).await.unwrap();
    assert!(rows.ends_with(", 0]"), "{rows}");
    for (ticket, rows) in [(Some(forged(&bank)), 0), (None, 0)] {
        let (client, connection) = tokio_postgres::connect(&login.url, tokio_postgres::NoTls).await.unwrap();
        tokio::spawn(connection);
        if let Some(forged) = ticket {
            let _ = client.batch_execute(&forged).await;
        }
        let count: i64 = client.query_one("SELECT count(*) FROM events", &[]).await.unwrap().get(0);
        assert_eq!(count, rows);
        // What the login may read at all.
        let readable = "SELECT string_agg(c.oid::regclass::text, ', ' ORDER BY 1) FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
             WHERE has_table_privilege(c.oid, 'SELECT, INSERT, UPDATE, DELETE, TRUNCATE') AND relkind IN ('r', 'v', 'm', 'p', 'f')
               AND nspname NOT IN ('pg_catalog', 'information_schema') AND nspname NOT LIKE '%timescaledb%'";
        let readable: Option<String> = client.query_one(readable, &[]).await.unwrap().get(0);
        assert_eq!(readable.unwrap(), "events, users");
        let chunks = "SELECT count(*) FROM pg_class WHERE relname LIKE '\\_hyper%chunk' AND has_table_privilege(oid, 'SELECT')";
        assert_eq!(client.query_one(chunks, &[]).await.unwrap().get::<_, i64>(0), 0);
    }
    // A lock, were it ever taken, ends with its statement: appends go on.
    seen("SELECT pg_advisory_lock(7205759403792793603)").await.unwrap();
    let appender = Appender::new(stage.database.url(), Duration::from_secs(5));
    let mut teller = Teller { appender, versions: stage.teller().versions };
    tell(&mut teller, &shop, &[did("ada", "visit", "2026-11-03T12:00:00Z")]).await;
    assert_eq!(answer(&stage, &shop, "SELECT count(*) FROM events").await["rows"], json!([[3]]));
    login.gone().await;
}

#[actix_web::test]
async fn a_login_with_rights_of_its_own_is_not_taken() {
    let database = TestDatabase::create().await;
    let owner = database.url();
    let refused = provide_login(&owner, &owner).await.unwrap_err();
    assert!(refused.to_string().contains("rights of its own"), "{refused}");
    let refused = provide_login(&owner, "postgres://somebody@127.0.0.1/x").await.unwrap_err();
    assert!(refused.to_string().contains("needs a user and a password"), "{refused}");
}
