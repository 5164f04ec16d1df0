//! The access tokens of this installation, and the keys that sign them.
//!
//! Keys succeed each other. A new one is published before it signs, so that whoever keeps a copy of the JWK set has it
//! by then; an old one is believed until the last token that it signed has expired.

use std::sync::{Arc, PoisonError, RwLock};

use chrono::{DateTime, Utc};
use millrace_runtime::launch::Fault;
use millrace_security::envelope::MasterKey;
use millrace_security::signing_key::{SigningKey, SigningKeyError, VerifyingKey, jwks};
use millrace_security::token::{Claims, Holder, Issuer, LEEWAY, LIFETIME, TokenError, Verifier};
use millrace_storage::database::Database;
use millrace_storage::error::StorageError;
use millrace_storage::signing_keys::{self, NewSigningKey, SigningKeyRow};

/// Makes and believes access tokens.
#[derive(Debug)]
pub struct Tokens {
    master: MasterKey,
    issuer: String,
    keys: RwLock<Arc<Keys>>,
}

/// The keys of the moment.
#[derive(Debug)]
struct Keys {
    /// In their order; each signs until the time beside it.
    signing: Vec<(Issuer, Option<DateTime<Utc>>)>,
    verifier: Verifier,
    jwks: serde_json::Value,
}

/// Why the keys cannot be taken from the database.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    /// The database did not do it.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// A key was sealed under another master key, or is none.
    #[error("MILLRACE_MASTER_KEY: {0}")]
    Key(#[from] SigningKeyError),
    /// The JWK set cannot be written.
    #[error("the JWK set cannot be written: {0}")]
    Jwks(#[from] serde_json::Error),
}

impl Tokens {
    /// Takes the keys from the database. The first service that ever starts makes one.
    ///
    /// # Errors
    /// When the database is away, or a key does not open under this master key.
    pub async fn load(database: &Database, master: &MasterKey, issuer: &str) -> Result<Self, Fault> {
        let mut conn = database.connection().await?;
        if signing_keys::newest(&mut conn).await?.is_none() {
            let new = SigningKey::generate()?;
            let (public, private_box) = (new.public(), &new.seal(master)?);
            let new = NewSigningKey { kid: public.kid(), public_pem: public.pem(), private_box };
            signing_keys::ensure(&mut conn, new).await?;
        }
        drop(conn);
        let keys = RwLock::new(Arc::new(Keys::load(database, master, issuer).await?));
        Ok(Self { master: master.clone(), issuer: issuer.to_owned(), keys })
    }

    /// Takes the keys from the database again. Whether others are believed than before.
    ///
    /// # Errors
    /// Those of [`Tokens::load`]; the keys stay what they were.
    pub async fn reload(&self, database: &Database) -> Result<bool, KeysError> {
        let new = Arc::new(Keys::load(database, &self.master, &self.issuer).await?);
        let mut keys = self.keys.write().unwrap_or_else(PoisonError::into_inner);
        let others = keys.jwks != new.jwks;
        *keys = new;
        Ok(others)
    }

    /// A token, good from `now`.
    ///
    /// # Errors
    /// When there is no key, or it does not sign.
    pub fn issue(&self, holder: Holder, now: DateTime<Utc>) -> Result<String, TokenError> {
        let keys = self.keys();
        let mut in_order = keys.signing.iter();
        let signs = in_order.find(|(_, until)| until.is_none_or(|until| now < until));
        signs.ok_or(TokenError::UnknownKey)?.0.issue(holder, now)
    }

    /// What a token says, if it is to be believed.
    ///
    /// # Errors
    /// Says why not.
    pub fn verify(&self, token: &str) -> Result<Claims, TokenError> {
        self.keys().verifier.verify(token)
    }

    /// The public halves of the keys, as a JWK set.
    #[must_use]
    pub fn jwks(&self) -> serde_json::Value {
        self.keys().jwks.clone()
    }

    fn keys(&self) -> Arc<Keys> {
        Arc::clone(&self.keys.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Keys {
    async fn load(database: &Database, master: &MasterKey, issuer: &str) -> Result<Self, KeysError> {
        let now = Utc::now();
        let mut conn = database.connection().await?;
        let rows = signing_keys::since(&mut conn, now - LIFETIME - LEEWAY).await?;
        let public = rows.iter().map(|row| VerifyingKey::from_pem(&row.public_pem));
        let public: Vec<VerifyingKey> = public.collect::<Result<_, _>>()?;
        let signs = |row: &&SigningKeyRow| row.retired_at.is_none_or(|until| now < until);
        let signing = rows.iter().filter(signs).map(|row| {
            let key = SigningKey::open(&row.kid, &row.private_box, master)?;
            Ok((Issuer::new(issuer, key), row.retired_at))
        });
        Ok(Self {
            signing: signing.collect::<Result<_, SigningKeyError>>()?,
            jwks: serde_json::to_value(jwks(&public))?,
            verifier: Verifier::new(issuer, public),
        })
    }
}
