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

    /// Whether it cannot be while the other is: a broker that is away cannot be told how large its log is.
    fn excludes(self, other: Self) -> bool {
        matches!((self, other), (Self::Fill, Self::Crash(Server::Nats)))
    }
}

/// Breaks one thing after the other, and sometimes two at once.
#[derive(Debug)]
pub struct Faults {
    product: Arc<Product>,
    rng: StdRng,
    calm: Duration,
    kinds: Vec<Fault>,
    /// Those that have not had their turn.
    bag: Vec<Fault>,
}

impl Faults {
    pub fn new(product: Arc<Product>, seed: u64, calm: Duration) -> Self {
        let mut kinds: Vec<Fault> = VICTIMS.into_iter().map(Fault::Kill).collect();
        kinds.extend(Server::ALL.map(Fault::Cut));
        kinds.push(Fault::Fill);
        if product.may_crash_servers() {
            kinds.extend(Server::ALL.map(Fault::Crash));
        }
        Self { product, rng: StdRng::seed_from_u64(seed), calm, kinds, bag: Vec::new() }
    }

    /// Goes on until then, and says how often there was what. Every kind has its turn before any comes again, and every
    /// third fault comes together with another one.
    pub async fn until(&mut self, end: Instant) -> anyhow::Result<BTreeMap<String, u32>> {
        let mut happened = BTreeMap::new();
        for step in 1.. {
            if Instant::now() >= end {
                break;
            }
            tokio::time::sleep(self.calm.mul_f64(self.rng.random_range(0.1..1.0))).await;
            let (fault, lasting) = self.draw();
            *happened.entry(fault.name()).or_default() += 1;
            if step % 3 != 0 {
                self.happen(fault, lasting).await?;
                continue;
            }
            let (other, longer) = self.draw();
            *happened.entry(other.name()).or_default() += 1;
            if fault.excludes(other) || other.excludes(fault) {
                self.happen(fault, lasting).await?;
                self.happen(other, longer).await?;
            } else {
                *happened.entry("two of these at once".to_owned()).or_default() += 1;
                tokio::try_join!(self.happen(fault, lasting), self.happen(other, longer))?;
            }
        }
        Ok(happened)
    }

    /// The next fault, and how long it lasts.
    fn draw(&mut self) -> (Fault, Duration) {
        if self.bag.is_empty() {
            self.bag.clone_from(&self.kinds);
        }
        let fault = self.bag.swap_remove(self.rng.random_range(0..self.bag.len()));
        (fault, self.calm.mul_f64(self.rng.random_range(0.05..0.8)))
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
