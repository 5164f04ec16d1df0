use std::process::ExitCode;

use anyhow::{Context, bail, ensure};
use chrono::{DateTime, Utc};
use clap::Args;
use millrace_domain::access::Scope;
use millrace_domain::audit::action::Action;
use millrace_domain::audit::{Details, SecurityEvent, Target};
use millrace_domain::ids::{KeyId, ProjectId};
use millrace_domain::text::Name;
use millrace_messaging::revocations::Revoked;
use millrace_security::api_key::ApiKey;
use millrace_storage::api_keys::{self, ApiKeyRecord, NewApiKey};
use millrace_storage::database::Connection;
use millrace_storage::projects;

use super::announcement::Announcement;
use super::audit::did;
use super::{Desk, note, say};

/// Create an API key, and print its secret, once
#[derive(Args)]
pub(super) struct CreateKeyArgs {
    /// The project it opens
    project_id: ProjectId,
    /// What it may do: `ingest` or `read`; repeat it for both
    #[arg(long = "scope", required = true)]
    scopes: Vec<Scope>,
    /// What to call it: 1 to 100 characters
    #[arg(long, default_value = "command line")]
    name: String,
    /// When it stops working (RFC 3339) [default: never]
    #[arg(long, value_name = "TIME")]
    expires_at: Option<DateTime<Utc>>,
}

/// Take an API key away
///
/// Exit code 1: it is revoked, but the running services could not be told; they notice within half a
/// minute.
#[derive(Args)]
pub(super) struct RevokeKeyArgs {
    /// The project it opens
    project_id: ProjectId,
    /// Its id, as list-keys prints it
    key_id: KeyId,
    #[command(flatten)]
    announcement: Announcement,
}

/// List a project's API keys: id, first characters, scopes, state, name
#[derive(Args)]
pub(super) struct ListKeysArgs {
    /// The project
    project_id: ProjectId,
}

pub(super) async fn create(desk: &mut Desk, args: &CreateKeyArgs) -> anyhow::Result<()> {
    let name = Name::parse(args.name.trim()).context("the name")?;
    ensure!(args.expires_at.is_none_or(|end| Utc::now() < end), "--expires-at must be in the future");
    require_project(&mut desk.conn, args.project_id).await?;
    let (record, secret) =
        make(&mut desk.conn, args.project_id, &name, &args.scopes, args.expires_at).await?;
    note(format_args!("created the key {} ({})", record.name, record.id));
    say(secret.reveal())?;
    desk.record(created(&record)).await
}

/// That a key was made.
pub(super) fn created(key: &ApiKeyRecord) -> SecurityEvent {
    let details =
        Details { scopes: Some(key.scopes.clone()), expires_at: key.expires_at, ..Details::default() };
    did(Action::ApiKeyCreated).on(Target::ApiKey(key.id)).within(key.project_id).with(details)
}

pub(super) async fn make(
    conn: &mut Connection,
    project: ProjectId,
    name: &Name,
    scopes: &[Scope],
    expires_at: Option<DateTime<Utc>>,
) -> anyhow::Result<(ApiKeyRecord, ApiKey)> {
    let mut scopes = scopes.to_vec();
    scopes.sort_unstable();
    scopes.dedup();
    let secret = ApiKey::generate()?;
    let (hash, shown) = (secret.hash(), secret.shown());
    let new = NewApiKey { name: name.as_str(), hash: &hash.0, shown, scopes: &scopes, expires_at };
    Ok((api_keys::create(conn, project, new).await?, secret))
}

pub(super) async fn revoke(desk: &mut Desk, args: &RevokeKeyArgs) -> anyhow::Result<ExitCode> {
    if !api_keys::revoke(&mut desk.conn, args.project_id, args.key_id).await? {
        bail!("project {} has no key {} that is not revoked already", args.project_id, args.key_id);
    }
    say(format_args!("revoked {}", args.key_id))?;
    let told = args.announcement.make(desk, &Revoked::Key { key_id: args.key_id }).await;
    let event = did(Action::ApiKeyRevoked).on(Target::ApiKey(args.key_id)).within(args.project_id);
    desk.record(event).await?;
    Ok(told)
}

pub(super) async fn list(conn: &mut Connection, args: &ListKeysArgs) -> anyhow::Result<()> {
    require_project(conn, args.project_id).await?;
    for key in api_keys::of_project(conn, args.project_id).await? {
        let scopes = key.scopes.iter().map(|scope| scope.as_str()).collect::<Vec<_>>().join(",");
        let state = match (key.revoked_at, key.expires_at) {
            (Some(_), _) => "revoked",
            (None, Some(end)) if end <= Utc::now() => "expired",
            _ => "live",
        };
        say(format_args!("{}  {}…  {scopes}  {state}  {}", key.id, key.shown, key.name))?;
    }
    Ok(())
}

async fn require_project(conn: &mut Connection, id: ProjectId) -> anyhow::Result<()> {
    ensure!(projects::find(conn, id).await?.is_some(), "there is no project {id}");
    Ok(())
}
