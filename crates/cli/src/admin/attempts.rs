use anyhow::Context;
use clap::Args;
use millrace_cache::attempts::{Attempts, Law};
use millrace_domain::email::Email;

use super::say;

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

pub(super) async fn unlock(args: &UnlockArgs) -> anyhow::Result<()> {
    let attempts = Attempts::new(&args.redis_url, Law::LOGIN)?;
    attempts.unlock(args.email.as_str()).await.context("the account stays locked")?;
    say(format_args!("unlocked {}", args.email))?;
    Ok(())
}
