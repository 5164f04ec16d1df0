//! How a provider is spoken to: an answer is taken from where it was asked for, in time, and up to a size.
//!
//! Whoever makes the provider, or its description, point elsewhere must not make us speak to something that only we can
//! reach: nothing is followed. The environment's proxies are not used.

use std::iter::successors;
use std::time::Duration;

use millrace_runtime::launch::Fault;
use oauth2::{HttpRequest, HttpResponse};
use reqwest::header::ACCEPT;
use reqwest::redirect::Policy;
use reqwest::{Client, Request, StatusCode};
use serde::de::DeserializeOwned;

use crate::openid::error::ProviderError;
use crate::openid::issuer::Issuer;

/// How long an answer may take. A callback needs up to four of them, and less than the gateway's patience.
const PATIENCE: Duration = Duration::from_secs(5);
/// The largest sets of keys have a few dozen kilobytes.
const MAX_BYTES: usize = 256 * 1024;

/// Speaks to one provider.
#[derive(Debug)]
pub struct Wire(Client);

impl Wire {
    /// Speaks to `issuer` over TLS, unless it is on this machine.
    ///
    /// # Errors
    /// When there is no TLS to be had.
    pub fn new(issuer: &Issuer) -> Result<Self, Fault> {
        let client = Client::builder()
            .redirect(Policy::none())
            .no_proxy()
            .https_only(issuer.is_https())
            .connect_timeout(PATIENCE)
            .timeout(PATIENCE)
            .user_agent("millrace");
        Ok(Self(client.build()?))
    }

    /// What is published at `url`, as bytes.
    ///
    /// # Errors
    /// [`ProviderError`].
    pub async fn get(&self, url: &str) -> Result<Vec<u8>, ProviderError> {
        let request = self.0.get(url).header(ACCEPT, "application/json").build();
        self.fetch(request.map_err(unusable)?).await
    }

    /// What is published at `url` for whoever shows this token.
    ///
    /// # Errors
    /// [`ProviderError`].
    pub async fn get_with_token<T: DeserializeOwned>(
        &self,
        url: &str,
        token: &str,
    ) -> Result<T, ProviderError> {
        let request = self.0.get(url).header(ACCEPT, "application/json").bearer_auth(token).build();
        let body = self.fetch(request.map_err(unusable)?).await?;
        // What cannot be read may be personal: only where it stands is told.
        serde_json::from_slice(&body).map_err(|error| {
            ProviderError::Unusable(format!(
                "{url}: not as expected at line {} column {}",
                error.line(),
                error.column()
            ))
        })
    }

    async fn fetch(&self, request: Request) -> Result<Vec<u8>, ProviderError> {
        let url = request.url().to_string();
        let response = self.execute(request).await?;
        match response.status() {
            StatusCode::OK => Ok(response.into_body()),
            status => Err(ProviderError::Unusable(format!("{url} answers {status}"))),
        }
    }

    /// Sends a request that `oauth2` made.
    ///
    /// # Errors
    /// [`ProviderError`].
    pub async fn send(&self, request: HttpRequest) -> Result<HttpResponse, ProviderError> {
        self.execute(Request::try_from(request).map_err(unusable)?).await
    }

    async fn execute(&self, request: Request) -> Result<HttpResponse, ProviderError> {
        let url = request.url().to_string();
        let mut response = self.0.execute(request).await.map_err(|error| away(&error))?;
        let status = response.status();
        if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS {
            return Err(ProviderError::Away(format!("{url} answers {status}")));
        }
        if status.is_redirection() {
            return Err(ProviderError::Unusable(format!("{url} sends us elsewhere")));
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| away(&error))? {
            if body.len() + chunk.len() > MAX_BYTES {
                return Err(ProviderError::Unusable(format!("{url} answers more than {MAX_BYTES} bytes")));
            }
            body.extend_from_slice(&chunk);
        }
        let mut answer = HttpResponse::new(body);
        *answer.status_mut() = status;
        *answer.headers_mut() = std::mem::take(response.headers_mut());
        Ok(answer)
    }
}

fn unusable(error: reqwest::Error) -> ProviderError {
    ProviderError::Unusable(error.to_string())
}

/// reqwest keeps the reason in the source.
fn away(error: &reqwest::Error) -> ProviderError {
    let causes =
        successors(Some(error as &dyn std::error::Error), |error| error.source()).map(ToString::to_string);
    ProviderError::Away(causes.collect::<Vec<_>>().join(": "))
}
