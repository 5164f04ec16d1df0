use anyhow::Context;
use clap::Args;
use millrace_cache::attempts::{Attempts, Law};
use millrace_domain::audit::action::Action;
use millrace_domain::audit::{SecurityEvent, Target};
use millrace_domain::email::Email;
use millrace_storage::accounts;

use super::audit::did;
use super::{Desk, say};

/// Let an account sign in again that too many wrong passwords have locked
///
/// The addresses that they came from stay locked.
#[derive(Args)]
pub(super) struct UnlockArgs {
    /// The e-mail address it signs in with
    email: Email,
    /// Where failed attempts are counted
    #[arg(long, env = "REDIS_URL", hide_env_values = true)]
    redis_url: String,
}

pub(super) async fn unlock(desk: &mut Desk, args: &UnlockArgs) -> anyhow::Result<()> {
    let attempts = Attempts::new(&args.redis_url, Law::LOGIN)?;
    attempts.unlock(args.email.as_str()).await.context("the account stays locked")?;
    say(format_args!("unlocked {}", args.email))?;
    let account = accounts::find_by_email(&mut desk.conn, args.email.as_str()).await?;
    let target = account.map(|account| Target::Account(account.id));
    desk.record(SecurityEvent { target, ..did(Action::AttemptsUnlocked) }).await
}
