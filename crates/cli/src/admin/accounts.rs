use std::io;

use anyhow::Context;
use clap::Args;
use millrace_domain::audit::action::Action;
use millrace_domain::audit::{Details, Target};
use millrace_domain::email::Email;
use millrace_security::password::{Cost, Password};
use millrace_storage::accounts::{self, NewAccount};
use millrace_storage::error::StorageError;

use super::audit::did;
use super::{Desk, note, say};

/// Create an account
///
/// Prints its random password, once, unless --password-stdin gives it one.
#[derive(Args)]
pub(super) struct CreateUserArgs {
    /// The e-mail address to sign in with
    email: Email,
    /// Let it see and do everything in every project
    #[arg(long)]
    admin: bool,
    /// Read the password from the first line of standard input
    #[arg(long)]
    password_stdin: bool,
}

pub(super) async fn create(desk: &mut Desk, args: &CreateUserArgs) -> anyhow::Result<()> {
    let password = if args.password_stdin { read_password()? } else { Password::generate()? };
    let hash = password.hash(Cost::default())?;
    let new = NewAccount {
        email: args.email.as_str(),
        password_hash: Some(&hash),
        full_name: None,
        is_admin: args.admin,
        email_verified: true,
    };
    let account = accounts::create(&mut desk.conn, new).await.map_err(|error| match error {
        StorageError::Conflict(_) => anyhow::anyhow!("{} has an account already", args.email),
        other => other.into(),
    })?;
    note(format_args!("created the account {} ({})", account.email, account.id));
    if !args.password_stdin {
        say(password.reveal())?;
    }
    let details = Details { admin: Some(args.admin), ..Details::default() };
    desk.record(did(Action::AccountCreated).on(Target::Account(account.id)).with(details)).await
}

pub(super) fn read_password() -> anyhow::Result<Password> {
    let mut line = String::new();
    io::stdin().read_line(&mut line).context("cannot read the password from standard input")?;
    Password::parse(line.trim_end_matches(['\r', '\n'])).context("the password")
}
