//! What an entry's hash is of, and whether a log is what was appended.
//!
//! `hash = SHA-256(prev_hash ‖ fields)`. `prev_hash` is the 32 bytes of the entry before, 32 zero bytes for the first.
//! The fields are texts in UTF-8, each preceded by its length in bytes as a 32-bit big-endian number; one that is NULL
//! is the length `ffffffff` and nothing else. They are, in this order:
//!
//! 1. `millrace.audit.v1`, this encoding's name,
//! 2. `seq` in decimal,
//! 3. `event_id` in lower case with hyphens,
//! 4. `occurred_at` in microseconds since 1970-01-01T00:00:00Z, in decimal,
//! 5. `action`, `outcome`, `actor_kind`, `actor_id`, `target_kind`, `target_id`, `project_id`, `address`, `user_agent`,
//!    `request_id` and `details`, as they are stored; ids as above.
//!
//! No two different entries have the same bytes, so nothing can be moved from one field to its neighbour unnoticed.
//! `docs/audit.md` does the same in SQL.

use std::fmt;
use std::str::FromStr;

use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::Entry;
use crate::error::StorageError;
use crate::schema::audit_log;

const ENCODING: &str = "millrace.audit.v1";
const ABSENT: [u8; 4] = [0xff; 4];
/// Entries in memory while the log is verified.
const PAGE: i64 = 1_000;

/// The last entry of a log: whoever knows it knows whether any entry up to it was changed or taken away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// Its place, which is how many entries there are; 0 for none.
    pub seq: i64,
    /// Its hash.
    pub hash: [u8; 32],
}

impl Head {
    /// Of a log without entries.
    pub const START: Self = Self { seq: 0, hash: [0; 32] };

    pub(super) fn of(entry: &Entry) -> Result<Self, StorageError> {
        let hash = entry.hash.as_slice().try_into();
        let hash =
            hash.map_err(|_length| StorageError::Corrupt(format!("the hash of entry {}", entry.seq)))?;
        Ok(Self { seq: entry.seq, hash })
    }
}

impl fmt::Display for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.seq)?;
        self.hash.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// A text that is no head.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be a number, a colon and 64 hexadecimal digits, as `millrace admin audit verify` prints it")]
pub struct NotAHead;

impl FromStr for Head {
    type Err = NotAHead;

    fn from_str(text: &str) -> Result<Self, NotAHead> {
        let (seq, digits) = text.split_once(':').ok_or(NotAHead)?;
        let seq = seq.parse().ok().filter(|seq| *seq >= 0).ok_or(NotAHead)?;
        if digits.len() != 64 || !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return Err(NotAHead);
        }
        let mut hash = [0; 32];
        for (place, byte) in hash.iter_mut().enumerate() {
            let pair = digits.get(place * 2..place * 2 + 2).ok_or(NotAHead)?;
            *byte = u8::from_str_radix(pair, 16).map_err(|_not_hex| NotAHead)?;
        }
        Ok(Self { seq, hash })
    }
}

/// The hash that an entry with this content must have.
#[must_use]
pub fn hash(entry: &Entry) -> [u8; 32] {
    let id = |id: Option<Uuid>| id.map(|id| id.to_string());
    let mut hash = Sha256::new_with_prefix(&entry.prev_hash);
    for field in [
        Some(ENCODING),
        Some(&entry.seq.to_string()),
        Some(&entry.event_id.to_string()),
        Some(&entry.occurred_at.timestamp_micros().to_string()),
        Some(&entry.action),
        Some(&entry.outcome),
        Some(&entry.actor_kind),
        id(entry.actor_id).as_deref(),
        entry.target_kind.as_deref(),
        entry.target_id.as_deref(),
        id(entry.project_id).as_deref(),
        entry.address.as_deref(),
        entry.user_agent.as_deref(),
        entry.request_id.as_deref(),
        Some(&entry.details),
    ] {
        match field {
            Some(text) => {
                hash.update(u32::try_from(text.len()).unwrap_or(u32::MAX).to_be_bytes());
                hash.update(text);
            }
            None => hash.update(ABSENT),
        }
    }
    hash.finalize().into()
}

/// Where a log is not what was appended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// An entry was taken away, or put elsewhere.
    #[error("entry {expected} is missing: {found} follows {}", .expected - 1)]
    Missing {
        /// The place that must be taken.
        expected: i64,
        /// The next one that is.
        found: i64,
    },
    /// It does not name the hash of the one before it.
    #[error("entry {0} does not follow from the one before it")]
    Link(i64),
    /// Its hash is not that of its content.
    #[error("entry {0} was changed: its hash is not that of its content")]
    Content(i64),
    /// It is sound in itself and not the one that was there.
    #[error("entry {0} is not the one that was expected: the log was written anew")]
    Another(i64),
    /// The end of the log was taken away.
    #[error("entry {expected} is missing: the log ends with {last}")]
    Cut {
        /// The place that must be taken.
        expected: i64,
        /// The last one that is.
        last: i64,
    },
}

/// Why a log was not verified.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// It is not what was appended.
    #[error(transparent)]
    Broken(#[from] Broken),
    /// The database failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl Head {
    /// The head once `entry` is appended.
    ///
    /// # Errors
    /// When it was not appended here, or not with this content.
    fn extended(self, entry: &Entry) -> Result<Self, Broken> {
        let seq = self.seq + 1;
        if entry.seq != seq {
            return Err(Broken::Missing { expected: seq, found: entry.seq });
        }
        if entry.prev_hash != self.hash {
            return Err(Broken::Link(seq));
        }
        let hash = hash(entry);
        if entry.hash == hash { Ok(Self { seq, hash }) } else { Err(Broken::Content(seq)) }
    }
}

/// Reads the whole log, a page at a time, and computes every hash again. Its head, if all of it is sound and `expected`,
/// the head of an earlier moment, is part of it.
///
/// # Errors
/// The first broken link, or when the database fails.
pub async fn verify(conn: &mut AsyncPgConnection, expected: Option<Head>) -> Result<Head, VerifyError> {
    let mut head = Head::START;
    loop {
        let after = audit_log::table.filter(audit_log::seq.gt(head.seq)).order(audit_log::seq).limit(PAGE);
        let entries: Vec<Entry> = after.load(conn).await.map_err(StorageError::from)?;
        for entry in &entries {
            head = head.extended(entry)?;
            if expected.is_some_and(|expected| expected.seq == head.seq && expected != head) {
                return Err(Broken::Another(head.seq).into());
            }
        }
        if entries.is_empty() {
            break;
        }
    }
    match expected {
        Some(expected) if expected.seq > head.seq => {
            Err(Broken::Cut { expected: expected.seq, last: head.seq }.into())
        }
        Some(Head { seq: 0, hash }) if hash != Head::START.hash => Err(Broken::Another(0).into()),
        _ => Ok(head),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_read_as_it_is_written() {
        let head = Head { seq: 42, hash: [0xab; 32] };
        assert_eq!(head.to_string(), format!("42:{}", "ab".repeat(32)));
        assert_eq!(head.to_string().parse(), Ok(head));
        for text in
            ["", "42", "42:", "-1:00", &format!("1:{}", "é".repeat(32)), &format!("1:+{}", "0".repeat(63))]
        {
            assert_eq!(text.parse::<Head>(), Err(NotAHead), "{text}");
        }
    }

    #[test]
    fn every_field_counts_and_none_can_pass_for_its_neighbour() {
        let event = millrace_testkit::story::did("ada", "x", "2026-11-01T12:00:00Z").event();
        let entry = Entry {
            seq: 1,
            event_id: event.event_id.0,
            occurred_at: event.occurred_at,
            action: "a".to_owned(),
            outcome: "b".to_owned(),
            actor_kind: "c".to_owned(),
            actor_id: None,
            target_kind: None,
            target_id: None,
            project_id: None,
            address: None,
            user_agent: None,
            request_id: None,
            details: "{}".to_owned(),
            prev_hash: vec![0; 32],
            hash: Vec::new(),
        };
        let text = || Some("x".to_owned());
        let others = [
            Entry { seq: 2, ..entry.clone() },
            Entry { event_id: Uuid::nil(), ..entry.clone() },
            Entry { occurred_at: entry.occurred_at + chrono::TimeDelta::microseconds(1), ..entry.clone() },
            Entry { action: "ab".to_owned(), outcome: String::new(), ..entry.clone() },
            Entry { action: String::new(), outcome: "ab".to_owned(), ..entry.clone() },
            Entry { actor_kind: "d".to_owned(), ..entry.clone() },
            Entry { actor_id: Some(Uuid::nil()), ..entry.clone() },
            Entry { project_id: Some(Uuid::nil()), ..entry.clone() },
            Entry { target_kind: text(), ..entry.clone() },
            Entry { target_id: text(), ..entry.clone() },
            Entry { target_id: Some(String::new()), ..entry.clone() },
            Entry { address: text(), ..entry.clone() },
            Entry { user_agent: text(), ..entry.clone() },
            Entry { request_id: text(), ..entry.clone() },
            Entry { details: "{ }".to_owned(), ..entry.clone() },
            Entry { prev_hash: vec![1; 32], ..entry.clone() },
        ];
        let mut hashes: Vec<[u8; 32]> = others.iter().chain([&entry]).map(hash).collect();
        hashes.sort_unstable();
        hashes.dedup();
        assert_eq!(hashes.len(), others.len() + 1);
    }
}
