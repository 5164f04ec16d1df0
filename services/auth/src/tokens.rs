//! The access tokens of this installation, the cookies of its browser sessions, and the keys that sign both.
//!
//! Keys succeed each other. A new one is published before it signs, so that whoever keeps a copy of the JWK set has it
//! by then; an old one is believed until the last token that it signed has expired. Cookies live longer than access
//! tokens, so a key is believed for them long after it has left the JWK set.

use std::sync::{Arc, PoisonError, RwLock};

use chrono::{DateTime, Utc};
use millrace_domain::ids::{AccountId, SessionId};
use millrace_runtime::launch::Fault;
use millrace_security::browser_session::{self, CookieError, CookieKey};
use millrace_security::csrf::CsrfKey;
use millrace_security::envelope::MasterKey;
use millrace_security::signing_key::{SigningKey, SigningKeyError, VerifyingKey, jwks};
use millrace_security::token::{Claims, Holder, Issuer, LEEWAY, LIFETIME, TokenError, Verifier};
use millrace_storage::database::Database;
use millrace_storage::error::StorageError;
use millrace_storage::signing_keys::{self, NewSigningKey, SigningKeyRow};

/// Makes and believes access tokens and cookies.
#[derive(Debug)]
pub struct Tokens {
    master: MasterKey,
    issuer: String,
    cookie_key: CookieKey,
    csrf_key: CsrfKey,
    keys: RwLock<Arc<Keys>>,
}

/// The keys of the moment.
#[derive(Debug)]
struct Keys {
    /// In their order; each signs until the time beside it.
    signing: Vec<(Issuer, Option<DateTime<Utc>>)>,
    verifier: Verifier,
    cookies: Verifier<browser_session::Claims>,
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
        let (cookie_key, csrf_key) = (CookieKey::derive(master)?, CsrfKey::derive(master)?);
        Ok(Self { master: master.clone(), issuer: issuer.to_owned(), cookie_key, csrf_key, keys })
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
        self.keys().signs(now)?.issue(holder, now)
    }

    /// What a token says, if it is to be believed.
    ///
    /// # Errors
    /// Says why not.
    pub fn verify(&self, token: &str) -> Result<Claims, TokenError> {
        self.keys().verifier.verify(token)
    }

    /// A cookie for a session, good from `now`.
    ///
    /// # Errors
    /// When there is no key, or it does not sign.
    pub fn seal_cookie(
        &self,
        session: (AccountId, SessionId),
        now: DateTime<Utc>,
    ) -> Result<String, CookieError> {
        browser_session::seal(&self.cookie_key, self.keys().signs(now)?, session, now)
    }

    /// What a cookie says, if it is to be believed.
    ///
    /// # Errors
    /// Says why not.
    pub fn open_cookie(&self, cookie: &str) -> Result<browser_session::Claims, CookieError> {
        browser_session::open(&self.cookie_key, &self.keys().cookies, cookie)
    }

    /// What a page of this session must send with whatever changes something.
    #[must_use]
    pub fn csrf_token(&self, session: SessionId) -> String {
        self.csrf_key.token(session)
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
        let rows = signing_keys::since(&mut conn, now - browser_session::LIFETIME - LEEWAY).await?;
        let signed_since = |since: DateTime<Utc>| {
            move |row: &&SigningKeyRow| row.retired_at.is_none_or(|until| since <= until)
        };
        let public = |row: &SigningKeyRow| VerifyingKey::from_pem(&row.public_pem);
        let for_cookies: Vec<VerifyingKey> = rows.iter().map(public).collect::<Result<_, _>>()?;
        let for_tokens = rows.iter().filter(signed_since(now - LIFETIME - LEEWAY)).map(public);
        let for_tokens: Vec<VerifyingKey> = for_tokens.collect::<Result<_, _>>()?;
        let signs = |row: &&SigningKeyRow| row.retired_at.is_none_or(|until| now < until);
        let signing = rows.iter().filter(signs).map(|row| {
            let key = SigningKey::open(&row.kid, &row.private_box, master)?;
            Ok((Issuer::new(issuer, key), row.retired_at))
        });
        Ok(Self {
            signing: signing.collect::<Result<_, SigningKeyError>>()?,
            jwks: serde_json::to_value(jwks(&for_tokens))?,
            verifier: Verifier::new(issuer, for_tokens),
            cookies: Verifier::new(issuer, for_cookies),
        })
    }

    /// Who signs at this moment.
    fn signs(&self, now: DateTime<Utc>) -> Result<&Issuer, TokenError> {
        let mut in_order = self.signing.iter();
        let signs = in_order.find(|(_, until)| until.is_none_or(|until| now < until));
        signs.map(|(issuer, _)| issuer).ok_or(TokenError::UnknownKey)
    }
}
