//! Signing in with an OpenID provider: OAuth 2.0's authorisation code flow ([RFC 6749](https://www.rfc-editor.org/rfc/rfc6749))
//! with PKCE ([RFC 7636](https://www.rfc-editor.org/rfc/rfc7636)), and
//! [OpenID Connect](https://openid.net/specs/openid-connect-core-1_0.html) on top.
//!
//! A sign-in begins here ([`OpenId::begin`]): what it must agree with later is kept in Redis ([`pending`]), under a key
//! that takes the browser's cookie and the `state` of the callback together. The browser comes back with a code
//! ([`callback`]), which is exchanged for an ID token ([`exchange`]) that one of the provider's keys must have signed
//! for this very sign-in ([`OpenId::finish`]). Whose account that is, [`admission`] decides.
//!
//! What the provider publishes is looked up by its issuer ([`discovery`]) and kept for a while ([`kept`]). It is spoken
//! to over one client that follows nobody elsewhere ([`wire`]).

use std::sync::Arc;
use std::time::Duration;

use millrace_cache::sign_ins::SignIns;
use millrace_runtime::launch::Fault;
use millrace_security::id_token::{self, Expected, IdTokenError, Person, ProviderKeys};
use millrace_security::secret_text;
use oauth2::url::Url;

pub mod admission;
pub mod binding;
pub mod callback;
pub mod discovery;
pub mod error;
pub mod exchange;
pub mod issuer;
pub mod kept;
pub mod pending;
pub mod return_to;
pub mod settings;
pub mod wire;

use binding::Binding;
use callback::Callback;
use discovery::Metadata;
use error::{OpenIdError, ProviderError};
use exchange::Exchange;
use kept::Kept;
use pending::{Pending, Wish};
use settings::Settings;
use wire::Wire;

/// A provider moves its endpoints rarely.
const METADATA_LIFETIME: Duration = Duration::from_secs(60 * 60);
/// A key that the provider has withdrawn is believed for this long.
const KEYS_LIFETIME: Duration = Duration::from_secs(10 * 60);

/// The provider that people may sign in with.
#[derive(Debug)]
pub struct OpenId {
    settings: Settings,
    sign_ins: SignIns,
    wire: Wire,
    metadata: Kept<Metadata>,
    keys: Kept<ProviderKeys>,
}

/// A sign-in that has begun.
#[derive(Debug)]
pub struct Begun {
    /// Where the browser goes now.
    pub authorise: Url,
    /// What it must show when it comes back.
    pub binding: Binding,
}

/// Somebody whom the provider vouches for.
#[derive(Debug)]
pub struct Proven {
    /// Whom.
    pub person: Person,
    /// What they wanted to end with.
    pub wish: Wish,
}

impl OpenId {
    /// Nobody is spoken to until somebody signs in: auth starts without its provider.
    ///
    /// # Errors
    /// When the address of Redis is none, or there is no TLS to be had.
    pub fn new(settings: Settings, redis_url: &str) -> Result<Self, Fault> {
        Ok(Self {
            wire: Wire::new(&settings.issuer)?,
            sign_ins: SignIns::new(redis_url)?,
            metadata: Kept::new(METADATA_LIFETIME),
            keys: Kept::new(KEYS_LIFETIME),
            settings,
        })
    }

    /// What an operator says of it.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Begins a sign-in.
    ///
    /// # Errors
    /// When the provider or Redis is away.
    pub async fn begin(&self, wish: Wish) -> Result<Begun, OpenIdError> {
        let metadata = self.metadata().await?;
        let (state, binding) = (secret_text::generate("")?, Binding::generate()?);
        let pending = Pending::generate(wish)?;
        let authorise = Exchange::new(&self.settings, &metadata).authorise(&state, &pending);
        self.sign_ins.begin(&pending::key(&state, &binding), &serde_json::to_string(&pending)?).await?;
        Ok(Begun { authorise, binding })
    }

    /// Finishes a sign-in that this browser began.
    ///
    /// # Errors
    /// Says why it comes to nothing. The browser has to begin again in any case.
    pub async fn finish(&self, callback: Callback, binding: Option<Binding>) -> Result<Proven, OpenIdError> {
        let state = callback.state.as_deref().ok_or(OpenIdError::Incomplete("state"))?;
        let binding = binding.ok_or(OpenIdError::Unknown)?;
        let kept = self.sign_ins.take(&pending::key(state, &binding)).await?.ok_or(OpenIdError::Unknown)?;
        let Pending { verifier, nonce, wish } = serde_json::from_str(&kept)?;
        let metadata = self.metadata().await?;
        metadata.is_from(&self.settings.issuer, callback.iss.as_deref())?;
        let code = callback.code()?;
        let tokens = Exchange::new(&self.settings, &metadata).tokens(&self.wire, code, verifier).await?;
        let person = self.believe(&metadata, &tokens.id_token, &nonce).await?;
        let person = self.complete(&metadata, person, &tokens.access_token).await?;
        Ok(Proven { person, wish })
    }

    async fn metadata(&self) -> Result<Arc<Metadata>, ProviderError> {
        let issuer = &self.settings.issuer;
        let fetch = async || Metadata::parse(&self.wire.get(&issuer.description()).await?, issuer);
        self.metadata.get(fetch).await
    }

    /// Whom the ID token names.
    async fn believe(&self, metadata: &Metadata, token: &str, nonce: &str) -> Result<Person, OpenIdError> {
        let fetch = async || {
            let url = metadata.keys.as_str();
            let keys = ProviderKeys::parse(&self.wire.get(url).await?);
            keys.map_err(|error| ProviderError::Unusable(format!("{url}: {error}")))
        };
        let (issuer, client_id) = (self.settings.issuer.as_str(), self.settings.client_id.as_str());
        let expected = Expected { issuer, client_id, nonce };
        let keys = self.keys.get(fetch).await?;
        match id_token::verify(token, &keys, expected) {
            // The provider may sign with a key that it has published since.
            Err(IdTokenError::UnknownKey) => {
                let keys = self.keys.other_than(&keys, fetch).await?.ok_or(IdTokenError::UnknownKey)?;
                Ok(id_token::verify(token, &keys, expected)?)
            }
            verdict => Ok(verdict?),
        }
    }

    /// Adds what a provider tells apart from the ID token, as it may
    /// ([OpenID Connect Core](https://openid.net/specs/openid-connect-core-1_0.html), 5.4).
    async fn complete(
        &self,
        metadata: &Metadata,
        person: Person,
        access_token: &str,
    ) -> Result<Person, OpenIdError> {
        let (None, Some(url)) = (&person.email, &metadata.user_info) else { return Ok(person) };
        let said: Person = self.wire.get_with_token(url.as_str(), access_token).await?;
        if said.subject == person.subject {
            Ok(said)
        } else {
            // The access token may be somebody else's (5.3.2).
            Err(ProviderError::Unusable("it tells of another person than its ID token".to_owned()).into())
        }
    }
}
