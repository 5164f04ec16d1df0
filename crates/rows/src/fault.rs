use std::borrow::Cow;

/// What is wrong with a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// A stable name; rows that the server refuses carry the server's.
    pub code: Cow<'static, str>,
    /// The reason in words.
    pub reason: String,
}

impl Fault {
    /// A fault with a name of its own.
    pub fn new(code: &'static str, reason: impl Into<String>) -> Self {
        Self { code: Cow::Borrowed(code), reason: reason.into() }
    }

    /// What `serde_json` says, with its position counted from the line on which the text begins.
    #[must_use]
    pub fn json(error: &serde_json::Error, first_line: u64) -> Self {
        let text = error.to_string();
        let what = text.rsplit_once(" at line ").map_or(text.as_str(), |(what, _)| what);
        if error.line() == 0 {
            return Self::new("invalid_json", what);
        }
        let line = first_line.saturating_add(u64::try_from(error.line() - 1).unwrap_or(u64::MAX));
        Self::new("invalid_json", format!("{what} at line {line}, column {}", error.column()))
    }
}
