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
mod env_file;
mod event_limits;
mod jobs;
mod keys;
mod migrate;
mod passwords;
mod projects;
mod sessions;
mod signing_keys;

use std::fmt::Display;
use std::io::{self, Write};
use std::process::ExitCode;

use clap::{Args, Subcommand};
use millrace_storage::database::{Connection, Database, PoolSettings};

/// Migrate the database; create accounts, projects and keys; start jobs; verify the audit log
#[derive(Args)]
pub struct AdminArgs {
    /// The database
    #[arg(long, env = "DATABASE_URL", hide_env_values = true)]
    database_url: String,
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
    LimitEvents(event_limits::LimitEventsArgs),
    ListEventLimits(event_limits::ListEventLimitsArgs),
    #[command(subcommand)]
    Audit(audit::AuditCommand),
    #[command(subcommand)]
    Jobs(jobs::JobsCommand),
    Rebuild(jobs::RebuildArgs),
}

/// Runs `millrace admin`.
///
/// # Errors
/// When the database is away or refuses, or an argument names something that does not exist.
pub async fn execute(args: AdminArgs) -> anyhow::Result<ExitCode> {
    let AdminArgs { database_url: url, nats_url, command } = args;
    let desk = async || Desk::open(&url, nats_url.clone()).await;
    match command {
        Command::Migrate(args) => migrate::execute(&url, &args).await?,
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
        Command::LimitEvents(args) => event_limits::set(&mut desk().await?, &args).await?,
        Command::ListEventLimits(_) => event_limits::list(nats_url.as_deref()).await?,
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
