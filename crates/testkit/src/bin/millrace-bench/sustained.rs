//! A minute of batched ingest as fast as it goes: what is stored a second when nothing is left in any buffer to run
//! into, and whether memory stays where it is.

use std::time::{Duration, Instant};

use millrace_cli::load::{Extent, Plan, run};

use crate::product::Product;
use crate::report::{Limit, Report};

const TIME: Duration = Duration::from_secs(60);
/// By then every connection, buffer and cache is there.
const WARM: Duration = Duration::from_secs(20);

pub async fn measure(report: &mut Report) -> anyhow::Result<()> {
    let product = Product::start(&["auth", "ingest", "worker", "gateway"]).await?;
    let plan = Plan::new(product.url_for_load()?, product.key_for_load()?, Extent::Time(TIME));
    let started = Instant::now();
    let (load, warm) = tokio::join!(run(plan), async {
        tokio::time::sleep(WARM).await;
        product.memory()
    });
    let (load, after) = (load?, product.memory());
    product.until_stored(load.accepted, 0).await?;
    let stored = load.accepted as f64 / started.elapsed().as_secs_f64();
    report.add("accepted, durable in the log", load.accepted_per_second(), "events/s");
    report.hold("stored, sent to committed", stored, "events/s", Limit::AtLeast(100_000.0));
    for ((service, warm), (_, after)) in warm.into_iter().zip(after) {
        report.compare(&format!("memory of {service}, after a minute"), after, "MiB", "after 20 s", warm);
    }
    Ok(())
}
