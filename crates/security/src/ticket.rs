//! Tickets: `mrt_` and 256 random bits, good for seconds and one use, where a browser cannot send a header. What a
//! ticket stands for is kept under its hash and sealed with the ticket itself, so that whoever reads the place where it
//! is kept learns nothing.

use std::time::Duration;

use secrecy::{ExposeSecret, SecretBox};

use crate::envelope::{EnvelopeError, MasterKey};
use crate::secret_text::{self, opaque_token};

/// How long a ticket is good.
pub const LIFETIME: Duration = Duration::from_secs(30);
const PURPOSE: &str = "ticket";

opaque_token! {
    /// A ticket. Its `Debug` does not tell it; [`Ticket::reveal`] does.
    Ticket, "mrt_"
}

impl Ticket {
    /// Seals what it stands for.
    ///
    /// # Errors
    /// When there is no randomness.
    pub fn seal(&self, secret: &[u8]) -> Result<Vec<u8>, EnvelopeError> {
        self.key().seal(PURPOSE, secret)
    }

    /// Opens what was sealed with it.
    ///
    /// # Errors
    /// When it was not.
    pub fn open(&self, sealed: &[u8]) -> Result<Vec<u8>, EnvelopeError> {
        let opened: SecretBox<[u8]> = self.key().open(PURPOSE, sealed)?;
        Ok(opened.expose_secret().to_vec())
    }

    /// Not what it is found by: that is known where it is kept.
    fn key(&self) -> MasterKey {
        MasterKey::of(secret_text::hash(&format!("{PURPOSE}:{}", self.reveal())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ticket_opens_what_it_sealed_and_nothing_else_does() {
        let (ticket, other) = (Ticket::generate().unwrap(), Ticket::generate().unwrap());
        let sealed = ticket.seal(b"secret").unwrap();
        assert_eq!(Ticket::parse(ticket.reveal()).unwrap().open(&sealed).unwrap(), b"secret");
        assert!(other.open(&sealed).is_err());
        let found_by = MasterKey::of(ticket.hash());
        assert!(found_by.open(PURPOSE, &sealed).is_err(), "whoever knows where it is kept opens nothing");
    }
}
