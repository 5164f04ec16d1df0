//! The authorisation code flow: the way to the provider, and a code for an ID token.

use std::fmt;

use oauth2::basic::{
    BasicErrorResponse, BasicErrorResponseType, BasicRevocationErrorResponse,
    BasicTokenIntrospectionResponse, BasicTokenType,
};
use oauth2::url::Url;
use oauth2::{
    AuthorizationCode, Client, CsrfToken, EndpointNotSet, EndpointSet, ExtraTokenFields, PkceCodeVerifier,
    RequestTokenError, Scope, StandardRevocableToken, StandardTokenResponse, TokenResponse,
};
use serde::{Deserialize, Serialize};

use crate::openid::discovery::Metadata;
use crate::openid::error::{OpenIdError, ProviderError};
use crate::openid::pending::Pending;
use crate::openid::settings::Settings;
use crate::openid::wire::Wire;

type CodeClient = Client<
    BasicErrorResponse,
    StandardTokenResponse<IdToken, BasicTokenType>,
    BasicTokenIntrospectionResponse,
    StandardRevocableToken,
    BasicRevocationErrorResponse,
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointSet,
>;

/// The field that OpenID Connect adds. Not printed.
#[derive(Serialize, Deserialize)]
struct IdToken {
    id_token: Option<String>,
}

impl fmt::Debug for IdToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("IdToken(…)")
    }
}

impl ExtraTokenFields for IdToken {}

/// What a code was exchanged for. Not printed.
pub struct Tokens {
    /// Says who it is.
    pub id_token: String,
    /// Opens what the provider says besides.
    pub access_token: String,
}

/// The provider, as far as codes go.
#[derive(Debug)]
pub struct Exchange(CodeClient);

impl Exchange {
    /// Codes of the provider that is described so.
    #[must_use]
    pub fn new(settings: &Settings, metadata: &Metadata) -> Self {
        let client = Client::new(settings.client_id.clone())
            .set_client_secret(settings.client_secret.clone())
            .set_auth_uri(metadata.authorisation.clone())
            .set_token_uri(metadata.token.clone())
            .set_auth_type(metadata.auth_type.clone())
            .set_redirect_uri(settings.redirect.clone());
        Self(client)
    }

    /// Where the browser goes to sign in.
    #[must_use]
    pub fn authorise(&self, state: &str, pending: &Pending) -> Url {
        let scopes = ["openid", "email", "profile"].map(|scope| Scope::new(scope.to_owned()));
        self.0
            .authorize_url(|| CsrfToken::new(state.to_owned()))
            .add_scopes(scopes)
            .add_extra_param("nonce", &pending.nonce)
            .set_pkce_challenge(pending.challenge())
            .url()
            .0
    }

    /// Exchanges a code.
    ///
    /// # Errors
    /// [`OpenIdError::Code`] for one that the provider does not take from us; [`ProviderError`].
    pub async fn tokens(
        &self,
        wire: &Wire,
        code: String,
        verifier: PkceCodeVerifier,
    ) -> Result<Tokens, OpenIdError> {
        let send = |request| wire.send(request);
        let request = self.0.exchange_code(AuthorizationCode::new(code)).set_pkce_verifier(verifier);
        let answer = request.request_async(&send).await.map_err(refusal)?;
        let access_token = answer.access_token().secret().clone();
        match &answer.extra_fields().id_token {
            Some(id_token) => Ok(Tokens { id_token: id_token.clone(), access_token }),
            None => Err(ProviderError::Unusable("there is no ID token for the code".to_owned()).into()),
        }
    }
}

/// What cannot be read may hold tokens: only where it cannot be read is told.
fn refusal(error: RequestTokenError<ProviderError, BasicErrorResponse>) -> OpenIdError {
    let unusable = match error {
        RequestTokenError::Request(error) => return error.into(),
        RequestTokenError::ServerResponse(said) => match said.error() {
            BasicErrorResponseType::InvalidGrant => return OpenIdError::Code,
            refused => format!("the token endpoint says {refused}"),
        },
        RequestTokenError::Parse(error, _body) => format!("the token endpoint's answer: {}", error.path()),
        RequestTokenError::Other(why) => format!("the token endpoint's answer: {why}"),
    };
    ProviderError::Unusable(unusable).into()
}
