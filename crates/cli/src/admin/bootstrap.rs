use std::path::PathBuf;

use anyhow::ensure;
use chrono::Utc;
use clap::Args;
use millrace_domain::access::Scope;
use millrace_domain::analytics::time_zone::TimeZone;
use millrace_domain::audit::action::Action;
use millrace_domain::audit::{Details, Target};
use millrace_domain::email::Email;
use millrace_domain::ids::{AccountId, ProjectId};
use millrace_domain::text::Name;
use millrace_security::api_key::ApiKey;
use millrace_security::password::{self, Cost, Password};
use millrace_storage::accounts::{self, Account, NewAccount};
use millrace_storage::api_keys;
use millrace_storage::projects::{self, Project};

use super::audit::did;
use super::env_file::EnvFile;
use super::{Desk, keys, note, say};

const ADMIN: &str = "admin@millrace.local";
const ADMIN_EMAIL: &str = "MILLRACE_ADMIN_EMAIL";
const ADMIN_PASSWORD: &str = "MILLRACE_ADMIN_PASSWORD";

/// A project that every installation starts with, and where the file names it.
struct First {
    name: &'static str,
    id: &'static str,
    keys: [(&'static str, Scope); 2],
}

const FIRST: [First; 2] = [
    First {
        name: "My project",
        id: "MILLRACE_PROJECT_ID",
        keys: [("MILLRACE_INGEST_KEY", Scope::Ingest), ("MILLRACE_READ_KEY", Scope::Read)],
    },
    First {
        name: "Demo shop",
        id: "MILLRACE_DEMO_PROJECT_ID",
        keys: [("MILLRACE_DEMO_INGEST_KEY", Scope::Ingest), ("MILLRACE_DEMO_READ_KEY", Scope::Read)],
    },
];

/// Create the first account, the first projects and their keys
///
/// Their secrets go to a file of KEY=value lines, whose other lines stay. What the file names and the
/// database knows is left alone, so a second time changes nothing; whatever one of the two has lost is
/// made anew.
#[derive(Args)]
pub(super) struct BootstrapArgs {
    /// The file to read and to write, mode 0600
    #[arg(long, value_name = "PATH")]
    env_file: PathBuf,
}

pub(super) async fn execute(desk: &mut Desk, args: &BootstrapArgs) -> anyhow::Result<()> {
    // Nothing is saved before everything is made. If this fails half-way, the secrets made so far are
    // lost, and the next time finds them missing and makes others.
    let mut env = EnvFile::read(&args.env_file)?;
    let admin = ensure_admin(desk, &mut env).await?;
    for first in &FIRST {
        let project = ensure_project(desk, &mut env, first, admin.id).await?;
        for (variable, scope) in first.keys {
            ensure_key(desk, &mut env, &project, variable, scope).await?;
        }
    }
    env.save()?;
    say(format_args!("accounts, projects and keys are as {} says", args.env_file.display()))?;
    Ok(())
}

async fn ensure_admin(desk: &mut Desk, env: &mut EnvFile) -> anyhow::Result<Account> {
    let named = match env.get(ADMIN_EMAIL).and_then(|text| text.parse::<Email>().ok()) {
        Some(email) => {
            accounts::find_by_email(&mut desk.conn, email.as_str()).await?.filter(|account| account.is_admin)
        }
        None => None,
    };
    let found = match named {
        Some(account) => Some(account),
        None => accounts::find_by_email(&mut desk.conn, ADMIN).await?,
    };
    let account = match found {
        Some(account) => {
            ensure!(account.is_admin, "the account {} exists and is no system admin", account.email);
            keep_or_reset_password(desk, env, &account).await?;
            account
        }
        None => {
            let (password, password_hash) = new_password()?;
            let new = NewAccount {
                email: ADMIN,
                password_hash: Some(&password_hash),
                full_name: None,
                is_admin: true,
                email_verified: true,
            };
            let account = accounts::create(&mut desk.conn, new).await?;
            let details = Details { admin: Some(true), ..Details::default() };
            desk.record(did(Action::AccountCreated).on(Target::Account(account.id)).with(details)).await?;
            env.set(ADMIN_PASSWORD, password.reveal());
            say(format_args!("created the account {ADMIN}"))?;
            account
        }
    };
    env.set(ADMIN_EMAIL, &account.email);
    Ok(account)
}

async fn keep_or_reset_password(desk: &mut Desk, env: &mut EnvFile, account: &Account) -> anyhow::Result<()> {
    match env.get(ADMIN_PASSWORD) {
        Some(text) if account.password_hash.as_ref().is_some_and(|hash| password::verify(text, hash)) => {}
        // A person has chosen another one since: to undo that would lock them out.
        Some(_) => note(format_args!(
            "warning: {} has another password than the file says; without its line {ADMIN_PASSWORD} it gets a new one",
            account.email
        )),
        None => {
            let (password, hash) = new_password()?;
            accounts::set_password(&mut desk.conn, account.id, &hash).await?;
            desk.record(did(Action::PasswordChanged).on(Target::Account(account.id))).await?;
            env.set(ADMIN_PASSWORD, password.reveal());
            say(format_args!("the file had no password for {}: it has a new one", account.email))?;
        }
    }
    Ok(())
}

fn new_password() -> anyhow::Result<(Password, String)> {
    let password = Password::generate()?;
    let hash = password.hash(Cost::default())?;
    Ok((password, hash))
}

async fn ensure_project(
    desk: &mut Desk,
    env: &mut EnvFile,
    first: &First,
    owner: AccountId,
) -> anyhow::Result<Project> {
    let named = match env.get(first.id).and_then(|text| text.parse::<ProjectId>().ok()) {
        Some(id) => projects::find(&mut desk.conn, id).await?,
        None => None,
    };
    let found = match named {
        Some(project) => Some(project),
        None => projects::of_account(&mut desk.conn, owner)
            .await?
            .into_iter()
            .find(|project| project.name == first.name),
    };
    let project = match found {
        Some(project) => project,
        None => {
            let project = projects::create_owned(&mut desk.conn, first.name, TimeZone::UTC, owner).await?;
            desk.record(did(Action::ProjectCreated).on(Target::Project(project.id)).within(project.id))
                .await?;
            say(format_args!("created the project {:?} ({})", project.name, project.id))?;
            project
        }
    };
    env.set(first.id, &project.id.to_string());
    Ok(project)
}

async fn ensure_key(
    desk: &mut Desk,
    env: &mut EnvFile,
    project: &Project,
    variable: &str,
    scope: Scope,
) -> anyhow::Result<()> {
    let grant = match env.get(variable).and_then(ApiKey::parse) {
        Some(key) => api_keys::grant(&mut desk.conn, &key.hash().0).await?,
        None => None,
    };
    let good = |grant: &millrace_domain::access::KeyGrant| {
        grant.project_id == project.id && grant.allows(scope) && grant.is_live(Utc::now())
    };
    if !grant.as_ref().is_some_and(good) {
        let name = Name::parse(scope.as_str())?;
        let (key, secret) = keys::make(&mut desk.conn, project.id, &name, &[scope], None).await?;
        desk.record(keys::created(&key)).await?;
        env.set(variable, secret.reveal());
        say(format_args!("created a key with the scope `{scope}` for {:?}", project.name))?;
    }
    Ok(())
}
