use crate::product::Product;

#[tokio::test(flavor = "multi_thread")]
async fn the_demo_fills_an_empty_project_once() {
    let product = Product::start("UTC").await;
    let arguments = ["demo", "--if-empty", "--days", "10", "--users", "60", "--until", "2026-11-10"];
    let with_keys = async || {
        let keys = [("--key", product.ingest_key()), ("--read-key", product.read_key())];
        let mut all: Vec<&str> = arguments.to_vec();
        for (flag, value) in &keys {
            all.extend([*flag, *value]);
        }
        product.millrace(&all).await
    };
    let (code, printed) = with_keys().await;
    assert_eq!(code, 0, "{printed}");
    let filled = product.ask("top-events?from=2026-10-25&to=2026-11-15").await;
    assert!(filled.len() > 3, "{filled:?}");

    let (code, printed) = with_keys().await;
    assert_eq!(code, 0, "{printed}");
    assert_eq!(product.ask("top-events?from=2026-10-25&to=2026-11-15").await, filled);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_event_of_a_load_arrives() {
    let product = Product::start("UTC").await;
    let arguments = ["load", "--events", "4000", "--batch", "100", "--connections", "4"];
    let (code, printed) = product.millrace(&arguments).await;
    assert_eq!(code, 0, "{printed}");
}
