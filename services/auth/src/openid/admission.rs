//! Whose account it is that somebody signs in to with a provider.
//!
//! A provider's subject is a person for ever; an address is not, and is looked at once: when the two are linked. Only
//! an address that the provider has verified counts, or anybody could claim anybody's.

use chrono::Utc;
use millrace_domain::audit::action::Action;
use millrace_domain::email::Email;
use millrace_domain::text::Name;
use millrace_messaging::revocations::Revoked;
use millrace_security::id_token::Person;
use millrace_storage::accounts::{self, Account};
use millrace_storage::error::StorageError;
use millrace_storage::external_identities::{self, NewIdentity};

use crate::announcements::announce;
use crate::errors::AuthError;
use crate::openid::error::OpenIdError;
use crate::openid::settings::Settings;
use crate::state::State;

/// How somebody came by their account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// They had signed in with the provider before.
    Known,
    /// The account of their address, which was proved, is theirs in this way, too.
    Linked,
    /// The account of their address, which nobody had proved, is theirs alone.
    Claimed,
    /// It was made for them.
    Created,
}

impl Admission {
    /// What is recorded of it.
    #[must_use]
    pub fn action(self) -> Option<Action> {
        match self {
            Self::Known => None,
            Self::Linked => Some(Action::IdentityLinked),
            Self::Claimed => Some(Action::IdentityClaimed),
            Self::Created => Some(Action::AccountRegistered),
        }
    }
}

/// The account of somebody whom the provider vouches for, made or linked if need be.
///
/// # Errors
/// [`OpenIdError::Unverified`], [`OpenIdError::Domain`]; when registration is closed; when the database is away.
pub async fn admit(
    state: &State,
    settings: &Settings,
    person: &Person,
) -> Result<(Account, Admission), OpenIdError> {
    // Somebody who signs in twice at once, or verifies the address meanwhile, is found the second time.
    match look(state, settings, person).await? {
        Some(admitted) => Ok(admitted),
        None => look(state, settings, person).await?.ok_or_else(|| {
            let busy = StorageError::Unavailable("an account changes while its owner signs in".to_owned());
            AuthError::from(busy).into()
        }),
    }
}

/// `None` when what was found has changed meanwhile.
async fn look(
    state: &State,
    settings: &Settings,
    person: &Person,
) -> Result<Option<(Account, Admission)>, OpenIdError> {
    let (issuer, subject, now) = (settings.issuer.as_str(), person.subject.as_str(), Utc::now());
    let mut conn = state.connection().await?;
    let known =
        external_identities::recognise(&mut conn, issuer, subject, now).await.map_err(AuthError::from)?;
    if let Some(known) = known {
        return Ok(Some((known, Admission::Known)));
    }
    let email = verified_address(person)?;
    let identity = NewIdentity { issuer, subject, email: email.as_str() };
    let account = accounts::find_by_email(&mut conn, email.as_str()).await.map_err(AuthError::from)?;
    let (admitted, how) = match account {
        Some(account) if account.email_verified_at.is_some() => {
            let linked = external_identities::link(&mut conn, account.id, identity, now).await;
            (linked.map(|()| Some(account)), Admission::Linked)
        }
        // Whoever registered the address first has not shown that it is theirs, and may have meant to wait here for
        // its owner: what they know or hold opens the account no more.
        Some(account) => {
            (external_identities::claim(&mut conn, account.id, identity, now).await, Admission::Claimed)
        }
        None if settings.allowed_domains.admit(&email) => {
            state.admission.open()?;
            let name = person.name.as_deref().and_then(|name| Name::parse(name.trim()).ok());
            let name = name.as_ref().map(Name::as_str);
            (
                external_identities::create_account(&mut conn, identity, name, now).await.map(Some),
                Admission::Created,
            )
        }
        None => return Err(OpenIdError::Domain(email)),
    };
    drop(conn);
    let admitted = match admitted {
        Err(StorageError::Conflict(_) | StorageError::Missing(_)) => None,
        other => other.map_err(AuthError::from)?,
    };
    if let Some(account) = &admitted {
        let account_id = account.id;
        tracing::info!(%account_id, issuer, ?how, "an identity of a provider signs in to an account from now on");
        if how == Admission::Claimed {
            announce(state, Revoked::Sessions { account_id }).await;
        }
    }
    Ok(admitted.map(|account| (account, how)))
}

fn verified_address(person: &Person) -> Result<Email, OpenIdError> {
    let email = person.email.as_deref().filter(|_| person.email_verified);
    email.and_then(|email| email.parse().ok()).ok_or(OpenIdError::Unverified)
}
