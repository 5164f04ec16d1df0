//! Which file an import reads, and how.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::TaskFault;

/// What to import.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Import {
    /// The name of a file in the project's folder of the file store.
    pub file: String,
    /// `csv`, `jsonl` or `json`; if absent, what the name or the content says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<String>,
    /// Which column gives which field.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub map: BTreeMap<String, String>,
    /// Whether CSV cells that look like numbers and booleans become such.
    #[serde(default)]
    pub infer_types: bool,
}

impl Import {
    pub(super) fn checked(self) -> Result<Self, TaskFault> {
        let plain = |part: &str| !part.is_empty() && part != "." && part != "..";
        if !self.file.split('/').all(plain) || self.file.len() > 500 || self.file.contains('\0') {
            return Err(TaskFault::Field("file", "must be a name like `events.csv.gz`".to_owned()));
        }
        if let Some(format) = &self.format
            && !["csv", "jsonl", "json"].contains(&format.as_str())
        {
            return Err(TaskFault::Field("format", "must be `csv`, `jsonl` or `json`".to_owned()));
        }
        Ok(self)
    }
}
