//! `millrace admin dead-letters`, over the API: what is replayed or deleted stands in the audit log under a name.

use anyhow::{Context, bail, ensure};
use chrono::{DateTime, SecondsFormat, Utc};
use clap::{Args, Subcommand};
use millrace_domain::ids::ProjectId;
use reqwest::{Method, RequestBuilder, StatusCode};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{note, say};
use crate::api::Problem;
use crate::client::BaseUrl;

/// Look at events that could not be stored, replay them, delete them
#[derive(Subcommand)]
pub(super) enum DeadLettersCommand {
    List(ListArgs),
    Replay(ReplayArgs),
    Drop(DropArgs),
}

/// List dead letters, oldest first: id, time, reason, project, events, detail
#[derive(Args)]
pub(super) struct ListArgs {
    /// Print each as a line of JSON, with everything that is known about it
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    meant: Meant,
    #[command(flatten)]
    account: Account,
}

/// Put dead letters back into the log: those named, or all that the options mean
#[derive(Args)]
pub(super) struct ReplayArgs {
    /// Their ids
    ids: Vec<u64>,
    #[command(flatten)]
    meant: Meant,
    #[command(flatten)]
    account: Account,
}

/// Delete dead letters: those named, or all that the options mean
#[derive(Args)]
pub(super) struct DropArgs {
    /// Their ids
    ids: Vec<u64>,
    #[command(flatten)]
    meant: Meant,
    #[command(flatten)]
    account: Account,
}

/// Which letters.
#[derive(Args)]
struct Meant {
    /// Of this project
    #[arg(long)]
    project: Option<ProjectId>,
    /// With this reason: unreadable, unknown_project, invalid, schema_violation, refused, exhausted
    #[arg(long)]
    reason: Option<String>,
    /// With events of this type
    #[arg(long)]
    event_type: Option<String>,
    /// Put away not before (RFC 3339)
    #[arg(long)]
    from: Option<DateTime<Utc>>,
    /// Put away before (RFC 3339)
    #[arg(long)]
    to: Option<DateTime<Utc>>,
}

impl Meant {
    fn fields(&self) -> Vec<(&'static str, String)> {
        let time = |time: DateTime<Utc>| time.to_rfc3339_opts(SecondsFormat::Micros, true);
        let fields = [
            ("project_id", self.project.map(|project| project.to_string())),
            ("reason", self.reason.clone()),
            ("event_type", self.event_type.clone()),
            ("from", self.from.map(time)),
            ("to", self.to.map(time)),
        ];
        fields.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
    }
}

/// Who asks, and where.
#[derive(Args)]
struct Account {
    /// The server
    #[arg(long, env = "MILLRACE_URL", default_value = "http://127.0.0.1:8080")]
    url: BaseUrl,
    /// An owner or admin of the project, or a system admin
    #[arg(long, env = "MILLRACE_ADMIN_EMAIL")]
    email: String,
    /// Their password
    #[arg(long, env = "MILLRACE_ADMIN_PASSWORD", hide_env_values = true)]
    password: String,
}

/// Somebody who is signed in.
struct Session {
    http: reqwest::Client,
    url: BaseUrl,
    token: String,
}

#[derive(Deserialize)]
struct Granted {
    access_token: String,
}

#[derive(Deserialize)]
struct Page {
    data: Vec<Value>,
    next_cursor: Option<String>,
}

#[derive(Deserialize)]
struct Done {
    #[serde(alias = "replayed", alias = "dropped")]
    letters: u64,
    complete: bool,
}

pub(super) async fn execute(command: DeadLettersCommand) -> anyhow::Result<()> {
    match command {
        DeadLettersCommand::List(args) => list(&args).await,
        DeadLettersCommand::Replay(args) => replay(&args).await,
        DeadLettersCommand::Drop(args) => drop(&args).await,
    }
}

async fn list(args: &ListArgs) -> anyhow::Result<()> {
    let session = Session::open(&args.account).await?;
    let mut cursor: Option<String> = None;
    loop {
        let mut query = args.meant.fields();
        query.push(("limit", "200".to_owned()));
        query.extend(cursor.take().map(|cursor| ("cursor", cursor)));
        let page: Page = session.ask(session.to(Method::GET, "", &query)).await?;
        for letter in &page.data {
            if args.json { say(letter)? } else { say(line(letter))? }
        }
        cursor = page.next_cursor;
        if cursor.is_none() {
            return Ok(());
        }
    }
}

fn line(letter: &Value) -> String {
    let text = |field: &str| letter.get(field).and_then(Value::as_str).unwrap_or("-");
    let id = letter.get("id").map(Value::to_string).unwrap_or_default();
    let events = letter.get("events").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let of = |event: &Value, field: &str| event.get(field).and_then(Value::as_str).unwrap_or("-").to_owned();
    let what = match events {
        [] => "-".to_owned(),
        [event] => format!("{} by {}", of(event, "event_type"), of(event, "user_id")),
        _ => format!("{} events", events.len()),
    };
    let (at, reason, project, detail) =
        (text("last_failed_at"), text("reason"), text("project_id"), text("detail"));
    format!("{id}  {at}  {reason}  {project}  {what}  {detail}")
}

async fn replay(args: &ReplayArgs) -> anyhow::Result<()> {
    let session = Session::open(&args.account).await?;
    let fields = args.meant.fields();
    let mut body: Map<String, Value> =
        fields.into_iter().map(|(name, value)| (name.to_owned(), json!(value))).collect();
    if !args.ids.is_empty() {
        body.insert("ids".to_owned(), json!(args.ids));
    }
    let request = || session.to(Method::POST, "/replay", &[]).json(&body);
    note(format_args!("{} dead letters are in the log again", until_complete(&session, request).await?));
    Ok(())
}

async fn drop(args: &DropArgs) -> anyhow::Result<()> {
    let session = Session::open(&args.account).await?;
    let fields = args.meant.fields();
    if args.ids.is_empty() {
        let request = || session.to(Method::DELETE, "", &fields);
        note(format_args!("{} dead letters are gone", until_complete(&session, request).await?));
        return Ok(());
    }
    ensure!(fields.is_empty(), "name letters, or say which are meant; not both");
    for id in &args.ids {
        session.answer(session.to(Method::DELETE, &format!("/{id}"), &[])).await?;
    }
    note(format_args!("{} dead letters are gone", args.ids.len()));
    Ok(())
}

/// What one request leaves over the next one takes up.
async fn until_complete(session: &Session, request: impl Fn() -> RequestBuilder) -> anyhow::Result<u64> {
    let mut letters = 0;
    loop {
        let done: Done = session.ask(request()).await?;
        letters += done.letters;
        if done.complete {
            return Ok(letters);
        }
    }
}

impl Session {
    async fn open(account: &Account) -> anyhow::Result<Self> {
        let Account { url, email, password } = account;
        let mut http = reqwest::Client::builder();
        if url.is_loopback() {
            http = http.no_proxy();
        }
        let mut session = Self { http: http.build()?, url: url.clone(), token: String::new() };
        let login = session.http.post(url.route("/api/v1/auth/login"));
        let granted = session.ask::<Granted>(login.json(&json!({"email": email, "password": password})));
        session.token = granted.await.context("cannot sign in")?.access_token;
        Ok(session)
    }

    fn to(&self, method: Method, below: &str, query: &[(&str, String)]) -> RequestBuilder {
        let mut url = self.url.route(&format!("/api/v1/dead-letters{below}"));
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        self.http.request(method, url).bearer_auth(&self.token)
    }

    async fn ask<T: for<'de> Deserialize<'de>>(&self, request: RequestBuilder) -> anyhow::Result<T> {
        serde_json::from_slice(&self.answer(request).await?).context("cannot read the server's answer")
    }

    async fn answer(&self, request: RequestBuilder) -> anyhow::Result<bytes::Bytes> {
        let response = request.send().await.context("the server does not answer")?;
        let status: StatusCode = response.status();
        let body = response.bytes().await?;
        if !status.is_success() {
            bail!("the server answered {status}: {}", Problem::reason(&body));
        }
        Ok(body)
    }
}
