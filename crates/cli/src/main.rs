//! The `millrace` command. Exit codes: 0 done; 1 done, but something was refused or is missing;
//! 2 not done (wrong arguments included); 130 interrupted.

use std::io::Write;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use millrace_cli::{admin, demo, import, load};

#[derive(Parser)]
#[command(name = "millrace", version, about = "Import, simulate and measure with Millrace")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Import(import::ImportArgs),
    Demo(demo::DemoArgs),
    Load(load::LoadArgs),
    Admin(admin::AdminArgs),
}

#[tokio::main]
async fn main() -> ExitCode {
    let outcome = match Cli::parse().command {
        Command::Import(args) => import::execute(args).await,
        Command::Demo(args) => demo::execute(args).await,
        Command::Load(args) => load::execute(args).await,
        Command::Admin(args) => admin::execute(args).await,
    };
    outcome.unwrap_or_else(|error| {
        // With standard error closed there is nobody left to tell.
        let _ = writeln!(std::io::stderr(), "error: {error:#}");
        ExitCode::from(2)
    })
}
