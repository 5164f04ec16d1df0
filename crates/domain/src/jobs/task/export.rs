//! Which events an export has, and how it is written.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{TaskFault, in_order};
use crate::text::{EventType, UserId};

/// How an export is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExportFormat {
    /// Comma-separated, with a header.
    Csv,
    /// A JSON object a line.
    Ndjson,
    /// Apache Parquet, compressed with zstd.
    Parquet,
}

impl ExportFormat {
    /// How names of such files end.
    #[must_use]
    pub fn extension(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Ndjson => "ndjson",
            Self::Parquet => "parquet",
        }
    }

    /// The media type of such files.
    #[must_use]
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Csv => "text/csv; charset=utf-8",
            Self::Ndjson => "application/x-ndjson",
            Self::Parquet => "application/vnd.apache.parquet",
        }
    }

    /// Whether files of this format, one after the other, are a file of this format.
    #[must_use]
    pub fn joins(self) -> bool {
        self != Self::Parquet
    }
}

/// How CSV and NDJSON are compressed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Compression {
    /// Not at all.
    #[default]
    None,
    /// gzip.
    Gzip,
    /// Zstandard.
    Zstd,
}

impl Compression {
    /// What is put behind the name of such a file.
    #[must_use]
    pub fn suffix(self) -> &'static str {
        match self {
            Self::None => "",
            Self::Gzip => ".gz",
            Self::Zstd => ".zst",
        }
    }
}

/// What to export: all of what is not said.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Export {
    /// How it is written.
    pub format: ExportFormat,
    /// How it is compressed. Parquet has a compression of its own.
    #[serde(default)]
    pub compression: Compression,
    /// Events not before this instant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<DateTime<Utc>>,
    /// Events before this instant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<DateTime<Utc>>,
    /// Events of one of these types.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub event_types: Vec<String>,
    /// Events of this user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_id: Option<String>,
}

impl Export {
    pub(super) fn checked(self) -> Result<Self, TaskFault> {
        in_order(self.from, self.to)?;
        if self.format == ExportFormat::Parquet && self.compression != Compression::None {
            return Err(TaskFault::Field("compression", "is for csv and ndjson".to_owned()));
        }
        for event_type in &self.event_types {
            EventType::parse(event_type)
                .map_err(|fault| TaskFault::Field("event_types", fault.to_string()))?;
        }
        if let Some(user) = &self.user_id {
            UserId::parse(user).map_err(|fault| TaskFault::Field("user_id", fault.to_string()))?;
        }
        Ok(self)
    }
}
