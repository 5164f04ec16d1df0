use std::fs::File;
use std::path::Path;

use thiserror::Error;

use millrace_rows::Fault;

/// How many rejected rows are shown when there is no file for them.
const SHOWN: u64 = 10;

/// Where rejected rows are reported.
pub(super) struct Rejects {
    file: Option<csv::Writer<File>>,
    reported: u64,
}

/// The file for rejected rows cannot be written.
#[derive(Debug, Error)]
#[error("cannot write the rejected rows")]
pub(super) struct RejectsError(#[from] csv::Error);

impl Rejects {
    /// Begins the file, if there is to be one, so that it is there even when nothing is rejected.
    pub(super) fn create(path: Option<&Path>) -> Result<Self, RejectsError> {
        let file = path.map(csv::Writer::from_path).transpose()?;
        let mut rejects = Self { file, reported: 0 };
        if let Some(file) = &mut rejects.file {
            file.write_record(["file", "line", "reason", "code", "raw"])?;
        }
        Ok(rejects)
    }

    /// Reports a row; what is returned is to be shown.
    pub(super) fn report(
        &mut self,
        name: &str,
        line: u64,
        fault: &Fault,
        raw: &[u8],
    ) -> Result<Option<String>, RejectsError> {
        self.reported += 1;
        let Some(file) = &mut self.file else {
            let Fault { code, reason } = fault;
            return Ok((self.reported <= SHOWN).then(|| format!("{name}:{line}: {reason} ({code})")));
        };
        let line = line.to_string();
        file.write_record([
            name.as_bytes(),
            line.as_bytes(),
            fault.reason.as_bytes(),
            fault.code.as_bytes(),
            raw,
        ])?;
        Ok(None)
    }

    /// Ends the report; what is returned is to be shown.
    pub(super) fn finish(mut self) -> Result<Option<String>, RejectsError> {
        if let Some(file) = &mut self.file {
            file.flush().map_err(csv::Error::from)?;
            return Ok(None);
        }
        let more = self.reported.saturating_sub(SHOWN);
        Ok((more > 0).then(|| format!("… and {more} more rejected rows; --rejects FILE keeps them all")))
    }
}
