use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use chrono::Utc;
use clap::Args;
use millrace_domain::audit::action::Action;
use millrace_domain::audit::{Details, SecurityEvent, Target};
use millrace_domain::text::ShortText;
use millrace_messaging::revocations::Revoked;
use millrace_security::browser_session::LIFETIME;
use millrace_security::envelope::MasterKey;
use millrace_security::signing_key::SigningKey;
use millrace_security::token::LEEWAY;
use millrace_storage::signing_keys::{self, NewSigningKey};

use super::announcement::Announcement;
use super::audit::did;
use super::{Desk, note, say};

/// Have a new key sign access tokens
///
/// It is published at once and begins to sign after --lead. What the old key has signed is believed until
/// it expires, so nobody notices. Prints the new key's name.
///
/// Exit code 1: it is stored, but the running services could not be told; they notice within a minute.
#[derive(Args)]
pub(super) struct RotateSigningKeyArgs {
    /// When the new key begins to sign: later than others who verify tokens keep a copy of the JWK set
    #[arg(long, default_value = "10m", value_name = "DURATION")]
    lead: humantime::Duration,
    /// The old keys are in other hands: believe nothing more of what they sign. The new one signs at once.
    /// Clients get another access token with their refresh token; people in browsers sign in again
    #[arg(long, conflicts_with = "lead")]
    compromised: bool,
    /// Seals the private half: the same that auth has
    #[arg(long, env = "MILLRACE_MASTER_KEY", hide_env_values = true)]
    master_key: MasterKey,
    #[command(flatten)]
    announcement: Announcement,
}

pub(super) async fn rotate(desk: &mut Desk, args: &RotateSigningKeyArgs) -> anyhow::Result<ExitCode> {
    if let Some(old) = signing_keys::newest(&mut desk.conn).await? {
        // A key that auth cannot open would keep it from starting.
        SigningKey::open(&old.kid, &old.private_box, &args.master_key).context("MILLRACE_MASTER_KEY")?;
    }
    let key = SigningKey::generate()?;
    let (public, private_box) = (key.public(), &key.seal(&args.master_key)?);
    let new = NewSigningKey { kid: public.kid(), public_pem: public.pem(), private_box };
    if args.compromised {
        signing_keys::replace_all(&mut desk.conn, new).await?;
        note("what the old keys have signed is not believed any more");
    } else {
        let (now, lead): (_, Duration) = (Utc::now(), args.lead.into());
        // The cookies of browser sessions live longer than access tokens.
        signing_keys::succeed(&mut desk.conn, new, now + lead, now - LIFETIME - LEEWAY).await?;
        note(format_args!("it begins to sign in {}", args.lead));
    }
    say(public.kid())?;
    let told = args.announcement.make(desk, &Revoked::SigningKeys).await;
    let details = Details { compromised: Some(args.compromised), ..Details::default() };
    let target = ShortText::cut(public.kid()).map(Target::SigningKey);
    desk.record(SecurityEvent { target, details, ..did(Action::SigningKeyRotated) }).await?;
    Ok(told)
}
