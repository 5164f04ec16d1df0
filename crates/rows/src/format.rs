use std::io::{self, Read};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::Row;
use crate::csv_rows::CsvRows;
use crate::field::Mapping;
use crate::json_array::{JsonArray, value_length};
use crate::json_lines::JsonLines;
use crate::window::Window;

/// How events are written in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// Comma-separated, with a header
    Csv,
    /// A JSON object a line
    Jsonl,
    /// A JSON array, or an object with an array `events`
    Json,
}

impl Format {
    /// What a name says, compression aside.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        let name = name.to_ascii_lowercase();
        let name = name.strip_suffix(".gz").or_else(|| name.strip_suffix(".zst")).unwrap_or(&name);
        match name.rsplit_once('.')?.1 {
            "csv" => Some(Self::Csv),
            "jsonl" | "ndjson" => Some(Self::Jsonl),
            "json" => Some(Self::Json),
            _ => None,
        }
    }
}

/// A format that does not exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnknownFormat;

impl std::fmt::Display for UnknownFormat {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("use csv, jsonl or json")
    }
}

impl std::error::Error for UnknownFormat {}

impl FromStr for Format {
    type Err = UnknownFormat;

    fn from_str(text: &str) -> Result<Self, UnknownFormat> {
        match text {
            "csv" => Ok(Self::Csv),
            "jsonl" => Ok(Self::Jsonl),
            "json" => Ok(Self::Json),
            _ => Err(UnknownFormat),
        }
    }
}

/// The rows of a file of any format.
pub struct Rows(Kind);

enum Kind {
    Csv(CsvRows),
    Lines(JsonLines),
    Array(JsonArray),
}

impl Rows {
    /// Begins to read a file: in the format that is asked for, else in the one that its first bytes
    /// show. Many files named `.json` hold JSON lines, so those are looked into, too.
    ///
    /// # Errors
    /// When it cannot be read, or is CSV under a header that cannot be used.
    pub fn new(
        source: Box<dyn Read + Send>,
        format: Option<Format>,
        mapping: &Mapping,
        infer_types: bool,
    ) -> io::Result<Self> {
        Self::of(Window::new(source), format, mapping, infer_types).map(Self)
    }

    /// The next row; `None` at the end.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn next_row(&mut self) -> io::Result<Option<Row<'_>>> {
        match &mut self.0 {
            Kind::Csv(rows) => rows.next_row(),
            Kind::Lines(rows) => rows.next_row(),
            Kind::Array(rows) => rows.next_row(),
        }
    }

    fn of(
        mut window: Window,
        format: Option<Format>,
        mapping: &Mapping,
        infer_types: bool,
    ) -> io::Result<Kind> {
        window.skip_mark()?;
        let csv = |window| CsvRows::new(window, mapping, infer_types).map(Kind::Csv);
        let lines = |window| Ok(Kind::Lines(JsonLines::new(window, mapping.clone())));
        match format {
            Some(Format::Csv) => return csv(window),
            Some(Format::Jsonl) => return lines(window),
            Some(Format::Json) | None => {}
        }
        window.skip_until(|byte| !byte.is_ascii_whitespace())?;
        match window.bytes().first() {
            Some(b'[') => window.consume(1),
            Some(b'{') => match find_events(&mut window)? {
                Some(offset) => window.consume(offset),
                None => return lines(window),
            },
            Some(_) if format.is_none() => return csv(window),
            _ => return lines(window),
        }
        Ok(Kind::Array(JsonArray::new(window, mapping.clone())))
    }
}

/// Where the elements of the array `events` begin, if the object that begins here has one.
fn find_events(window: &mut Window) -> io::Result<Option<usize>> {
    loop {
        match events_offset(window.bytes()) {
            Err(error) if error.is_eof() && window.may_grow() => {
                window.grow()?;
            }
            found => return Ok(found.ok().flatten()),
        }
    }
}

fn events_offset(object: &[u8]) -> Result<Option<usize>, serde_json::Error> {
    let mut at = 1;
    let rest = |at: usize| object.get(at..).unwrap_or_default();
    let gap = |at: usize| rest(at).iter().take_while(|byte| byte.is_ascii_whitespace()).count();
    loop {
        at += gap(at);
        let key = at..at + value_length(rest(at))?;
        at = key.end + gap(key.end);
        // The colon, whose absence shows when the value is read.
        at += usize::from(rest(at).first() == Some(&b':'));
        at += gap(at);
        if object.get(key) == Some(b"\"events\"") && rest(at).first() == Some(&b'[') {
            return Ok(Some(at + 1));
        }
        at += value_length(rest(at))?;
        at += gap(at);
        match rest(at).first() {
            Some(b',') => at += 1,
            Some(_) => return Ok(None),
            // That nothing is left is the error that says there may be more.
            None => at += value_length(rest(at))?,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::window::tests::trickle;

    #[test]
    fn names_tell_the_format_beneath_the_compression() {
        assert_eq!(Format::of_name("a/b.csv"), Some(Format::Csv));
        assert_eq!(Format::of_name("B.CSV.GZ"), Some(Format::Csv));
        assert_eq!(Format::of_name("x.ndjson.zst"), Some(Format::Jsonl));
        assert_eq!(Format::of_name("x.json"), Some(Format::Json));
        assert_eq!(Format::of_name("-"), None);
        assert_eq!(Format::of_name("events.gz"), None);
    }

    #[test]
    fn content_tells_the_format_otherwise() {
        let kind = |format, text: &str| {
            let kinds = [1, usize::MAX].map(|step| {
                match Rows::of(trickle(text.as_bytes(), step), format, &Mapping::default(), false).unwrap() {
                    Kind::Csv(_) => "csv",
                    Kind::Lines(_) => "lines",
                    Kind::Array(_) => "array",
                }
            });
            assert_eq!(kinds[0], kinds[1]);
            kinds[0]
        };
        assert_eq!(kind(None, "\u{feff}event_type,user_id\n"), "csv");
        assert_eq!(kind(None, "\n [ {} ]"), "array");
        assert_eq!(kind(None, "{\"event_type\": \"a\"}\n{}"), "lines");
        assert_eq!(kind(None, "{\"event_type\": "), "lines");
        assert_eq!(kind(None, "{\n\"from\": {\"events\": []}, \"n\": 1,\n \"events\" :[{}]}"), "array");
        assert_eq!(kind(None, "{\"events\": 7}"), "lines");
        assert_eq!(kind(Some(Format::Json), "{\"event_type\": \"a\"}\n"), "lines");
        assert_eq!(kind(Some(Format::Jsonl), "[{}]"), "lines");
        assert_eq!(kind(None, ""), "lines");
    }
}
