//! Counting: what senders were told, against what is stored.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::atomic::Ordering;
use std::time::Duration;

use millrace_testkit::recount::assert_roll_ups_equal_the_events;
use uuid::Uuid;

use crate::ledger::Ledger;
use crate::product::{Product, ZONE};

/// What came out.
#[derive(Debug)]
pub struct Verdict {
    faults: BTreeMap<String, u32>,
    counts: Vec<(&'static str, u64)>,
    took: Duration,
    good: bool,
}

impl Verdict {
    /// Compares. The roll-ups must equal a recount of the events, or this panics with the difference.
    pub async fn reach(
        product: &Product,
        ledger: &Ledger,
        faults: BTreeMap<String, u32>,
        took: Duration,
    ) -> anyhow::Result<Self> {
        let client = product.database.client().await;
        let mut stored: HashMap<Uuid, u64> = HashMap::new();
        for row in client.query("SELECT event_id FROM events", &[]).await? {
            *stored.entry(row.get(0)).or_default() += 1;
        }
        let jetstream = product.jetstream().await?;
        let dead = jetstream.get_stream("DEAD_LETTERS").await?.cached_info().state.messages;
        let (sent, acknowledged) = (ledger.sent(), ledger.acknowledged());
        let number = |count: usize| u64::try_from(count).expect("a count fits");
        let missing = number(acknowledged.iter().filter(|id| !stored.contains_key(id)).count());
        let doubled = number(stored.values().filter(|times| **times > 1).count());
        let strange = number(stored.keys().filter(|id| !sent.contains(id)).count());
        let unasked = number(stored.keys().filter(|id| !acknowledged.contains(id)).count());
        let rejected = ledger.rejected.load(Ordering::Relaxed);
        assert_roll_ups_equal_the_events(&product.database, product.project, ZONE).await;
        let counts = vec![
            ("events sent", number(sent.len())),
            ("events acknowledged", number(acknowledged.len())),
            ("events stored", number(stored.len())),
            ("requests", ledger.requests.load(Ordering::Relaxed)),
            ("requests that failed", ledger.failures.load(Ordering::Relaxed)),
            ("requests repeated after their acknowledgement", ledger.repeated.load(Ordering::Relaxed)),
            ("processes started again", product.restarts.load(Ordering::Relaxed)),
            ("stored of senders that gave up", unasked),
            ("acknowledged and not stored", missing),
            ("stored twice", doubled),
            ("stored and never sent", strange),
            ("rejected", rejected),
            ("dead letters", dead),
            ("roll-ups that differ from a recount", 0),
        ];
        Ok(Self { faults, counts, took, good: missing + doubled + strange + rejected + dead == 0 })
    }

    /// Whether every acknowledged event is stored, and every event at most once.
    pub fn is_good(&self) -> bool {
        self.good
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let faults: u32 = self.faults.values().sum();
        writeln!(f, "{faults} faults in {:.0?}", self.took)?;
        for (fault, times) in &self.faults {
            writeln!(f, "  {times:>10}  {fault}")?;
        }
        writeln!(f, "counts")?;
        for (what, count) in &self.counts {
            writeln!(f, "  {count:>10}  {what}")?;
        }
        writeln!(
            f,
            "{}",
            if self.good { "nothing is lost, nothing is doubled" } else { "THE BOOKS DO NOT BALANCE" }
        )
    }
}
