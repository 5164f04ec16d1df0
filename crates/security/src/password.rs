//! Passwords: bcrypt, without its traps.
//!
//! bcrypt ignores what comes after 72 bytes, and cannot tell `a` from `a\0a`, because it repeats the password with a
//! NUL behind it. A [`Password`] is free of both, so that different passwords are different.

use std::fmt;
use std::hint::black_box;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rand::TryRngCore;
use secrecy::{ExposeSecret, SecretString};

/// Fewest bytes of a password.
pub const MIN_BYTES: usize = 8;
/// Most bytes of a password: what bcrypt looks at.
pub const MAX_BYTES: usize = 72;
/// Random bytes of a generated password: 24 characters that a shell does not touch.
const GENERATED_BYTES: usize = 18;

/// A password that obeys the law. Does not print itself.
#[derive(Clone, Debug)]
pub struct Password(SecretString);

/// Why a text cannot be a password. It does not repeat the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PasswordFault {
    /// Fewer than [`MIN_BYTES`].
    #[error("must have at least {MIN_BYTES} bytes")]
    TooShort,
    /// More than [`MAX_BYTES`].
    #[error("must have at most {MAX_BYTES} bytes, has {0}; letters outside ASCII take two to four")]
    TooLong(usize),
    /// U+0000 in it.
    #[error("must not contain the NUL character")]
    Nul,
}

impl Password {
    /// Takes a text that obeys the law.
    ///
    /// # Errors
    /// Says which part of it the text breaks.
    pub fn parse(text: &str) -> Result<Self, PasswordFault> {
        match text.len() {
            _ if text.contains('\0') => Err(PasswordFault::Nul),
            ..MIN_BYTES => Err(PasswordFault::TooShort),
            MIN_BYTES..=MAX_BYTES => Ok(Self(text.into())),
            bytes => Err(PasswordFault::TooLong(bytes)),
        }
    }

    /// A random password of 144 bits.
    ///
    /// # Errors
    /// When the operating system has no randomness to give.
    pub fn generate() -> Result<Self, rand::rand_core::OsError> {
        let mut bytes = [0; GENERATED_BYTES];
        rand::rngs::OsRng.try_fill_bytes(&mut bytes)?;
        Ok(Self(URL_SAFE_NO_PAD.encode(bytes).into()))
    }

    /// The text, to be shown once.
    #[must_use]
    pub fn reveal(&self) -> &str {
        self.0.expose_secret()
    }

    /// The bcrypt hash to store.
    ///
    /// # Errors
    /// When the operating system has no randomness for a salt.
    pub fn hash(&self, cost: Cost) -> Result<String, HashError> {
        // Not `non_truncating_hash`: it refuses 72 bytes, counting the NUL behind them, which distinguishes nothing
        // where no password holds one.
        bcrypt::hash(self.reveal(), cost.0).map_err(|error| HashError(error.to_string()))
    }
}

/// A password could not be hashed.
#[derive(Debug, thiserror::Error)]
#[error("the password cannot be hashed: {0}")]
pub struct HashError(String);

/// The work that a hash takes: 2^cost rounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cost(u32);

impl Default for Cost {
    fn default() -> Self {
        Self(12)
    }
}

impl Cost {
    /// A cost that bcrypt has: 4 to 31. Below 10 a stolen hash is cheap to guess; each step up doubles the time.
    #[must_use]
    pub fn new(cost: u32) -> Option<Self> {
        (4..=31).contains(&cost).then_some(Self(cost))
    }

    /// The cost that `hash` was made with; `None` when it is no bcrypt hash.
    #[must_use]
    pub fn of(hash: &str) -> Option<Self> {
        let parts: bcrypt::HashParts = hash.parse().ok()?;
        Self::new(parts.get_cost())
    }
}

impl fmt::Display for Cost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Whether `text` is the password that `hash` was made of. A text that could not be a password takes as long.
#[must_use]
pub fn verify(text: &str, hash: &str) -> bool {
    let matches = bcrypt::verify(text, hash).unwrap_or(false);
    matches && Password::parse(text).is_ok()
}

/// Takes the time of [`verify`] against a hash of this cost, for accounts that do not exist: a quicker answer would
/// tell which ones do.
pub fn verify_nobody(text: &str, cost: Cost) {
    let _ = black_box(bcrypt::hash_with_salt(black_box(text), cost.0, [0; 16]));
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    const QUICK: Cost = Cost(4);

    #[test]
    fn the_right_password_and_no_other_matches() {
        let hash = Password::parse("correct horse").unwrap().hash(QUICK).unwrap();
        assert!(verify("correct horse", &hash));
        for wrong in ["", "correct horsf", "Correct horse", "correct horse "] {
            assert!(!verify(wrong, &hash), "{wrong}");
        }
        assert!(!verify("correct horse", "not a hash"));
    }

    #[test]
    fn the_last_of_72_bytes_counts_and_a_73rd_is_refused() {
        let longest = "p".repeat(72);
        let hash = Password::parse(&longest).unwrap().hash(QUICK).unwrap();
        assert!(verify(&longest, &hash));
        assert!(!verify(&format!("{}q", "p".repeat(71)), &hash));
        assert!(!verify(&"p".repeat(73), &hash), "bcrypt alone would take it for the first 72");
        assert_eq!(Password::parse(&"p".repeat(73)).unwrap_err(), PasswordFault::TooLong(73));
    }

    #[test]
    fn the_law_counts_bytes() {
        assert_eq!(Password::parse("1234567").unwrap_err(), PasswordFault::TooShort);
        assert!(Password::parse("12345678").is_ok());
        assert!(Password::parse(&"ü".repeat(36)).is_ok());
        assert_eq!(Password::parse(&"ü".repeat(37)).unwrap_err(), PasswordFault::TooLong(74));
        assert_eq!(Password::parse("pass\0word").unwrap_err(), PasswordFault::Nul);
    }

    #[test]
    fn a_repetition_behind_a_nul_is_not_the_password() {
        let hash = Password::parse("password").unwrap().hash(QUICK).unwrap();
        assert!(bcrypt::verify("password\0password", &hash).unwrap(), "the trap is there");
        assert!(!verify("password\0password", &hash));
    }

    #[test]
    fn the_same_password_never_has_the_same_hash() {
        let password = Password::generate().unwrap();
        assert_ne!(password.hash(QUICK).unwrap(), password.hash(QUICK).unwrap());
        assert_ne!(password.reveal(), Password::generate().unwrap().reveal());
        assert!(Password::parse(password.reveal()).is_ok());
    }

    #[test]
    fn a_hash_tells_its_cost() {
        let hash = Password::parse("correct horse").unwrap().hash(Cost(5)).unwrap();
        assert_eq!(Cost::of(&hash), Some(Cost(5)));
        assert_eq!(Cost::of("not a hash"), None);
    }

    #[test]
    fn it_does_not_print_itself() {
        assert!(!format!("{:?}", Password::parse("correct horse").unwrap()).contains("horse"));
    }

    #[test]
    fn nobody_takes_as_long_as_somebody() {
        let cost = Cost(9);
        let hash = Password::parse("correct horse").unwrap().hash(cost).unwrap();
        // The quickest of several, so that other work on the machine does not decide.
        let quickest = |work: &dyn Fn()| {
            (0..5)
                .map(|_| {
                    let start = Instant::now();
                    work();
                    start.elapsed()
                })
                .min()
                .unwrap()
        };
        let somebody = quickest(&|| assert!(!verify("wrong", &hash)));
        let nobody = quickest(&|| verify_nobody("wrong", cost));
        assert!(nobody * 2 > somebody && nobody < somebody * 2, "{nobody:?} and {somebody:?}");
    }
}
