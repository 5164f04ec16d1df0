//! Dense numbers for distinct users.
//!
//! A user gets its number in a short transaction of its own, before the events: the lock that keeps numbers dense is
//! then held for milliseconds, not for a bulk insert. A number whose events never arrive does no harm.

use std::collections::{BTreeMap, HashMap, HashSet};

use millrace_domain::ids::{ProjectId, UserNo};
use tokio_postgres::{Client, GenericClient};

use super::statements::Statements;
use super::{NewEvent, Numbered};
use crate::error::StorageError;

type Known = HashMap<String, UserNo>;

/// Numbers the rows' users; those seen for the first time get the next numbers.
pub(super) async fn resolve<'a>(
    client: &mut Client,
    statements: &Statements,
    rows: Vec<NewEvent<'a>>,
) -> Result<Vec<Numbered<'a>>, StorageError> {
    let mut wanted: BTreeMap<ProjectId, HashSet<&str>> = BTreeMap::new();
    for row in &rows {
        wanted.entry(row.project_id).or_default().insert(row.event.user_id.as_str());
    }
    let mut known: HashMap<ProjectId, Known> = HashMap::new();
    for (project, users) in wanted {
        // In order: whoever looks them up meets neighbours in the index, and two workers lock in one order.
        let mut users: Vec<&str> = users.into_iter().collect();
        users.sort_unstable();
        let mut numbers = look_up(client, statements, project, &users).await?;
        let new: Vec<&str> = users.into_iter().filter(|user| !numbers.contains_key(*user)).collect();
        if !new.is_empty() {
            numbers.extend(assign(client, statements, project, &new).await?);
        }
        known.insert(project, numbers);
    }
    rows.into_iter().map(|new| numbered(new, &known)).collect()
}

fn numbered<'a>(new: NewEvent<'a>, known: &HashMap<ProjectId, Known>) -> Result<Numbered<'a>, StorageError> {
    let number = known.get(&new.project_id).and_then(|numbers| numbers.get(new.event.user_id.as_str()));
    let unnumbered = || StorageError::Failed("a user was left without a number".to_owned());
    let beyond =
        |_big| StorageError::Refused("the stream sequence is beyond the database's integers".to_owned());
    let stream_seq = i64::try_from(new.stream_seq).map_err(beyond)?;
    Ok(Numbered { new, stream_seq, user_no: *number.ok_or_else(unnumbered)? })
}

async fn look_up(
    client: &impl GenericClient,
    statements: &Statements,
    project: ProjectId,
    users: &[&str],
) -> Result<Known, StorageError> {
    let rows = client.query(&statements.known_users, &[&project.0, &users]).await?;
    rows.iter()
        .map(|row| {
            let number = UserNo::try_from(row.try_get::<_, i32>(1)?)
                .map_err(|e| StorageError::Corrupt(format!("a user number: {e}")))?;
            Ok((row.try_get(0)?, number))
        })
        .collect()
}

async fn assign(
    client: &mut Client,
    statements: &Statements,
    project: ProjectId,
    users: &[&str],
) -> Result<Known, StorageError> {
    let transaction = client.transaction().await?;
    let locked = transaction.query_opt(&statements.lock_numbers, &[&project.0]).await?;
    let mut next: i32 = locked.ok_or(StorageError::UnknownProject(project))?.try_get(0)?;
    // Looked up again under the lock: another worker may have met the same users a moment ago.
    let mut known = look_up(&transaction, statements, project, users).await?;
    let (mut ids, mut numbers) = (Vec::new(), Vec::new());
    for user in users.iter().filter(|user| !known.contains_key(**user)) {
        ids.push(*user);
        numbers.push(next);
        next = next
            .checked_add(1)
            .ok_or_else(|| StorageError::Refused("the project has 2^31 users".to_owned()))?;
    }
    transaction.execute(&statements.add_users, &[&project.0, &ids, &numbers]).await?;
    transaction.execute(&statements.set_next_number, &[&project.0, &next]).await?;
    transaction.commit().await?;
    for (id, number) in ids.into_iter().zip(numbers) {
        let number =
            UserNo::try_from(number).map_err(|e| StorageError::Corrupt(format!("a user number: {e}")))?;
        known.insert(id.to_owned(), number);
    }
    Ok(known)
}
