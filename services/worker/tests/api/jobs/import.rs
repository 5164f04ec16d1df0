use std::fmt::Write;
use std::fs;

use millrace_domain::jobs::Kind;
use serde_json::json;

use crate::bench_of_work::{Bench, Hired};

/// A file of rows without ids, some of them bad, where an import finds it.
fn deliver(bench: &Bench, name: &str, rows: u32) -> u32 {
    let mut text = "who,event_type,occurred_at,amount\n".to_owned();
    let mut bad = 0;
    for n in 0..rows {
        let (user, kind) = (n % 97, ["view", "buy"][usize::from(n % 5 == 0)]);
        let time = if n % 1_000 == 999 {
            "yesterday".to_owned()
        } else {
            format!("2026-10-{:02}T{:02}:{:02}:00Z", 1 + n % 28, n % 24, n % 60)
        };
        bad += u32::from(n % 1_000 == 999);
        writeln!(text, "user-{user},{kind},{time},{n}").unwrap();
    }
    let folder = bench.files.path().join(format!("imports/{}", bench.shop));
    fs::create_dir_all(&folder).unwrap();
    let compressed = zstd::encode_all(text.as_bytes(), 1).unwrap();
    fs::write(folder.join(name), compressed).unwrap();
    bad
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_whose_workers_are_killed_stores_every_row_once() {
    let bench = Bench::new().await;
    let bad = deliver(&bench, "shop.csv.zst", 16_000);
    let order = json!({"file": "shop.csv.zst", "map": {"who": "user_id"}, "infer_types": true});
    let id = bench.ask(Kind::Import, order.clone()).await;
    let (result, _worker) = bench.finish_with_kills(id, 2).await;
    let good = 16_000 - bad;
    assert_eq!((&result["rows"], &result["rejected"]), (&json!(16_000), &json!(bad)));
    assert_eq!(result["stored"].as_u64().unwrap() + result["duplicates"].as_u64().unwrap(), u64::from(good));
    bench.until_the_log_is_empty().await;
    assert_eq!(bench.stored().await, i64::from(good));
    bench.assert_the_books_balance().await;
    let amount = "SELECT count(*) FROM events WHERE jsonb_typeof(properties -> 'amount') = 'number'";
    let typed: i64 = bench.database.client().await.query_one(amount, &[]).await.unwrap().get(0);
    assert_eq!(typed, i64::from(good));

    // The rows that were rejected, each with its line and the reason.
    let lists: String = result["files"]
        .as_array()
        .unwrap()
        .iter()
        .map(|file| fs::read_to_string(bench.files.path().join(file["name"].as_str().unwrap())).unwrap())
        .collect();
    let lines: Vec<&str> = lists.lines().collect();
    assert_eq!(lines.len(), usize::try_from(bad).unwrap() + 1);
    assert_eq!(lines[0], "line,code,reason,row");
    assert!(
        lines[1].starts_with("1001,invalid_occurred_at,") && lines[1].ends_with("yesterday,999\""),
        "{}",
        lines[1]
    );

    // The same file again, under another name: nothing is new.
    deliver(&bench, "again.csv.zst", 16_000);
    let worker = Hired::with(bench.config()).await;
    let again = json!({"file": "again.csv.zst", "map": {"who": "user_id"}, "infer_types": true});
    let result = bench.result_of(bench.ask(Kind::Import, again).await).await;
    assert_eq!((&result["stored"], &result["duplicates"]), (&json!(0), &json!(good)));
    assert_eq!(bench.stored().await, i64::from(good));
    worker.dismiss().await;
}
