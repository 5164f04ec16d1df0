//! `millrace-chaos`: senders send, everything breaks, and afterwards every acknowledged event is stored once.
//!
//! Services are killed and their connections cut. Under `deploy/stack/with`, which gives the run servers of its own,
//! PostgreSQL, NATS and Redis are killed as well. The run is the same for the same `--seed`, as far as a race can be.

mod crowd;
mod faults;
mod ledger;
mod product;
mod verdict;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Parser;
use tokio_util::sync::CancellationToken;

use crowd::Crowd;
use faults::Faults;
use ledger::Ledger;
use product::Product;
use verdict::Verdict;

/// Break everything for a while, then count
#[derive(Clone, Debug, Parser)]
#[command(name = "millrace-chaos")]
struct Args {
    /// Events to send
    #[arg(long, default_value_t = 500_000)]
    events: usize,
    /// Seconds to spread them over
    #[arg(long, default_value_t = 600)]
    seconds: u64,
    /// What the order of things follows from
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Senders at the same time
    #[arg(long, default_value_t = 8)]
    senders: usize,
    /// The longest time between two faults, in milliseconds
    #[arg(long, default_value_t = 4_000)]
    calm: u64,
    /// Seconds that the product has afterwards to store what it owes
    #[arg(long, default_value_t = 300)]
    patience: u64,
}

#[tokio::main]
async fn main() -> ExitCode {
    let args = Args::parse();
    match run(&args).await {
        Ok(verdict) => {
            print!("{verdict}");
            if verdict.is_good() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(error) => {
            eprintln!("millrace-chaos: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(args: &Args) -> anyhow::Result<Verdict> {
    let product = Arc::new(Product::start().await?);
    let ledger = Arc::new(Ledger::default());
    let began = Instant::now();
    let over = CancellationToken::new();
    let watching = tokio::spawn(Arc::clone(&product).supervise(over.clone()));
    let crowd = Crowd {
        url: product.url(),
        key: product.key.reveal().to_owned(),
        ledger: Arc::clone(&ledger),
        events: args.events,
        duration: Duration::from_secs(args.seconds),
        seed: args.seed,
    };
    let sending = tokio::spawn(crowd.send(args.senders));
    let mut faults = Faults::new(Arc::clone(&product), args.seed, Duration::from_millis(args.calm));
    let faults = faults.until(began + Duration::from_secs(args.seconds)).await?;
    sending.await?;
    product.until_the_log_is_empty(Duration::from_secs(args.patience)).await?;
    let verdict = Verdict::reach(&product, &ledger, faults, began.elapsed()).await?;
    over.cancel();
    watching.await?;
    Ok(verdict)
}
