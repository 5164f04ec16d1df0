//! Whether a service is asked at all.
//!
//! A service that gives no answer several times in a row is left alone: whoever asks is told so at once, instead of
//! waiting for the same, and holds no connection meanwhile. Every now and then one request is let through to see, and
//! the first answer ends it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// So many in a row. Fewer, and a service that loses a few connections while it restarts is taken for dead; more, and
/// more clients wait in vain.
const FAILURES: u32 = 5;
/// How often a service that is left alone is tried. Shorter than it takes to start one, so that hardly anybody is
/// turned away when it is back.
const TRIAL_EVERY: Duration = Duration::from_millis(200);

/// The way to one service, shared by all workers of the server.
#[derive(Debug)]
pub struct Circuit {
    name: &'static str,
    room: Arc<Semaphore>,
    state: Mutex<State>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Everybody passes. So many have failed since the last answer.
    Closed { failures: u32 },
    /// Nobody passes until the next trial.
    Open { next_trial: Instant },
}

/// Why a request is not passed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoWay {
    /// The service has not been answering.
    #[error("it has not been answering and is left alone for a moment")]
    Open,
    /// It has as many requests in hand as it may have.
    #[error("it has too many requests in hand")]
    Full,
}

/// A request's place among those that a service has in hand, until it is dropped.
#[derive(Debug)]
pub struct Place {
    #[expect(dead_code, reason = "held for its Drop")]
    permit: OwnedSemaphorePermit,
}

impl Circuit {
    /// A closed one, for at most `room` requests at a time.
    #[must_use]
    pub fn new(name: &'static str, room: usize) -> Self {
        let circuit = Self {
            name,
            room: Arc::new(Semaphore::new(room)),
            state: Mutex::new(State::Closed { failures: 0 }),
        };
        circuit.show(Shown::Closed);
        circuit
    }

    /// Asks to pass at `now`. The outcome must be told: [`Self::answered`] or [`Self::failed`], or neither when it was
    /// the client that went away.
    ///
    /// # Errors
    /// When the request is better refused.
    pub fn enter(&self, now: Instant) -> Result<Place, NoWay> {
        let place = Arc::clone(&self.room).try_acquire_owned().map_err(|_none_left| NoWay::Full)?;
        let mut state = self.state();
        if let State::Open { next_trial } = *state {
            if now < next_trial {
                return Err(NoWay::Open);
            }
            *state = State::Open { next_trial: now + TRIAL_EVERY };
            self.show(Shown::HalfOpen);
        }
        Ok(Place { permit: place })
    }

    /// There was an answer, whatever it says: a service that refuses knows why, and is quick about it.
    pub fn answered(&self) {
        let mut state = self.state();
        if matches!(*state, State::Open { .. }) {
            tracing::info!(upstream = self.name, "{} answers again", self.name);
            self.show(Shown::Closed);
        }
        *state = State::Closed { failures: 0 };
    }

    /// There was none.
    pub fn failed(&self, now: Instant) {
        let mut state = self.state();
        *state = match *state {
            State::Closed { failures } if failures + 1 < FAILURES => State::Closed { failures: failures + 1 },
            State::Closed { .. } => {
                tracing::warn!(upstream = self.name, "{} is left alone: it does not answer", self.name);
                self.show(Shown::Open);
                State::Open { next_trial: now + TRIAL_EVERY }
            }
            open => {
                self.show(Shown::Open);
                open
            }
        };
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn show(&self, state: Shown) {
        let value = match state {
            Shown::Closed => 0.0,
            Shown::HalfOpen => 1.0,
            Shown::Open => 2.0,
        };
        metrics::gauge!("upstream_circuit_state", "upstream" => self.name).set(value);
    }
}

/// What `upstream_circuit_state` shows.
enum Shown {
    Closed,
    HalfOpen,
    Open,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed_once_too_often(now: Instant) -> Circuit {
        let circuit = Circuit::new("test", 2);
        for _ in 0..FAILURES {
            assert!(circuit.enter(now).is_ok());
            circuit.failed(now);
        }
        circuit
    }

    #[test]
    fn failures_in_a_row_open_it_and_one_answer_closes_it() {
        let now = Instant::now();
        let circuit = failed_once_too_often(now);
        assert_eq!(circuit.enter(now).err(), Some(NoWay::Open));
        let later = now + TRIAL_EVERY;
        assert!(circuit.enter(later).is_ok(), "one may try");
        assert_eq!(circuit.enter(later).err(), Some(NoWay::Open), "and only one");
        circuit.failed(later);
        assert_eq!(circuit.enter(later).err(), Some(NoWay::Open));
        assert!(circuit.enter(later + TRIAL_EVERY).is_ok());
        circuit.answered();
        assert!(circuit.enter(later + TRIAL_EVERY).is_ok());
        assert!(circuit.enter(later + TRIAL_EVERY).is_ok());
    }

    #[test]
    fn a_trial_of_which_nothing_is_heard_does_not_keep_it_open() {
        let now = Instant::now();
        let circuit = failed_once_too_often(now);
        for trial in 1..9 {
            assert!(circuit.enter(now + TRIAL_EVERY * trial).is_ok());
        }
    }

    #[test]
    fn answers_in_between_keep_it_closed() {
        let now = Instant::now();
        let circuit = Circuit::new("test", 1);
        for _ in 0..9 {
            for _ in 1..FAILURES {
                circuit.failed(now);
            }
            circuit.answered();
        }
        assert!(circuit.enter(now).is_ok());
    }

    #[test]
    fn there_is_room_for_so_many_and_no_more() {
        let now = Instant::now();
        let circuit = Circuit::new("test", 2);
        let places = [circuit.enter(now).unwrap(), circuit.enter(now).unwrap()];
        assert_eq!(circuit.enter(now).err(), Some(NoWay::Full));
        drop(places);
        assert!(circuit.enter(now).is_ok());
    }
}
