//! `millrace admin`: what an operator does behind the services' backs.
//!
//! These commands speak to the database itself, so they work before anything runs and need no
//! account. What a command is about goes to standard output, so that a script can take it; what is
//! worth knowing besides goes to standard error. A secret is never written to the latter.

mod accounts;
mod announcement;
mod attempts;
mod audit;
mod bootstrap;
mod dead_letters;
mod env_file;
mod jobs;
mod keys;
mod migrate;
mod passwords;
mod project_settings;
mod projects;
mod sessions;
mod signing_keys;

use std::fmt::Display;
use std::io::{self, Write};
use std::process::ExitCode;

use anyhow::Context;
use clap::{Args, Subcommand};
use millrace_messaging::project_tables::{API_LIMITS, EVENT_LIMITS, EVENT_ORIGINS};
use millrace_storage::database::{Connection, Database, PoolSettings};

/// Migrate the database; create accounts, projects and keys; start jobs; look after dead letters; verify the audit log
#[derive(Args)]
pub struct AdminArgs {
    /// The database; all commands but those over the API need it
    #[arg(long, env = "DATABASE_URL", hide_env_values = true)]
    database_url: Option<String>,
    /// The broker, to tell the running services at once; it also takes what goes to the audit log
    #[arg(long, env = "NATS_URL", hide_env_values = true, global = true)]
    nats_url: Option<String>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Migrate(migrate::MigrateArgs),
    Bootstrap(bootstrap::BootstrapArgs),
    CreateUser(accounts::CreateUserArgs),
    ResetPassword(passwords::ResetPasswordArgs),
    EndSessions(sessions::EndSessionsArgs),
    Unlock(attempts::UnlockArgs),
    RotateSigningKey(signing_keys::RotateSigningKeyArgs),
    CreateProject(projects::CreateProjectArgs),
    CreateKey(keys::CreateKeyArgs),
    RevokeKey(keys::RevokeKeyArgs),
    ListProjects(projects::ListProjectsArgs),
    ListKeys(keys::ListKeysArgs),
    LimitEvents(project_settings::LimitEventsArgs),
    ListEventLimits(project_settings::ListEventLimitsArgs),
    LimitApi(project_settings::LimitApiArgs),
    ListApiLimits(project_settings::ListApiLimitsArgs),
    AllowOrigins(project_settings::AllowOriginsArgs),
    ListOrigins(project_settings::ListOriginsArgs),
    #[command(subcommand)]
    Audit(audit::AuditCommand),
    #[command(subcommand)]
    DeadLetters(dead_letters::DeadLettersCommand),
    #[command(subcommand)]
    Jobs(jobs::JobsCommand),
    Rebuild(jobs::RebuildArgs),
}

/// Runs `millrace admin`.
///
/// # Errors
/// When the database is away or refuses, or an argument names something that does not exist.
pub async fn execute(args: AdminArgs) -> anyhow::Result<ExitCode> {
    let AdminArgs { database_url, nats_url, command } = args;
    let url = || database_url.as_deref().context("DATABASE_URL is not set: it names the database");
    let desk = async || Desk::open(url()?, nats_url.clone()).await;
    match command {
        Command::Migrate(args) => migrate::execute(url()?, &args).await?,
        Command::Bootstrap(args) => bootstrap::execute(&mut desk().await?, &args).await?,
        Command::CreateUser(args) => accounts::create(&mut desk().await?, &args).await?,
        Command::Unlock(args) => attempts::unlock(&mut desk().await?, &args).await?,
        Command::RotateSigningKey(args) => return signing_keys::rotate(&mut desk().await?, &args).await,
        Command::ResetPassword(args) => return passwords::reset(&mut desk().await?, &args).await,
        Command::EndSessions(args) => return sessions::end(&mut desk().await?, &args).await,
        Command::CreateProject(args) => projects::create(&mut desk().await?, &args).await?,
        Command::CreateKey(args) => keys::create(&mut desk().await?, &args).await?,
        Command::RevokeKey(args) => return keys::revoke(&mut desk().await?, &args).await,
        Command::ListProjects(_) => projects::list(&mut desk().await?.conn).await?,
        Command::ListKeys(args) => keys::list(&mut desk().await?.conn, &args).await?,
        Command::LimitEvents(args) => project_settings::limit_events(&mut desk().await?, &args).await?,
        Command::LimitApi(args) => project_settings::limit_api(&mut desk().await?, &args).await?,
        Command::AllowOrigins(args) => project_settings::allow_origins(&mut desk().await?, &args).await?,
        Command::ListEventLimits(_) => project_settings::list(nats_url.as_deref(), EVENT_LIMITS).await?,
        Command::ListApiLimits(_) => project_settings::list(nats_url.as_deref(), API_LIMITS).await?,
        Command::ListOrigins(_) => project_settings::list(nats_url.as_deref(), EVENT_ORIGINS).await?,
        Command::DeadLetters(command) => dead_letters::execute(command).await?,
        Command::Jobs(command) => jobs::execute(&mut desk().await?, command).await?,
        Command::Rebuild(args) => jobs::rebuild(&mut desk().await?, &args).await?,
        Command::Audit(command) => return audit::execute(&mut desk().await?.conn, &command).await,
    }
    Ok(ExitCode::SUCCESS)
}

/// What an operator works with.
struct Desk {
    conn: Connection,
    nats_url: Option<String>,
}

impl Desk {
    async fn open(database_url: &str, nats_url: Option<String>) -> anyhow::Result<Self> {
        let conn = Database::new(database_url, PoolSettings::named("admin"))?.connection().await?;
        Ok(Self { conn, nats_url })
    }
}

/// Writes a line of the result.
fn say(line: impl Display) -> io::Result<()> {
    writeln!(io::stdout(), "{line}")
}

/// Writes a line beside the result.
fn note(line: impl Display) {
    // With standard error closed there is nobody to tell.
    let _ = writeln!(io::stderr(), "{line}");
}
