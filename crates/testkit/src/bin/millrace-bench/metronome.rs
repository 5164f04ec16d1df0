//! The moments at which requests are due, to the microsecond. The timers of an asynchronous runtime go by milliseconds:
//! they would wake all connections at the same moment, a thousand times a second, and what was measured would be how long
//! requests wait for each other.

use std::io;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use anyhow::Context;
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create, timerfd_settime,
};
use tokio::io::unix::AsyncFd;

/// A timer of the system's, of one connection.
pub struct Metronome {
    timer: AsyncFd<OwnedFd>,
    next: Instant,
    interval: Duration,
}

impl Metronome {
    /// The first moment is `first`, or this one if that is over.
    pub fn start(first: Instant, interval: Duration) -> anyhow::Result<Self> {
        let timer =
            timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC)?;
        // Zero would stop it.
        let wait = first.saturating_duration_since(Instant::now()).max(Duration::from_nanos(1));
        let spec = Itimerspec { it_interval: timespec(interval)?, it_value: timespec(wait)? };
        timerfd_settime(&timer, TimerfdTimerFlags::empty(), &spec)?;
        #[expect(deprecated, reason = "sound for a descriptor that is owned, and its successor is not safe")]
        let timer = AsyncFd::new(timer)?;
        Ok(Self { timer, next: first, interval })
    }

    /// Waits for the next moment, and returns it. Who comes late for it does not wait.
    pub async fn next(&mut self) -> anyhow::Result<Instant> {
        while Instant::now() < self.next {
            let mut ready = self.timer.readable().await?;
            // How often it has rung is known from the clock.
            let read = |timer: &AsyncFd<OwnedFd>| {
                rustix::io::read(timer.get_ref(), &mut [0; 8]).map_err(io::Error::from)
            };
            if let Ok(read) = ready.try_io(read) {
                read.context("the timer can be read")?;
            }
        }
        let due = self.next;
        self.next += self.interval;
        Ok(due)
    }
}

fn timespec(time: Duration) -> anyhow::Result<Timespec> {
    Ok(Timespec { tv_sec: i64::try_from(time.as_secs())?, tv_nsec: time.subsec_nanos().into() })
}
