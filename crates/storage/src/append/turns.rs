//! Turns at appending: only so many connections append at the same time, however many workers there are.
//!
//! Appends share the leaves of the same indexes and the counts of the present quarter of an hour, on which they wait for
//! each other's commits; more of them at once are slower than fewer. A turn is one of so many advisory locks, held by
//! the session: whatever ends the connection ends the turn.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::session::Session;
use crate::error::StorageError;

/// How often somebody who waits looks for a turn.
const LOOK_EVERY: Duration = Duration::from_millis(50);

impl Session {
    /// Takes a turn, if there is one or it has one.
    pub(super) async fn take_turn(&mut self, slots: u16) -> Result<bool, StorageError> {
        if self.turn.is_none() {
            let free = self.client.query_opt(&self.statements.take_turn, &[&i32::from(slots)]).await?;
            self.turn = free.map(|row| row.try_get(0)).transpose()?;
        }
        Ok(self.turn.is_some())
    }

    /// Waits for a turn.
    ///
    /// # Errors
    /// [`StorageError::Unavailable`] when there is none in time.
    pub(super) async fn await_turn(&mut self, slots: u16, patience: Duration) -> Result<(), StorageError> {
        let deadline = Instant::now() + patience;
        while !self.take_turn(slots).await? {
            if Instant::now() > deadline {
                return Err(StorageError::Unavailable("others append all the time".to_owned()));
            }
            sleep(LOOK_EVERY).await;
        }
        Ok(())
    }

    /// Gives the turn back, if it has one.
    pub(super) async fn end_turn(&mut self) -> Result<(), StorageError> {
        if let Some(slot) = self.turn.take() {
            self.client.execute(&self.statements.end_turn, &[&slot]).await?;
        }
        Ok(())
    }
}
