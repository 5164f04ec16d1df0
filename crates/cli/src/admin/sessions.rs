use std::process::ExitCode;

use anyhow::Context;
use clap::Args;
use millrace_domain::email::Email;
use millrace_messaging::revocations::Revoked;
use millrace_storage::database::Connection;
use millrace_storage::{accounts, sessions};

use super::announcement::Announcement;
use super::say;

/// Sign an account out everywhere
///
/// Exit code 1: its sessions have ended, but the running services could not be told, by the broker or by
/// Redis; they notice within half a minute.
#[derive(Args)]
pub(super) struct EndSessionsArgs {
    /// The e-mail address it signs in with
    email: Email,
    #[command(flatten)]
    announcement: Announcement,
}

pub(super) async fn end(conn: &mut Connection, args: &EndSessionsArgs) -> anyhow::Result<ExitCode> {
    let account = accounts::find_by_email(conn, args.email.as_str())
        .await?
        .with_context(|| format!("{} has no account", args.email))?;
    let ended = sessions::end_all(conn, account.id, None).await?;
    say(format_args!("ended {ended} sessions of {}", account.email))?;
    Ok(args.announcement.make(&Revoked::Sessions { account_id: account.id }).await)
}
