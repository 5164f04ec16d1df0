use millrace_domain::json::JsonObject;
use millrace_testkit::database::TestDatabase;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

/// JSON texts near the edges of what is allowed, written out rather than printed from a tree.
fn json() -> impl Strategy<Value = String> {
    let number = prop_oneof![
        "-?(0|[1-9][0-9]{0,30})(\\.[0-9]{1,30})?",
        "-?[1-9](\\.[0-9]{1,5})?[eE][+-]?[0-9]{1,4}",
        Just(format!("1{}", "0".repeat(399))),
        Just(format!("0.{}1", "0".repeat(390))),
    ];
    let string = "\"([a-zé\u{10FFFF} ]|\\\\[\"\\\\/bfnrt]|\\\\u[0-9a-fA-F]{4}|\\\\ud83d\\\\ude00){0,6}\"";
    let leaf = prop_oneof![number, string.prop_map(|s| s), Just("null".to_owned()), Just("true".to_owned())];
    let value = leaf.prop_recursive(70, 200, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(|items| format!("[{}]", items.join(","))),
            inner.prop_map(|item| format!("{{\"k\": {item}}}")),
        ]
    });
    value.prop_map(|value| format!("{{\"v\": {value}}}"))
}

#[tokio::test]
async fn whatever_the_domain_accepts_the_database_takes() {
    let database = TestDatabase::empty().await;
    let client = database.client().await;
    let mut runner = TestRunner::deterministic();
    let (mut accepted, mut refused) = (0, 0);
    for _ in 0..3_000 {
        let text = json().new_tree(&mut runner).unwrap().current();
        match JsonObject::parse(&text) {
            Ok(object) => {
                accepted += 1;
                let taken =
                    client.query_one("SELECT ($1::text)::jsonb IS NOT NULL", &[&object.as_str()]).await;
                assert!(taken.is_ok(), "the database refuses {text}: {taken:?}");
            }
            Err(_) => refused += 1,
        }
    }
    assert!(accepted > 1_000 && refused > 50, "the texts cover both sides: {accepted} and {refused}");
}
