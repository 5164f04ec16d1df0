//! Dense numbers for distinct users.
//!
//! A user gets its number in a short transaction of its own, before the events: the lock that keeps numbers dense is
//! then held for milliseconds, not for a bulk insert. A number whose events never arrive does no harm.

use std::collections::{BTreeMap, HashMap, HashSet};

use millrace_domain::ids::{ProjectId, UserNo};
use tokio_postgres::{Client, GenericClient, Statement};

use super::NewEvent;
use super::statements::Statements;
use super::writing::Numbered;
use crate::error::StorageError;

type Known = HashMap<String, UserNo>;

/// Numbers the rows' users; those seen for the first time get the next numbers.
pub(super) async fn resolve<'a>(
    client: &mut Client,
    statements: &Statements,
    rows: Vec<(usize, NewEvent<'a>)>,
) -> Result<Vec<Numbered<'a>>, StorageError> {
    let mut wanted: BTreeMap<ProjectId, HashSet<&str>> = BTreeMap::new();
    for (_, new) in &rows {
        wanted.entry(new.project_id).or_default().insert(new.event.user_id.as_str());
    }
    let mut known: HashMap<ProjectId, Known> = HashMap::new();
    for (project, users) in wanted {
        // In order: whoever looks them up meets neighbours in the index, and two workers lock in one order.
        let mut users: Vec<&str> = users.into_iter().collect();
        users.sort_unstable();
        known.insert(project, number(client, statements, project, &users).await?);
    }
    rows.into_iter().map(|(place, new)| numbered(place, new, &known)).collect()
}

fn numbered<'a>(
    place: usize,
    new: NewEvent<'a>,
    known: &HashMap<ProjectId, Known>,
) -> Result<Numbered<'a>, StorageError> {
    let number = known.get(&new.project_id).and_then(|numbers| numbers.get(new.event.user_id.as_str()));
    let unnumbered =
        || StorageError::UnusableProject(new.project_id, "a user was left without a number".to_owned());
    let beyond =
        |_big| StorageError::Refused("the stream sequence is beyond the database's integers".to_owned());
    let stream_seq = i64::try_from(new.stream_seq).map_err(beyond)?;
    Ok(Numbered { new, place, stream_seq, user_no: *number.ok_or_else(unnumbered)? })
}

/// How often users are looked up with nobody waiting for it before they are looked up with everybody waiting.
const PATIENCE: u32 = 3;

/// The numbers of these users, who are of one project and in order.
async fn number(
    client: &mut Client,
    statements: &Statements,
    project: ProjectId,
    users: &[&str],
) -> Result<Known, StorageError> {
    let mut known = Known::with_capacity(users.len());
    let mut new = users.to_vec();
    for attempt in 1.. {
        // The next number first: what is numbered behind it is noticed under the lock.
        let (next, found) = tokio::try_join!(
            biased;
            next_number(client, &statements.next_number, project),
            look_up(client, statements, project, &new)
        )?;
        known.extend(found);
        new.retain(|user| !known.contains_key(*user));
        if new.is_empty() {
            break;
        }
        let unseen = if attempt < PATIENCE { Some(next) } else { None };
        if let Some(assigned) = assign(client, statements, project, unseen, &new).await? {
            known.extend(assigned);
            break;
        }
    }
    Ok(known)
}

async fn next_number(
    client: &impl GenericClient,
    statement: &Statement,
    project: ProjectId,
) -> Result<i32, StorageError> {
    let row = client.query_opt(statement, &[&project.0]).await?;
    Ok(row.ok_or(StorageError::UnknownProject(project))?.try_get(0)?)
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
                .map_err(|e| StorageError::UnusableProject(project, format!("a user number: {e}")))?;
            Ok((row.try_get(0)?, number))
        })
        .collect()
}

/// Gives numbers to users who had none when `unseen` was the next one to give. `None`, and nothing is done, when
/// somebody has given numbers since: many workers meet the same new users at once, and if each looked them up under the
/// lock, they would do so one after the other. With no `unseen` they are looked up under it.
async fn assign(
    client: &mut Client,
    statements: &Statements,
    project: ProjectId,
    unseen: Option<i32>,
    users: &[&str],
) -> Result<Option<Known>, StorageError> {
    let transaction = client.transaction().await?;
    let mut next = next_number(&transaction, &statements.lock_numbers, project).await?;
    let mut known = match unseen {
        Some(seen) if seen == next => Known::new(),
        Some(_) => {
            transaction.rollback().await?;
            return Ok(None);
        }
        None => look_up(&transaction, statements, project, users).await?,
    };
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
        let number = UserNo::try_from(number)
            .map_err(|e| StorageError::UnusableProject(project, format!("a user number: {e}")))?;
        known.insert(id.to_owned(), number);
    }
    Ok(Some(known))
}
