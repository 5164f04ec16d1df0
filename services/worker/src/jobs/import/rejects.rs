//! The list of rows that were rejected.

use millrace_domain::ids::ProjectId;
use serde::{Deserialize, Serialize};

use super::reading::Reject;
use crate::jobs::Work;
use crate::jobs::error::JobError;
use crate::jobs::maintenance::import_folder;

/// Lists there are at most: of an import that rejects everything, the first rows tell why.
const MAX_LISTS: usize = 1_000;

/// A list that is complete.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct File {
    name: String,
    rows: usize,
    bytes: u64,
}

/// Writes the rejected rows of a batch, as CSV; the first list has the header. `None` once there are too many lists.
pub(super) async fn write(
    work: &Work,
    project: ProjectId,
    number: usize,
    rejects: &[Reject],
) -> Result<Option<File>, JobError> {
    if number >= MAX_LISTS {
        return Ok(None);
    }
    let mut list = csv::Writer::from_writer(Vec::new());
    let unwritten = |error: &dyn std::fmt::Display| JobError::Failed(format!("rejected rows: {error}"));
    if number == 0 {
        list.write_record(["line", "code", "reason", "row"]).map_err(|e| unwritten(&e))?;
    }
    for Reject { line, fault, raw } in rejects {
        let line = line.to_string();
        list.write_record([line.as_bytes(), fault.code.as_bytes(), fault.reason.as_bytes(), raw])
            .map_err(|e| unwritten(&e))?;
    }
    let content = list.into_inner().map_err(|e| unwritten(&e))?;
    let attempt = work.hold.holding.holder.simple();
    let name = format!("{}/rejects-{number:05}-{attempt}.csv", import_folder(project, &work.job));
    let mut file = work.files()?.create(&name)?;
    file.write(&content).await?;
    let bytes = file.finish().await?;
    Ok(Some(File { name, rows: rejects.len(), bytes }))
}
