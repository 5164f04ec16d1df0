//! A browser, as far as cookies go.

use std::collections::BTreeMap;
use std::sync::Mutex;

use millrace_testkit::wait;
use reqwest::header::{COOKIE, HeaderMap, SET_COOKIE};
use reqwest::{Method, RequestBuilder, Response};
use serde_json::{Value, json};

use crate::gateway::{Gateway, client};
use crate::stage::PASSWORD;

pub(crate) const LOGIN: &str = "/api/v1/auth/login?session=cookie";
pub(crate) const ME: &str = "/api/v1/auth/me";

/// Keeps the cookies that it is given, and shows them.
pub(crate) struct Browser<'a> {
    gateway: &'a Gateway,
    client: reqwest::Client,
    cookies: Mutex<BTreeMap<String, String>>,
    /// Sent with every request.
    extra: &'static [(&'static str, &'static str)],
}

/// What it was answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

impl Answer {
    /// The lines that set and clear cookies.
    pub(crate) fn set_cookies(&self) -> Vec<&str> {
        self.headers.get_all(SET_COOKIE).iter().map(|line| line.to_str().unwrap()).collect()
    }

    pub(crate) fn code(&self) -> &str {
        self.body["code"].as_str().unwrap_or_default()
    }

    /// Whether the browser is told to forget its session.
    pub(crate) fn clears(&self) -> bool {
        let cleared = |name: &str| {
            self.set_cookies().iter().any(|line| line.starts_with(&format!("{name}=; Max-Age=0;")))
        };
        (cleared("millrace_session") || cleared("__Host-millrace_session")) && cleared("millrace_csrf")
    }
}

impl<'a> Browser<'a> {
    pub(crate) fn before(gateway: &'a Gateway) -> Self {
        Self::saying(gateway, &[])
    }

    /// One behind a proxy, or one that says more of its requests.
    pub(crate) fn saying(gateway: &'a Gateway, extra: &'static [(&'static str, &'static str)]) -> Self {
        Self { gateway, client: client(), cookies: Mutex::default(), extra }
    }

    /// Another one with the same cookies: a second tab, or a thief.
    pub(crate) fn copy(&self) -> Self {
        let cookies = Mutex::new(self.cookies.lock().unwrap().clone());
        Self { gateway: self.gateway, client: client(), cookies, extra: self.extra }
    }

    /// A browser whose owner has signed in.
    pub(crate) async fn of(gateway: &'a Gateway, email: &str) -> Self {
        let browser = Self::before(gateway);
        assert_eq!(browser.sign_in(email).await.status, 200);
        // The gateway finds the broker, and auth answers there, a moment after they listen.
        wait::until("auth answers", async || browser.get(ME).await.status != 503).await;
        browser
    }

    pub(crate) async fn sign_in(&self, email: &str) -> Answer {
        let body = json!({"email": email, "password": PASSWORD});
        self.take(self.request(Method::POST, LOGIN).json(&body).send().await.unwrap()).await
    }

    /// A request with the cookies and nothing else.
    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let cookies = self.cookies.lock().unwrap();
        let shown: Vec<String> = cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let mut request = self.client.request(method, self.gateway.url(path));
        if !shown.is_empty() {
            request = request.header(COOKIE, shown.join("; "));
        }
        self.extra.iter().fold(request, |request, (name, value)| request.header(*name, *value))
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.take(self.request(Method::GET, path).send().await.unwrap()).await
    }

    /// As a script of our page sends it.
    pub(crate) async fn post(&self, path: &str, body: Value) -> Answer {
        let request = self.request(Method::POST, path).header("X-CSRF-Token", self.csrf());
        self.take(request.json(&body).send().await.unwrap()).await
    }

    /// The token as a script reads it.
    pub(crate) fn csrf(&self) -> String {
        self.cookies.lock().unwrap()["millrace_csrf"].clone()
    }

    pub(crate) fn session(&self) -> String {
        let cookies = self.cookies.lock().unwrap();
        cookies.get("millrace_session").or(cookies.get("__Host-millrace_session")).unwrap().clone()
    }

    /// Has it hold another session.
    pub(crate) fn put(&self, session: &str) {
        self.cookies.lock().unwrap().insert("millrace_session".to_owned(), session.to_owned());
    }

    /// Keeps and forgets cookies as the answer says.
    pub(crate) async fn take(&self, response: Response) -> Answer {
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        for line in headers.get_all(SET_COOKIE) {
            let line = line.to_str().unwrap();
            let (name, value) = line.split(';').next().unwrap().split_once('=').unwrap();
            let mut cookies = self.cookies.lock().unwrap();
            if line.contains("Max-Age=0") {
                cookies.remove(name);
            } else {
                cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        Answer { status, headers, body: response.json().await.unwrap_or_default() }
    }
}
