//! Whether a project is watched, and how much of it may be shown now. A function of what is heard and of the time.

use std::time::{Duration, Instant};

use millrace_domain::event::Event;

/// Events of a project that are shown a second, by each ingest: more than anybody reads.
const EVENTS_PER_SECOND: u32 = 500;
/// Bytes of them, about: half of what a message of the broker may have.
const BYTES_PER_SECOND: u32 = 512 * 1024;
/// What an event is reckoned to have beside its properties and its context.
const EVENT_BYTES: usize = 200;
/// How long nothing is shown after the broker has said that nobody listens. Whoever begins to listen waits as long.
const QUIET: Duration = Duration::from_secs(1);
/// How long the broker may take to say so. Until then little is shown.
const DOUBT: Duration = Duration::from_millis(250);
/// How little.
const DOUBTFUL_EVENTS: usize = 10;

/// What is known of one project's listeners.
#[derive(Debug)]
pub(super) struct Attention {
    quiet_until: Instant,
    /// When something was shown first after it was quiet.
    shown_since: Option<Instant>,
    events: Allowance,
    bytes: Allowance,
    /// Accepted since the last message.
    accepted: u64,
}

impl Attention {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            quiet_until: now,
            shown_since: None,
            events: Allowance::new(EVENTS_PER_SECOND),
            bytes: Allowance::new(BYTES_PER_SECOND),
            accepted: 0,
        }
    }

    /// Of events that are being accepted those to show, and how many they stand for. `None`: nobody listens, or these
    /// are told of with the next.
    pub(super) fn sample(&mut self, events: &[Event], now: Instant) -> Option<(u64, Vec<Event>)> {
        if now < self.quiet_until {
            return None;
        }
        let since = *self.shown_since.get_or_insert(now);
        self.accepted += u64::try_from(events.len()).unwrap_or(u64::MAX);
        let most = if now < since + DOUBT { DOUBTFUL_EVENTS } else { usize::MAX };
        let room = self.events.room(now).min(events.len()).min(most);
        let mut sample = Vec::with_capacity(room);
        // Evenly from all of them: what is alike stands side by side.
        for event in (0..room).filter_map(|nth| events.get(nth * events.len() / room)) {
            let context = event.context.as_ref().map_or(0, |context| context.as_str().len());
            let bytes = EVENT_BYTES + event.properties.as_str().len() + context;
            if self.bytes.room(now) < bytes {
                break;
            }
            self.bytes.pay(bytes);
            self.events.pay(1);
            sample.push(event.clone());
        }
        (!sample.is_empty()).then(|| (std::mem::take(&mut self.accepted), sample))
    }

    /// The broker says that nobody has listened.
    pub(super) fn nobody_listens(&mut self, now: Instant) {
        self.quiet_until = now + QUIET;
        self.shown_since = None;
        self.accepted = 0;
    }
}

/// So much a second, and at most a second's worth at once.
#[derive(Debug)]
struct Allowance {
    /// What one costs.
    price: Duration,
    /// Up to when everything is paid for.
    paid: Option<Instant>,
}

impl Allowance {
    const SAVED: Duration = Duration::from_secs(1);

    fn new(per_second: u32) -> Self {
        Self { price: Self::SAVED / per_second, paid: None }
    }

    /// How much there is.
    fn room(&mut self, now: Instant) -> usize {
        let earliest = now.checked_sub(Self::SAVED).unwrap_or(now);
        let paid = *self.paid.insert(self.paid.map_or(earliest, |paid| paid.max(earliest)));
        let saved = now.saturating_duration_since(paid).as_nanos();
        usize::try_from(saved / self.price.as_nanos()).unwrap_or(usize::MAX)
    }

    fn pay(&mut self, units: usize) {
        let cost = self.price.saturating_mul(u32::try_from(units).unwrap_or(u32::MAX));
        self.paid = self.paid.map(|paid| paid + cost);
    }
}

#[cfg(test)]
mod tests {
    use millrace_testkit::story::did;
    use proptest::prelude::*;

    use super::*;

    fn events(count: usize) -> Vec<Event> {
        vec![did("ada", "seen", "2026-11-01T12:00:00Z").event(); count]
    }

    fn shown(attention: &mut Attention, count: usize, now: Instant) -> usize {
        attention.sample(&events(count), now).map_or(0, |(_, sample)| sample.len())
    }

    #[test]
    fn little_is_shown_until_the_broker_has_had_time_to_say_that_nobody_listens() {
        let start = Instant::now() + Duration::from_secs(9);
        let mut attention = Attention::new(start);
        assert_eq!(shown(&mut attention, 100, start), DOUBTFUL_EVENTS);
        attention.nobody_listens(start);
        assert_eq!(shown(&mut attention, 100, start + QUIET / 2), 0);
        assert_eq!(shown(&mut attention, 100, start + QUIET), DOUBTFUL_EVENTS, "somebody may have come");
        assert_eq!(
            shown(&mut attention, 100, start + QUIET + DOUBT),
            100,
            "the broker did not say otherwise"
        );
    }

    #[test]
    fn a_sample_stands_for_what_was_not_shown_before_it() {
        let start = Instant::now() + Duration::from_secs(9);
        let mut attention = Attention::new(start);
        let watched = start + DOUBT;
        attention.sample(&events(1), start);
        let (accepted, sample) = attention.sample(&events(2_000), watched).unwrap();
        assert_eq!((accepted, sample.len()), (2_000, 500));
        assert!(attention.sample(&events(300), watched).is_none());
        let (accepted, sample) = attention.sample(&events(300), watched + Duration::from_millis(20)).unwrap();
        assert_eq!((accepted, sample.len()), (600, 10));
    }

    #[test]
    fn large_events_are_fewer() {
        let start = Instant::now() + Duration::from_secs(9);
        let mut attention = Attention::new(start);
        let text = "x".repeat(30 << 10);
        let large =
            did("ada", "seen", "2026-11-01T12:00:00Z").with("properties", serde_json::json!({"x": text}));
        attention.sample(&events(1), start);
        let (_, sample) = attention.sample(&vec![large.event(); 100], start + DOUBT).unwrap();
        assert_eq!(sample.len(), 16);
    }

    proptest! {
        #[test]
        fn no_more_is_shown_than_is_allowed(batches in prop::collection::vec((0usize..2_000, 0u64..300), 1..40)) {
            let start = Instant::now() + Duration::from_secs(9);
            let (mut attention, mut now) = (Attention::new(start), start);
            let (mut accepted, mut told, mut total) = (0, 0, 0);
            for (count, pause) in batches {
                now += Duration::from_millis(pause);
                accepted += count;
                if let Some((of, sample)) = attention.sample(&events(count), now) {
                    prop_assert!(sample.len() as u64 <= of);
                    total += sample.len();
                    told += usize::try_from(of).unwrap();
                }
            }
            let seconds = now.duration_since(start).as_secs_f64() + 1.0;
            prop_assert!(f64::from(u32::try_from(total).unwrap()) <= f64::from(EVENTS_PER_SECOND) * seconds + 1.0);
            prop_assert_eq!(told + usize::try_from(attention.accepted).unwrap(), accepted);
        }
    }
}
