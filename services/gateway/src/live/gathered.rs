//! What comes from all ingests within a tenth of a second, gathered into one frame for every client: a client costs ten
//! writes a second, however many messages come; fewer in a crowd, and in a flood of events.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use actix_web::web::Bytes;
use futures_util::{Stream, StreamExt};
use millrace_domain::ids::ProjectId;
use millrace_messaging::broker::Broker;
use millrace_messaging::live::{self, LiveMessage, Watched, sample_rate};
use tokio::sync::broadcast;
use tokio::time::{Instant, sleep, sleep_until};

use crate::sockets::frame;
use crate::sockets::hub::Standing;

/// How long events are gathered, but for the first after a pause, which are told at once.
const GATHER: Duration = Duration::from_millis(100);
/// What each open socket of the gateway adds to that: at most 50,000 frames a second go out, whatever the number of
/// sockets and of projects. With 5,000 of them an event waits no longer than with one, a tenth of a second; the rest of
/// the quarter that it may take to reach all of them is for writing.
const GATHER_PER_SOCKET: Duration = Duration::from_micros(20);
/// More events than this a second are a flood: nobody reads them, and who sends them needs the machine.
const FLOOD_PER_SECOND: u64 = 10_000;
/// How long each open socket of the gateway makes the others wait for the next frame in a flood: at most 5,000 frames a
/// second go out. A frame still has only what came in the last tenth of a second, so what is told is as recent as ever.
const FLOOD_PER_SOCKET: Duration = Duration::from_micros(200);
/// The most events in a frame; of more, a sample is told.
const MAX_EVENTS: usize = 500;
/// The most bytes in a frame, about.
const MAX_BYTES: usize = 512 * 1024;
/// The most bytes in the frames of all sockets of the gateway, about: ten times this a second is what watching may cost.
/// With more sockets each sees fewer events, but always one.
const FAN_OUT_BYTES: usize = 4 * 1024 * 1024;
/// How long after a failure the broker is asked again.
const PAUSE: Duration = Duration::from_secs(1);

/// An event, as far as filters look at it, and as it is told.
#[derive(Debug)]
pub struct Event {
    pub(super) event_type: Box<str>,
    pub(super) user_id: Box<str>,
    pub(super) json: Box<str>,
}

/// Events that are told together.
#[derive(Debug, Default)]
pub struct Gathered {
    accepted: u64,
    bytes: usize,
    events: Vec<Event>,
    whole: OnceLock<Bytes>,
}

impl Gathered {
    /// All of them, as a frame that all clients share.
    #[must_use]
    pub fn whole(&self) -> Bytes {
        self.whole.get_or_init(|| self.frame(self.events.iter())).clone()
    }

    /// Some of them; `None` if there are none.
    #[must_use]
    pub fn some(&self, is_wanted: impl Fn(&Event) -> bool) -> Option<Bytes> {
        let mut wanted = self.events.iter().filter(|event| is_wanted(event)).peekable();
        wanted.peek()?;
        Some(self.frame(wanted))
    }

    fn frame<'a>(&self, events: impl Iterator<Item = &'a Event>) -> Bytes {
        let rate = sample_rate(self.events.len(), self.accepted);
        let mut text = format!("{{\"type\":\"events\",\"sample_rate\":{rate},\"events\":[");
        for (place, event) in events.enumerate() {
            if place > 0 {
                text.push(',');
            }
            text.push_str(&event.json);
        }
        text.push_str("]}");
        frame::text(&text)
    }

    /// Takes the events of a message, as far as there is room for them in a frame beside those of so many sockets.
    fn add(&mut self, message: &[u8], sockets: usize) {
        let message: LiveMessage<'_> = match serde_json::from_slice(message) {
            Ok(message) => message,
            // Of a later version, or somebody else's.
            Err(error) => return tracing::warn!(%error, "live events cannot be read"),
        };
        self.accepted += message.accepted;
        let room = MAX_BYTES.min(FAN_OUT_BYTES / sockets.max(1));
        for event in message.events {
            let json = event.get();
            let is_full = self.events.len() >= MAX_EVENTS || self.bytes + json.len() > room;
            if is_full && !self.events.is_empty() {
                break;
            }
            let Ok(Watched { event_type, user_id }) = serde_json::from_str(json) else { continue };
            self.bytes += json.len();
            self.events.push(Event {
                event_type: (*event_type).into(),
                user_id: (*user_id).into(),
                json: json.into(),
            });
        }
    }
}

/// Tells a project's clients of its events, for as long as it is polled. All sockets of the gateway share what may be told.
pub(crate) async fn follow(
    broker: Broker,
    project: ProjectId,
    clients: broadcast::Sender<Arc<Gathered>>,
    sockets: Arc<AtomicUsize>,
    standing: Standing,
) {
    loop {
        match live::listen(&broker, project).await {
            Ok(messages) => {
                standing.send_replace(true);
                gather(messages, &clients, &sockets).await;
                standing.send_replace(false);
            }
            Err(error) => tracing::warn!(%error, %project, "nobody is told of live events"),
        }
        sleep(PAUSE).await;
    }
}

async fn gather(
    mut messages: impl Stream<Item = Bytes> + Unpin,
    clients: &broadcast::Sender<Arc<Gathered>>,
    sockets: &AtomicUsize,
) {
    let mut gathered = Gathered::default();
    let mut next = Instant::now();
    let mut told = next;
    loop {
        tokio::select! {
            message = messages.next() => match message {
                Some(message) => gathered.add(&message, sockets.load(Ordering::Relaxed)),
                None => return,
            },
            () = sleep_until(next), if !gathered.events.is_empty() => {
                let now = Instant::now();
                let sockets = u32::try_from(sockets.load(Ordering::Relaxed)).unwrap_or(u32::MAX);
                if is_flood(gathered.accepted, now - told) && now < told + FLOOD_PER_SOCKET.saturating_mul(sockets) {
                    gathered = Gathered { accepted: gathered.accepted, ..Gathered::default() };
                    next = now + GATHER;
                    continue;
                }
                // The last client may just have left.
                let _ = clients.send(Arc::new(std::mem::take(&mut gathered)));
                told = now;
                next = now + GATHER.max(GATHER_PER_SOCKET.saturating_mul(sockets));
            }
        }
    }
}

/// Whether so many events in this time are a flood. A few at the same moment are none.
fn is_flood(accepted: u64, time: Duration) -> bool {
    u128::from(accepted) * 1_000 > u128::from(FLOOD_PER_SECOND) * time.max(GATHER).as_millis()
}

#[cfg(test)]
pub(super) mod tests {
    use futures_util::stream;
    use serde_json::{Value, json};

    use super::*;

    fn message(events: &[(&str, &str)], accepted: u64) -> Bytes {
        let events: Vec<Value> = events
            .iter()
            .map(|(event_type, user)| json!({"event_type": event_type, "user_id": user}))
            .collect();
        json!({"accepted": accepted, "sample_rate": 1.0, "events": events}).to_string().into()
    }

    /// A message of these types and users.
    pub(in crate::live) fn of(events: &[(&str, &str)]) -> Gathered {
        let mut gathered = Gathered::default();
        gathered.add(&message(events, events.len() as u64), 1);
        gathered
    }

    fn read(frame: &Bytes) -> Value {
        let start = frame.iter().position(|byte| *byte == b'{').unwrap();
        serde_json::from_slice(&frame[start..]).unwrap()
    }

    #[test]
    fn a_frame_says_what_part_of_all_events_is_told() {
        let mut gathered = of(&[("paid", "ada"), ("seen", "bob")]);
        gathered.add(&message(&[("seen", "eve")], 4), 1);
        gathered.add(b"not json", 1);
        let told = read(&gathered.whole());
        assert_eq!((&told["type"], &told["sample_rate"]), (&json!("events"), &json!(0.5)));
        assert_eq!(told["events"].as_array().unwrap().len(), 3);
        let told = read(&gathered.some(|event| &*event.event_type == "seen").unwrap());
        assert_eq!(
            told["events"],
            json!([{"event_type": "seen", "user_id": "bob"}, {"event_type": "seen", "user_id": "eve"}])
        );
        assert_eq!(told["sample_rate"], 0.5);
    }

    #[test]
    fn no_frame_grows_beyond_its_bounds() {
        let mut gathered = Gathered::default();
        for _ in 0..3 {
            gathered.add(&message(&[("seen", "ada"); 400], 400), 1);
        }
        let told = read(&gathered.whole());
        assert_eq!(told["events"].as_array().unwrap().len(), MAX_EVENTS);
        assert!((told["sample_rate"].as_f64().unwrap() - 500.0 / 1200.0).abs() < 1e-9);
        let mut gathered = Gathered::default();
        gathered.add(&message(&[("seen", "ada"); 400], 400), 100_000);
        let told = read(&gathered.whole());
        assert_eq!(told["events"], json!([{"event_type": "seen", "user_id": "ada"}]), "one for a crowd");
    }

    #[tokio::test(start_paused = true)]
    async fn what_comes_in_a_burst_is_told_together() {
        let (clients, mut told) = broadcast::channel(8);
        let messages = stream::iter([("first", 0), ("second", 10), ("third", 30), ("fourth", 500)]);
        let messages = messages.then(|(name, pause)| async move {
            sleep(Duration::from_millis(pause)).await;
            message(&[(name, "ada")], 1)
        });
        gather(
            Box::pin(messages.chain(stream::once(async {
                sleep(GATHER * 3).await;
                Bytes::new()
            }))),
            &clients,
            &AtomicUsize::new(1),
        )
        .await;
        let mut frames = Vec::new();
        while let Ok(gathered) = told.try_recv() {
            frames.push(gathered.events.iter().map(|event| event.event_type.to_string()).collect::<Vec<_>>());
        }
        assert_eq!(frames, [vec!["first"], vec!["second", "third"], vec!["fourth"]]);
    }

    /// How long an event that comes right behind another waits, with so many sockets open.
    async fn waits(sockets: usize) -> Duration {
        let (clients, mut told) = broadcast::channel(8);
        let messages = stream::iter(["first", "second"]).then(|name| async move {
            sleep(Duration::from_millis(1)).await;
            message(&[(name, "ada")], 1)
        });
        let messages = Box::pin(messages.chain(stream::pending()));
        let sockets = AtomicUsize::new(sockets);
        let began = Instant::now();
        tokio::select! {
            () = gather(messages, &clients, &sockets) => unreachable!("messages do not end"),
            () = async { for _ in 0..2 { told.recv().await.unwrap(); } } => began.elapsed(),
        }
    }

    /// How many frames tell of three seconds with so many events, at so many sockets; and the part of them that the last
    /// frame told.
    async fn told_in_three_seconds(events_per_second: u64, sockets: usize) -> (usize, f64) {
        let (clients, mut told) = broadcast::channel(64);
        let messages = stream::iter(0..300).then(|_| async move {
            sleep(Duration::from_millis(10)).await;
            message(&[("seen", "ada")], events_per_second / 100)
        });
        gather(Box::pin(messages), &clients, &AtomicUsize::new(sockets)).await;
        let (mut frames, mut rate) = (0, 0.0);
        while let Ok(gathered) = told.try_recv() {
            frames += 1;
            rate = read(&gathered.whole())["sample_rate"].as_f64().unwrap();
        }
        (frames, rate)
    }

    #[tokio::test(start_paused = true)]
    async fn a_flood_is_told_to_a_crowd_once_a_second_and_says_so() {
        let (frames, rate) = told_in_three_seconds(100_000, 5_000).await;
        assert!((3..=4).contains(&frames), "{frames} frames");
        assert!(rate < 1.5e-4, "ten or so of a second's events, not {rate}");
        let (calm, rate) = told_in_three_seconds(1_000, 5_000).await;
        assert!(calm >= 27 && (rate - 0.1).abs() < 1e-9, "{calm} frames of {rate}");
        assert!(told_in_three_seconds(100_000, 1).await.0 >= 27, "one costs nothing");
    }

    #[tokio::test(start_paused = true)]
    async fn five_thousand_wait_as_long_as_one_and_a_crowd_longer() {
        let at_most = Duration::from_millis(10);
        assert!(waits(1).await < GATHER + at_most && waits(5_000).await < GATHER + at_most);
        assert!(waits(50_000).await >= GATHER * 10);
    }
}
