//! People with accounts, and what they may do.

use millrace_domain::access::Role;
use millrace_domain::ids::{AccountId, ProjectId};
use millrace_security::password::{Cost, Password};
use millrace_storage::accounts::{self, NewAccount};
use millrace_storage::members;
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use crate::stage::{Stage, header};

const PASSWORD: &str = "correct horse battery staple";

/// Somebody who is signed in and works on a project.
pub(crate) struct Person {
    pub(crate) id: AccountId,
    project: ProjectId,
    pub(crate) token: String,
}

impl Person {
    /// A member of the project.
    pub(crate) async fn member(stage: &Stage, project: ProjectId, name: &str, role: Role) -> Self {
        let email = format!("{name}@example.com");
        let id = account(stage, &email, false).await;
        join(stage, id, project, role).await;
        Self { id, project, token: sign_in(stage, &email).await }
    }

    /// The same person, who asks about another project.
    pub(crate) fn about(self, project: ProjectId) -> Self {
        Self { project, ..self }
    }

    /// Somebody with the system role, who is no member of anything.
    pub(crate) async fn system_admin(stage: &Stage, project: ProjectId) -> Self {
        let id = account(stage, "root@example.com", true).await;
        Self { id, project, token: sign_in(stage, "root@example.com").await }
    }

    /// Sends a request about the project.
    pub(crate) async fn send(
        &self,
        stage: &Stage,
        method: Method,
        path: &str,
        seen: Option<&str>,
        body: Option<&Value>,
    ) -> Reply {
        let mut request = stage.to(method, path).bearer_auth(&self.token);
        request = request.header("X-Project-Id", self.project.to_string());
        if let Some(tag) = seen {
            request = request.header("If-Match", tag);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        Reply::of(request).await
    }

    pub(crate) async fn get(&self, stage: &Stage, path: &str) -> Reply {
        self.send(stage, Method::GET, path, None, None).await
    }

    /// What is there, unless it is what was seen.
    pub(crate) async fn get_if_changed(&self, stage: &Stage, path: &str, seen: &str) -> Reply {
        let request = stage.to(Method::GET, path).bearer_auth(&self.token).header("If-None-Match", seen);
        Reply::of(request.header("X-Project-Id", self.project.to_string())).await
    }

    pub(crate) async fn post(&self, stage: &Stage, path: &str, body: Value) -> Reply {
        self.send(stage, Method::POST, path, None, Some(&body)).await
    }

    pub(crate) async fn patch(&self, stage: &Stage, path: &str, seen: &str, body: Value) -> Reply {
        self.send(stage, Method::PATCH, path, Some(seen), Some(&body)).await
    }

    pub(crate) async fn delete(&self, stage: &Stage, path: &str, seen: Option<&str>) -> Reply {
        self.send(stage, Method::DELETE, path, seen, None).await
    }
}

/// Somebody of every role in a project, an editor more (the author, who comes first), and the owner of another.
pub(crate) async fn cast(stage: &Stage, shop: ProjectId) -> [(&'static str, Person); 7] {
    let elsewhere = stage.project("UTC").await.id;
    [
        ("author", Person::member(stage, shop, "author", Role::Editor).await),
        ("viewer", Person::member(stage, shop, "viewer", Role::Viewer).await),
        ("editor", Person::member(stage, shop, "editor", Role::Editor).await),
        ("admin", Person::member(stage, shop, "admin", Role::Admin).await),
        ("owner", Person::member(stage, shop, "owner", Role::Owner).await),
        ("system", Person::system_admin(stage, shop).await),
        ("stranger", Person::member(stage, elsewhere, "stranger", Role::Owner).await.about(shop)),
    ]
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    /// Its `ETag`.
    pub(crate) tag: String,
    pub(crate) body: Value,
}

impl Reply {
    async fn of(request: RequestBuilder) -> Self {
        let response = request.send().await.unwrap();
        let (status, tag) = (response.status().as_u16(), header(&response, "etag"));
        Self { status, tag, body: response.json().await.unwrap_or_default() }
    }

    /// What was asked for, which was given.
    pub(crate) fn good(self) -> Self {
        assert!((200..300).contains(&self.status), "{self:?}");
        self
    }

    pub(crate) fn id(&self) -> String {
        self.body["id"].as_str().unwrap_or_else(|| panic!("{self:?}")).to_owned()
    }
}

/// An account; `is_admin` gives it the system role.
pub(crate) async fn account(stage: &Stage, email: &str, is_admin: bool) -> AccountId {
    let hash = Password::parse(PASSWORD).unwrap().hash(Cost::new(4).unwrap()).unwrap();
    let new =
        NewAccount { email, password_hash: Some(&hash), full_name: None, is_admin, email_verified: true };
    accounts::create(&mut *stage.connection().await, new).await.unwrap().id
}

/// Makes it a member.
pub(crate) async fn join(stage: &Stage, account: AccountId, project: ProjectId, role: Role) {
    members::set(&mut *stage.connection().await, project, account, role).await.unwrap();
}

/// Takes its membership away.
pub(crate) async fn leave(stage: &Stage, account: AccountId, project: ProjectId) {
    let changed = members::change(&mut *stage.connection().await, project, account, None, Role::Owner).await;
    assert!(matches!(changed, Ok(members::Changed::Done(_))), "{changed:?}");
}

/// An access token.
pub(crate) async fn sign_in(stage: &Stage, email: &str) -> String {
    let login = format!("{}/api/v1/auth/login", stage.auth);
    let body = json!({"email": email, "password": PASSWORD});
    let response = reqwest::Client::new().post(login).json(&body).send().await.unwrap();
    let answer: Value = response.json().await.unwrap();
    answer["access_token"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned()
}
