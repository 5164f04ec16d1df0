use std::process::ExitCode;

use anyhow::Context;
use clap::Args;
use millrace_domain::audit::action::Action;
use millrace_domain::audit::{Details, Target};
use millrace_domain::email::Email;
use millrace_messaging::revocations::Revoked;
use millrace_storage::{accounts, sessions};

use super::announcement::Announcement;
use super::audit::did;
use super::{Desk, say};

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

pub(super) async fn end(desk: &mut Desk, args: &EndSessionsArgs) -> anyhow::Result<ExitCode> {
    let account = accounts::find_by_email(&mut desk.conn, args.email.as_str())
        .await?
        .with_context(|| format!("{} has no account", args.email))?;
    let ended = sessions::end_all(&mut desk.conn, account.id, None).await?;
    say(format_args!("ended {ended} sessions of {}", account.email))?;
    let told = args.announcement.make(desk, &Revoked::Sessions { account_id: account.id }).await;
    let details = Details { sessions: u64::try_from(ended).ok(), ..Details::default() };
    desk.record(did(Action::SessionAllEnded).on(Target::Account(account.id)).with(details)).await?;
    Ok(told)
}
