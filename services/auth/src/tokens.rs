//! The access tokens of this installation, and the key that signs them.

use chrono::{DateTime, Utc};
use millrace_runtime::launch::Fault;
use millrace_security::envelope::MasterKey;
use millrace_security::signing_key::{SigningKey, jwks};
use millrace_security::token::{Claims, Holder, Issuer, TokenError, Verifier};
use millrace_storage::database::Database;
use millrace_storage::signing_keys;

/// Makes and believes access tokens.
#[derive(Debug)]
pub struct Tokens {
    issuer: Issuer,
    verifier: Verifier,
    jwks: serde_json::Value,
}

impl Tokens {
    /// Takes the key that signs from the database. The first service that ever starts makes one.
    ///
    /// # Errors
    /// When the database is away, or the key does not open under this master key.
    pub async fn load(database: &Database, master: &MasterKey, issuer: &str) -> Result<Self, Fault> {
        let mut conn = database.connection().await?;
        let row = match signing_keys::active(&mut conn).await? {
            Some(row) => row,
            None => {
                let new = SigningKey::generate()?;
                let public = new.public();
                signing_keys::ensure(&mut conn, public.kid(), public.pem(), &new.seal(master)?).await?
            }
        };
        let key = SigningKey::open(&row.kid, &row.private_box, master)
            .map_err(|error| format!("MILLRACE_MASTER_KEY: {error}"))?;
        Ok(Self {
            jwks: serde_json::to_value(jwks([key.public()]))?,
            verifier: Verifier::new(issuer, [key.public().clone()]),
            issuer: Issuer::new(issuer, key),
        })
    }

    /// A token, good from `now`.
    ///
    /// # Errors
    /// When the key does not sign.
    pub fn issue(&self, holder: Holder, now: DateTime<Utc>) -> Result<String, TokenError> {
        self.issuer.issue(holder, now)
    }

    /// What a token says, if it is to be believed.
    ///
    /// # Errors
    /// Says why not.
    pub fn verify(&self, token: &str) -> Result<Claims, TokenError> {
        self.verifier.verify(token)
    }

    /// The public halves of the keys, as a JWK set.
    #[must_use]
    pub fn jwks(&self) -> &serde_json::Value {
        &self.jwks
    }
}
