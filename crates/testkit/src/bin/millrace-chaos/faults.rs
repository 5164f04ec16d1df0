//! What breaks, when, and for how long.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use crate::product::{Product, Server};

/// Services that are killed. The others answer questions and lose nothing.
const VICTIMS: [&str; 5] = ["gateway", "ingest", "worker", "worker-2", "auth"];

#[derive(Clone, Copy, Debug)]
enum Fault {
    /// A service gets SIGKILL.
    Kill(&'static str),
    /// A server gets SIGKILL.
    Crash(Server),
    /// All connections to a server are cut, and none is made.
    Cut(Server),
    /// The log may not grow.
    Fill,
}

impl Fault {
    fn name(self) -> String {
        match self {
            Self::Kill(service) => format!("SIGKILL {service}"),
            Self::Crash(server) => format!("SIGKILL {}", server.name()),
            Self::Cut(server) => format!("cut off {}", server.name()),
            Self::Fill => "log full".to_owned(),
        }
    }
}

/// Breaks one thing after the other.
#[derive(Debug)]
pub struct Faults {
    product: Arc<Product>,
    rng: StdRng,
    calm: Duration,
    kinds: Vec<Fault>,
}

impl Faults {
    pub fn new(product: Arc<Product>, seed: u64, calm: Duration) -> Self {
        let mut kinds: Vec<Fault> = VICTIMS.into_iter().map(Fault::Kill).collect();
        kinds.extend(Server::ALL.map(Fault::Cut));
        kinds.push(Fault::Fill);
        if product.may_crash_servers() {
            kinds.extend(Server::ALL.map(Fault::Crash));
        }
        Self { product, rng: StdRng::seed_from_u64(seed), calm, kinds }
    }

    /// Goes on until then, and says how often there was what. Every kind has its turn before any comes again.
    pub async fn until(&mut self, end: Instant) -> anyhow::Result<BTreeMap<String, u32>> {
        let mut happened = BTreeMap::new();
        let mut bag: Vec<Fault> = Vec::new();
        while Instant::now() < end {
            tokio::time::sleep(self.calm.mul_f64(self.rng.random_range(0.1..1.0))).await;
            if bag.is_empty() {
                bag.clone_from(&self.kinds);
            }
            let fault = bag.swap_remove(self.rng.random_range(0..bag.len()));
            let lasting = self.calm.mul_f64(self.rng.random_range(0.05..0.8));
            self.happen(fault, lasting).await?;
            *happened.entry(fault.name()).or_default() += 1;
        }
        Ok(happened)
    }

    async fn happen(&self, fault: Fault, lasting: Duration) -> anyhow::Result<()> {
        match fault {
            // The supervisor starts it again.
            Fault::Kill(service) => self.product.kill(service).await,
            Fault::Crash(server) => self.product.crash(server, lasting).await,
            Fault::Cut(server) => {
                self.product.wire(server).cut();
                tokio::time::sleep(lasting).await;
                self.product.wire(server).mend();
                Ok(())
            }
            Fault::Fill => self.product.fill_the_log(lasting).await,
        }
    }
}
