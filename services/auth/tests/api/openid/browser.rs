//! Somebody's browser: it keeps cookies and goes where it is sent, step by step.

use std::collections::BTreeMap;

use oauth2::url::Url;
use reqwest::header::{COOKIE, LOCATION, SET_COOKIE};
use reqwest::redirect::Policy;
use reqwest::{Method, Response};
use serde_json::Value;

use crate::stage::Stage;

/// Where browsers find auth, whatever port it has.
pub(crate) const PUBLIC: &str = "http://millrace.test";
const BEGIN: &str = "/api/v1/auth/oidc";

pub(crate) struct Browser {
    client: reqwest::Client,
    /// Cookies by site and name.
    cookies: BTreeMap<(String, String), String>,
}

/// What somebody gets to see of auth.
pub(crate) struct Seen {
    pub(crate) status: u16,
    pub(crate) body: Value,
    pub(crate) retry_after: bool,
}

impl Seen {
    /// The outcome and what is said of it.
    pub(crate) fn refusal(&self) -> (u16, &str) {
        (self.status, self.body["detail"].as_str().unwrap_or_default())
    }
}

impl Browser {
    pub(crate) fn open() -> Self {
        let client = reqwest::Client::builder().redirect(Policy::none()).no_proxy().build().unwrap();
        Self { client, cookies: BTreeMap::new() }
    }

    /// Begins to sign in. Where the provider is.
    pub(crate) async fn begin(&mut self, stage: &Stage) -> Url {
        self.begin_at(stage, BEGIN).await
    }

    pub(crate) async fn begin_at(&mut self, stage: &Stage, path: &str) -> Url {
        let response = self.ask(stage, path).await;
        assert_eq!(response.status(), 302, "{:?}", response.text().await);
        location(&response)
    }

    /// Signs in at the provider as whoever these claims describe. Where the provider sends the browser back to.
    pub(crate) async fn sign_in(&mut self, provider: Url, claims: &Value) -> Url {
        self.answer(provider, &[("claims", &claims.to_string())]).await
    }

    /// Declines to.
    pub(crate) async fn decline(&mut self, provider: Url) -> Url {
        self.answer(provider, &[("deny", "1")]).await
    }

    async fn answer(&mut self, provider: Url, form: &[(&str, &str)]) -> Url {
        let question = match self.walk(provider, Method::GET, &[]).await {
            (at, Some(question)) => {
                assert_eq!(question.status(), 200, "{at}");
                at
            }
            // It knows already who this is.
            (back, None) => return back,
        };
        self.walk(question, Method::POST, form).await.0
    }

    /// Goes where it is sent, until it is shown something or sent back to auth.
    async fn walk(&mut self, mut at: Url, method: Method, form: &[(&str, &str)]) -> (Url, Option<Response>) {
        let mut response = self.visit(at.clone(), method, form).await;
        while response.status().is_redirection() {
            at = at.join(location_text(&response)).unwrap();
            if at.as_str().starts_with(PUBLIC) {
                return (at, None);
            }
            response = self.visit(at.clone(), Method::GET, &[]).await;
        }
        (at, Some(response))
    }

    /// Comes back to auth.
    pub(crate) async fn come_back(&mut self, stage: &Stage, callback: &Url) -> Seen {
        let path = callback.as_str().strip_prefix(PUBLIC).unwrap();
        seen(self.ask(stage, path).await).await
    }

    /// The whole way, as whoever these claims describe.
    pub(crate) async fn travel(&mut self, stage: &Stage, claims: &Value) -> Seen {
        let provider = self.begin(stage).await;
        let callback = self.sign_in(provider, claims).await;
        self.come_back(stage, &callback).await
    }

    /// What auth shows at `path`.
    pub(crate) async fn look(&mut self, stage: &Stage, path: &str) -> Seen {
        seen(self.ask(stage, path).await).await
    }

    pub(crate) async fn ask(&mut self, stage: &Stage, path: &str) -> Response {
        let request = stage.to(Method::GET, path);
        let (_, request) = request.build_split();
        self.send(PUBLIC.parse().unwrap(), request.unwrap()).await
    }

    async fn visit(&mut self, url: Url, method: Method, form: &[(&str, &str)]) -> Response {
        let mut body = oauth2::url::form_urlencoded::Serializer::new(String::new());
        let request = self
            .client
            .request(method, url.clone())
            .header("content-type", "application/x-www-form-urlencoded")
            .body(body.extend_pairs(form).finish());
        self.send(url, request.build().unwrap()).await
    }

    async fn send(&mut self, site: Url, mut request: reqwest::Request) -> Response {
        let site = site.origin().ascii_serialization();
        let of_site = self.cookies.iter().filter(|((of, _), _)| *of == site);
        let cookies: Vec<String> = of_site.map(|((_, name), value)| format!("{name}={value}")).collect();
        if !cookies.is_empty() {
            request.headers_mut().insert(COOKIE, cookies.join("; ").parse().unwrap());
        }
        let response = self.client.execute(request).await.unwrap();
        for cookie in response.headers().get_all(SET_COOKIE) {
            let (name, value) = cookie.to_str().unwrap().split(';').next().unwrap().split_once('=').unwrap();
            let key = (site.clone(), name.to_owned());
            if value.is_empty() {
                self.cookies.remove(&key);
            } else {
                self.cookies.insert(key, value.to_owned());
            }
        }
        response
    }

    /// What it keeps for auth: secrets.
    pub(crate) fn kept(&self) -> Vec<String> {
        let of_auth = self.cookies.iter().filter(|((site, _), _)| site == PUBLIC);
        of_auth.map(|(_, value)| value.clone()).collect()
    }

    /// What auth has it keep.
    pub(crate) fn cookies(&self) -> Vec<&str> {
        self.cookies.keys().filter(|(site, _)| site == PUBLIC).map(|(_, name)| name.as_str()).collect()
    }
}

async fn seen(response: Response) -> Seen {
    let status = response.status().as_u16();
    let retry_after = response.headers().contains_key("retry-after");
    Seen { status, body: response.json().await.unwrap_or_default(), retry_after }
}

fn location(response: &Response) -> Url {
    location_text(response).parse().unwrap()
}

fn location_text(response: &Response) -> &str {
    response.headers()[LOCATION].to_str().unwrap()
}

/// The value of a parameter.
pub(crate) fn parameter(url: &Url, name: &str) -> Option<String> {
    url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}

/// The same address with another value for a parameter; without it for `None`.
pub(crate) fn with(url: &Url, name: &str, value: Option<&str>) -> Url {
    let mut other = url.clone();
    let kept = url.query_pairs().filter(|(key, _)| key != name);
    other.query_pairs_mut().clear().extend_pairs(kept).extend_pairs(value.map(|value| (name, value)));
    other
}
