use std::process::ExitCode;

use anyhow::Context;
use clap::Args;
use millrace_cache::attempts::{Attempts, Law};
use millrace_domain::audit::Target;
use millrace_domain::audit::action::Action;
use millrace_domain::email::Email;
use millrace_messaging::revocations::Revoked;
use millrace_security::password::{Cost, Password};
use millrace_storage::accounts;

use super::announcement::Announcement;
use super::audit::did;
use super::{Desk, note, say};

/// Give an account another password, and sign it out everywhere
///
/// Prints the random password, once, unless --password-stdin gives it one. A lock after wrong passwords ends.
/// Exit code 1: the password is another one, but the running services could not be told that its sessions
/// have ended; they notice within half a minute.
#[derive(Args)]
pub(super) struct ResetPasswordArgs {
    /// The e-mail address it signs in with
    email: Email,
    /// Read the password from the first line of standard input
    #[arg(long)]
    password_stdin: bool,
    #[command(flatten)]
    announcement: Announcement,
}

pub(super) async fn reset(desk: &mut Desk, args: &ResetPasswordArgs) -> anyhow::Result<ExitCode> {
    let account = accounts::find_by_email(&mut desk.conn, args.email.as_str())
        .await?
        .with_context(|| format!("{} has no account", args.email))?;
    let password =
        if args.password_stdin { super::accounts::read_password()? } else { Password::generate()? };
    accounts::reset_password(&mut desk.conn, account.id, &password.hash(Cost::default())?).await?;
    note(format_args!("{} has another password and is signed out everywhere", account.email));
    if !args.password_stdin {
        say(password.reveal())?;
    }
    unlock(args, &account.email).await;
    let told = args.announcement.make(desk, &Revoked::Sessions { account_id: account.id }).await;
    desk.record(did(Action::PasswordReset).on(Target::Account(account.id))).await?;
    Ok(told)
}

async fn unlock(args: &ResetPasswordArgs, email: &str) {
    let Some(url) = args.announcement.redis_url() else {
        return note(
            "REDIS_URL is not set: if the account is locked, it stays so for up to a quarter of an hour",
        );
    };
    let unlocked = match Attempts::new(url, Law::LOGIN) {
        Ok(attempts) => attempts.unlock(email).await,
        Err(error) => Err(error),
    };
    if let Err(error) = unlocked {
        note(format_args!("if the account is locked, it stays so for up to a quarter of an hour: {error}"));
    }
}
