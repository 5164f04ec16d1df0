use std::process::ExitCode;

use anyhow::Context;
use chrono::Utc;
use clap::{Args, Subcommand};
use millrace_domain::audit::action::Action;
use millrace_domain::audit::{Actor, Origin, SecurityEvent};
use millrace_messaging::audit::publish;
use millrace_messaging::broker::Broker;
use millrace_messaging::error::MessagingError;
use millrace_storage::audit;
use millrace_storage::audit::chain::{self, Head, VerifyError};
use millrace_storage::database::Connection;

use super::announcement::BROKER_TIMEOUT;
use super::{Desk, say};

/// The log of security events
#[derive(Subcommand)]
pub(super) enum AuditCommand {
    Verify(VerifyArgs),
}

/// Compute every hash of the audit log again
///
/// Prints how many entries there are, and the head: the number and the hash of the last one. Exit code 1: something was
/// changed or taken away; the first broken link is named.
#[derive(Args)]
pub(super) struct VerifyArgs {
    /// A head that was printed earlier, to find out whether the end was cut off or everything was written anew
    #[arg(long, value_name = "SEQ:HASH")]
    expect_head: Option<Head>,
}

pub(super) async fn execute(conn: &mut Connection, command: &AuditCommand) -> anyhow::Result<ExitCode> {
    let AuditCommand::Verify(args) = command;
    match chain::verify(conn, args.expect_head).await {
        Ok(head) => {
            say(format_args!("{} entries are sound; the head is {head}", head.seq))?;
            Ok(ExitCode::SUCCESS)
        }
        Err(VerifyError::Broken(broken)) => {
            say(format_args!("the audit log is not what was recorded: {broken}"))?;
            Ok(ExitCode::from(1))
        }
        Err(VerifyError::Storage(error)) => Err(error.into()),
    }
}

/// What an operator has just done.
pub(super) fn did(action: Action) -> SecurityEvent {
    SecurityEvent::new(action, Actor::Operator, Origin::default(), Utc::now())
}

impl Desk {
    /// Records what is done already: by way of the broker if there is one, or else in the database itself.
    pub(super) async fn record(&mut self, event: SecurityEvent) -> anyhow::Result<()> {
        if let Some(url) = &self.nats_url {
            let late =
                |_elapsed| Err(MessagingError::Unavailable(format!("no answer in {BROKER_TIMEOUT:?}")));
            let told = tokio::time::timeout(BROKER_TIMEOUT, tell(url, &event)).await.unwrap_or_else(late);
            // Where it was not taken it is appended here, with the same id: there is nothing to be told about.
            if told.is_ok() {
                return Ok(());
            }
        }
        let appended = audit::append(&mut self.conn, &[event]).await;
        appended.context("it is done, and not in the audit log")?;
        Ok(())
    }
}

async fn tell(nats_url: &str, event: &SecurityEvent) -> Result<(), MessagingError> {
    let broker = Broker::connect(nats_url, "admin", BROKER_TIMEOUT).await?;
    publish(&broker, event).await?;
    broker.close().await;
    Ok(())
}
