//! How a provider describes itself
//! ([OpenID Connect Discovery](https://openid.net/specs/openid-connect-discovery-1_0.html)).

use oauth2::url::Url;
use oauth2::{AuthType, AuthUrl, TokenUrl};
use serde::Deserialize;

use crate::openid::error::{OpenIdError, ProviderError};
use crate::openid::issuer::Issuer;

/// What we need to know of a provider.
#[derive(Debug)]
pub struct Metadata {
    /// Where browsers are sent to.
    pub authorisation: AuthUrl,
    /// Where codes are exchanged.
    pub token: TokenUrl,
    /// How we prove there who we are.
    pub auth_type: AuthType,
    /// Where its keys are.
    pub keys: Url,
    /// Where it says what stands in no ID token.
    pub user_info: Option<Url>,
    /// Whether its callbacks name it.
    names_itself: bool,
}

#[derive(Deserialize)]
struct Published {
    issuer: String,
    authorization_endpoint: Url,
    token_endpoint: Url,
    jwks_uri: Url,
    userinfo_endpoint: Option<Url>,
    token_endpoint_auth_methods_supported: Option<Vec<String>>,
    #[serde(default)]
    authorization_response_iss_parameter_supported: bool,
}

impl Metadata {
    /// Reads the description that `issuer` publishes.
    ///
    /// # Errors
    /// When it is somebody else's, or points to where we do not go.
    pub fn parse(json: &[u8], issuer: &Issuer) -> Result<Self, ProviderError> {
        let unusable = |why: String| ProviderError::Unusable(format!("{}: {why}", issuer.description()));
        let said: Published = serde_json::from_slice(json).map_err(|error| unusable(error.to_string()))?;
        // Whoever describes another issuer could have us believe its tokens to be from this one (4.3).
        if said.issuer != issuer.as_str() {
            return Err(unusable(format!("describes {:?}", said.issuer)));
        }
        let endpoints = [&said.authorization_endpoint, &said.token_endpoint, &said.jwks_uri];
        for endpoint in endpoints.into_iter().chain(&said.userinfo_endpoint) {
            if !issuer.may_have(endpoint) {
                return Err(unusable(format!("{endpoint} is not an https URL")));
            }
        }
        let ways = said.token_endpoint_auth_methods_supported;
        let has = |way: &str| ways.as_ref().is_none_or(|ways| ways.iter().any(|one| one == way));
        let auth_type = match (has("client_secret_basic"), has("client_secret_post")) {
            (true, _) => AuthType::BasicAuth,
            (false, true) => AuthType::RequestBody,
            (false, false) => return Err(unusable("it takes no client secret".to_owned())),
        };
        Ok(Self {
            authorisation: AuthUrl::from_url(said.authorization_endpoint),
            token: TokenUrl::from_url(said.token_endpoint),
            auth_type,
            keys: said.jwks_uri,
            user_info: said.userinfo_endpoint,
            names_itself: said.authorization_response_iss_parameter_supported,
        })
    }

    /// That a callback is from `issuer` and not from somebody whom the browser was made to ask instead
    /// ([RFC 9207](https://www.rfc-editor.org/rfc/rfc9207), 2.4).
    ///
    /// # Errors
    /// [`OpenIdError::Mixed`].
    pub fn is_from(&self, issuer: &Issuer, said: Option<&str>) -> Result<(), OpenIdError> {
        match said {
            Some(said) if said == issuer.as_str() => Ok(()),
            None if !self.names_itself => Ok(()),
            _ => Err(OpenIdError::Mixed),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const ISSUER: &str = "https://id.example.com";

    fn read(changes: &[(&str, Value)]) -> Result<Metadata, ProviderError> {
        let mut described = json!({
            "issuer": ISSUER,
            "authorization_endpoint": "https://id.example.com/auth",
            "token_endpoint": "https://api.example.com/token",
            "jwks_uri": "https://api.example.com/keys",
        });
        for (name, value) in changes {
            described[name] = value.clone();
        }
        Metadata::parse(described.to_string().as_bytes(), &ISSUER.parse().unwrap())
    }

    #[test]
    fn a_description_must_be_of_the_issuer_and_stay_on_safe_ground() {
        assert!(read(&[]).is_ok());
        for (name, value, why) in [
            ("issuer", "https://id.example.com/", "describes"),
            ("issuer", "https://evil.example.com", "describes"),
            ("authorization_endpoint", "javascript:alert(1)", "not an https URL"),
            ("token_endpoint", "http://169.254.169.254/token", "not an https URL"),
            ("jwks_uri", "file:///etc/passwd", "not an https URL"),
            ("userinfo_endpoint", "http://127.0.0.1/me", "not an https URL"),
            ("token_endpoint", "/token", "relative"),
        ] {
            let refused = read(&[(name, json!(value))]).unwrap_err().to_string();
            assert!(refused.contains(why), "{name} {value}: {refused}");
        }
        assert!(read(&[("jwks_uri", Value::Null)]).is_err());
    }

    #[test]
    fn the_secret_is_shown_as_the_provider_wants_it() {
        let ways = |ways: Value| read(&[("token_endpoint_auth_methods_supported", ways)]);
        assert!(matches!(read(&[]).unwrap().auth_type, AuthType::BasicAuth));
        let both = ways(json!(["client_secret_post", "client_secret_basic"])).unwrap();
        assert!(matches!(both.auth_type, AuthType::BasicAuth));
        assert!(matches!(ways(json!(["client_secret_post"])).unwrap().auth_type, AuthType::RequestBody));
        assert!(ways(json!(["private_key_jwt"])).is_err());
    }

    #[test]
    fn an_answer_is_from_the_provider_that_was_asked() {
        let issuer: Issuer = ISSUER.parse().unwrap();
        let silent = read(&[]).unwrap();
        let named = read(&[("authorization_response_iss_parameter_supported", json!(true))]).unwrap();
        for (said, by_silent, by_named) in [
            (None, true, false),
            (Some(ISSUER), true, true),
            (Some("https://evil.example.com"), false, false),
            (Some("https://id.example.com/"), false, false),
            (Some(""), false, false),
        ] {
            assert_eq!(silent.is_from(&issuer, said).is_ok(), by_silent, "{said:?}");
            assert_eq!(named.is_from(&issuer, said).is_ok(), by_named, "{said:?}");
        }
    }
}
