//! `millrace admin`: what an operator does behind the services' backs.
//!
//! These commands speak to the database itself, so they work before anything runs and need no
//! account. What a command is about goes to standard output, so that a script can take it; what is
//! worth knowing besides goes to standard error. A secret is never written to the latter.

mod accounts;
mod announcement;
mod attempts;
mod bootstrap;
mod env_file;
mod event_limits;
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

/// Migrate the database; create accounts, projects and keys
#[derive(Args)]
pub struct AdminArgs {
    /// The database
    #[arg(long, env = "DATABASE_URL", hide_env_values = true)]
    database_url: String,
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
}

/// Runs `millrace admin`.
///
/// # Errors
/// When the database is away or refuses, or an argument names something that does not exist.
pub async fn execute(args: AdminArgs) -> anyhow::Result<ExitCode> {
    let url = args.database_url;
    match args.command {
        Command::Migrate(args) => migrate::execute(&url, &args).await?,
        Command::Bootstrap(args) => bootstrap::execute(&mut connect(&url).await?, &args).await?,
        Command::CreateUser(args) => accounts::create(&mut connect(&url).await?, &args).await?,
        Command::Unlock(args) => attempts::unlock(&args).await?,
        Command::RotateSigningKey(args) => {
            return signing_keys::rotate(&mut connect(&url).await?, &args).await;
        }
        Command::ResetPassword(args) => return passwords::reset(&mut connect(&url).await?, &args).await,
        Command::EndSessions(args) => return sessions::end(&mut connect(&url).await?, &args).await,
        Command::CreateProject(args) => projects::create(&mut connect(&url).await?, &args).await?,
        Command::CreateKey(args) => keys::create(&mut connect(&url).await?, &args).await?,
        Command::RevokeKey(args) => return keys::revoke(&mut connect(&url).await?, &args).await,
        Command::ListProjects(_) => projects::list(&mut connect(&url).await?).await?,
        Command::LimitEvents(args) => event_limits::set(&mut connect(&url).await?, &args).await?,
        Command::ListEventLimits(args) => event_limits::list(&args).await?,
        Command::ListKeys(args) => keys::list(&mut connect(&url).await?, &args).await?,
    }
    Ok(ExitCode::SUCCESS)
}

async fn connect(url: &str) -> anyhow::Result<Connection> {
    Ok(Database::new(url, PoolSettings::named("admin"))?.connection().await?)
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
