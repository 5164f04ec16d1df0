use anyhow::Context;
use clap::Args;
use millrace_domain::analytics::time_zone::TimeZone;
use millrace_domain::audit::Target;
use millrace_domain::audit::action::Action;
use millrace_domain::text::Name;
use millrace_storage::database::Connection;
use millrace_storage::projects;

use super::audit::did;
use super::{Desk, note, say};

/// Create a project, and print its id
///
/// It has no members: system admins see it.
#[derive(Args)]
pub(super) struct CreateProjectArgs {
    /// What to call it: 1 to 100 characters
    name: String,
    /// The IANA time zone whose days are its days
    #[arg(long, default_value = "UTC")]
    timezone: String,
}

/// List the projects: id, time zone, name
#[derive(Args)]
pub(super) struct ListProjectsArgs {}

pub(super) async fn create(desk: &mut Desk, args: &CreateProjectArgs) -> anyhow::Result<()> {
    let name = Name::parse(args.name.trim()).context("the name")?;
    let timezone = TimeZone::parse(&args.timezone)?;
    let project = projects::create(&mut desk.conn, name.as_str(), timezone).await?;
    note(format_args!("created the project {:?}, whose days are days in {}", project.name, timezone.name()));
    say(project.id)?;
    desk.record(did(Action::ProjectCreated).on(Target::Project(project.id)).within(project.id)).await
}

pub(super) async fn list(conn: &mut Connection) -> anyhow::Result<()> {
    for project in projects::all(conn).await? {
        say(format_args!("{}  {}  {}", project.id, project.timezone.name(), project.name))?;
    }
    Ok(())
}
