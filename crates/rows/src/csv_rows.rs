use std::borrow::Cow;
use std::io;

use serde_json::value::RawValue;

use crate::Row;
use crate::csv_scan::{Cell, Scan, scan};
use crate::draft::{Draft, Value};
use crate::fault::Fault;
use crate::field::{Field, Mapping};
use crate::window::{LARGEST_ROW, Window};

/// The rows of a CSV file, under its header.
pub(crate) struct CsvRows {
    window: Window,
    fields: Vec<Field<'static>>,
    infer_types: bool,
    cells: Vec<Cell>,
    /// Bytes of the row that was given out last; they are left behind when the next one is asked for.
    given: usize,
    /// In the middle of a line that is too long; the rest of it is no row.
    overlong: bool,
}

impl CsvRows {
    /// Reads the header.
    pub(crate) fn new(window: Window, mapping: &Mapping, infer_types: bool) -> io::Result<Self> {
        let mut rows =
            Self { window, fields: Vec::new(), infer_types, cells: Vec::new(), given: 0, overlong: false };
        let unusable = |reason: String| io::Error::new(io::ErrorKind::InvalidData, reason);
        match rows.scan_row()? {
            None => {}
            Some(Scan::Record { whole, .. }) => {
                let names: Result<Vec<_>, _> =
                    rows.cells.iter().map(|cell| cell.read(rows.window.bytes())).collect();
                let names = names.map_err(|error| unusable(format!("the header is no UTF-8: {error}")))?;
                let names: Vec<&str> = names.iter().map(|name| name.trim()).collect();
                rows.fields = mapping.header(&names).map_err(unusable)?;
                rows.given = whole;
            }
            Some(Scan::Broken(reason)) => return Err(unusable(format!("the header is broken: {reason}"))),
            Some(Scan::Unfinished) => {
                return Err(unusable("it has no line end where a header should be".to_owned()));
            }
        }
        Ok(rows)
    }

    /// The next row; `None` at the end of the file.
    pub(crate) fn next_row(&mut self) -> io::Result<Option<Row<'_>>> {
        let Some(scanned) = self.scan_row()? else { return Ok(None) };
        let line = self.window.line();
        let (length, broken) = match scanned {
            Scan::Record { text, whole } => {
                self.given = whole;
                (text, None)
            }
            Scan::Broken(reason) => (self.give_line()?, Some(Fault::new("invalid_csv", reason))),
            Scan::Unfinished => {
                let reason = format!("a row or a quoted cell has no end within {LARGEST_ROW} bytes");
                (self.give_line()?, Some(Fault::new("invalid_csv", reason)))
            }
        };
        let raw = self.window.bytes().get(..length).unwrap_or_default();
        let draft = broken.map_or_else(|| draft(raw, &self.cells, &self.fields, self.infer_types), Err);
        Ok(Some(Row { line, raw, draft }))
    }

    /// Leaves the last row and blank lines behind and scans the row that follows; `Unfinished`
    /// when it does not end where a row must have ended.
    fn scan_row(&mut self) -> io::Result<Option<Scan>> {
        self.window.consume(std::mem::take(&mut self.given));
        if std::mem::take(&mut self.overlong) && !self.window.skip_until(|byte| byte == b'\n')? {
            return Ok(None);
        }
        if !self.window.skip_until(|byte| !matches!(byte, b'\r' | b'\n'))? {
            return Ok(None);
        }
        loop {
            let scanned = scan(self.window.bytes(), self.window.ended(), &mut self.cells);
            if scanned != Scan::Unfinished || !self.window.may_grow() {
                return Ok(Some(scanned));
            }
            self.window.grow()?;
        }
    }

    /// Gives out the first line, because no record begins there; the length of its text.
    fn give_line(&mut self) -> io::Result<usize> {
        let everything = self.window.bytes().len();
        let line = self.window.first_line()?;
        self.overlong = line.is_none();
        let (text, whole) = line.unwrap_or((everything, everything));
        self.given = whole;
        Ok(text)
    }
}

fn draft<'a>(
    record: &'a [u8],
    cells: &[Cell],
    fields: &'a [Field<'static>],
    infer_types: bool,
) -> Result<Draft<'a>, Fault> {
    if cells.len() != fields.len() {
        let reason = format!("the row has {} cells, the header {}", cells.len(), fields.len());
        return Err(Fault::new("invalid_csv", reason));
    }
    let mut draft = Draft::default();
    for (cell, field) in cells.iter().zip(fields) {
        let text = cell
            .read(record)
            .map_err(|error| Fault::new("invalid_utf8", format!("{} is no UTF-8: {error}", field.name())))?;
        let value = match (field, text) {
            (Field::Property(_), Cow::Borrowed(text)) if infer_types => inferred(text),
            (_, text) => Value::Text(text),
        };
        draft.set(field.clone(), value)?;
    }
    Ok(draft)
}

/// Most digits that a number may have and still be the same one in every language.
const EXACT_DIGITS: usize = 15;

/// A boolean or a number, where the text is exactly what JSON would have; otherwise the text. A
/// number with too many digits stays text, since it is more likely an identifier.
fn inferred(text: &str) -> Value<'_> {
    let literal = match text.as_bytes() {
        b"true" | b"false" => true,
        [b'-' | b'0'..=b'9', ..] => {
            text.bytes().filter(u8::is_ascii_digit).count() <= EXACT_DIGITS
                && text.parse().is_ok_and(f64::is_finite)
        }
        _ => false,
    };
    let json: Option<&RawValue> = literal.then(|| serde_json::from_str(text).ok()).flatten();
    json.map_or(Value::Text(Cow::Borrowed(text)), Value::Json)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::window::tests::trickle;

    /// Each row as its line, its bytes, and the event or the code of its fault.
    fn rows(text: &[u8], infer_types: bool) -> Vec<(u64, String, String)> {
        let collect = |step| {
            let mut rows = CsvRows::new(trickle(text, step), &Mapping::default(), infer_types).unwrap();
            let mut collected = Vec::new();
            while let Some(row) = rows.next_row().unwrap() {
                let outcome = match row.draft {
                    Ok(draft) => serde_json::to_string(&draft).unwrap(),
                    Err(fault) => fault.code.into_owned(),
                };
                collected.push((row.line, String::from_utf8_lossy(row.raw).into_owned(), outcome));
            }
            collected
        };
        let whole = collect(usize::MAX);
        assert_eq!(whole, collect(1), "the same, however little is read at a time");
        whole
    }

    fn event(user: &str) -> String {
        format!(r#"{{"event_type":"login","user_id":"{user}"}}"#)
    }

    #[test]
    fn lines_are_right_with_quoted_line_ends_blank_lines_and_crlf() {
        let text = b"event_type,user_id,note\r\nlogin,a,\"1\r\n2\n3\"\r\n\r\n\nlogin,b,\r\nlogin,c,\n";
        let lines: Vec<u64> = rows(text, false).into_iter().map(|(line, ..)| line).collect();
        assert_eq!(lines, [2, 7, 8]);
    }

    #[test]
    fn a_broken_quote_costs_its_own_line_only() {
        let text = b"event_type,user_id,properties\nlogin,a,\"{\nlogin,b,\"{\"\"x\"\": 1}\"\nlogin,c,\n";
        let rows = rows(text, false);
        assert_eq!(rows[0], (2, "login,a,\"{".to_owned(), "invalid_csv".to_owned()));
        assert_eq!((rows[1].0, rows[2].0, rows.len()), (3, 4, 3));
        assert_eq!(rows[1].2, r#"{"event_type":"login","user_id":"b","properties":{"x": 1}}"#);
        assert_eq!(rows[2].2, event("c"));
    }

    #[test]
    fn a_quote_that_is_never_closed_loses_no_row_after_it() {
        let mut text = b"event_type,user_id\nlogin,\"a\n".to_vec();
        let rest = b"login,b\n".repeat(LARGEST_ROW / 4);
        text.extend_from_slice(&rest);
        let mut rows = CsvRows::new(trickle(&text, usize::MAX), &Mapping::default(), false).unwrap();
        let (mut good, mut bad) = (0, 0);
        while let Some(row) = rows.next_row().unwrap() {
            *(if row.draft.is_ok() { &mut good } else { &mut bad }) += 1;
        }
        assert_eq!((good, bad), (LARGEST_ROW / 4, 1));
    }

    #[test]
    fn a_line_beyond_all_measure_is_one_bad_row() {
        let text =
            [b"event_type,user_id\n".to_vec(), vec![b'x'; 3 * LARGEST_ROW], b"\nlogin,b\n".to_vec()].concat();
        let mut rows = CsvRows::new(trickle(&text, usize::MAX), &Mapping::default(), false).unwrap();
        let bad = rows.next_row().unwrap().unwrap();
        assert_eq!((bad.line, bad.draft.unwrap_err().code.as_ref()), (2, "invalid_csv"));
        let good = rows.next_row().unwrap().unwrap();
        assert_eq!((good.line, good.draft.is_ok()), (3, true));
        assert!(rows.next_row().unwrap().is_none());
    }

    #[test]
    fn rows_of_another_width_and_other_encodings_are_faults() {
        let rows = rows(b"event_type,user_id\nlogin\nlogin,\xff\nlogin,a,b\nlogin,ok\n", false);
        let outcomes: Vec<_> = rows.iter().map(|(line, _, outcome)| (*line, outcome.as_str())).collect();
        let good = event("ok");
        assert_eq!(
            outcomes,
            [(2, "invalid_csv"), (3, "invalid_utf8"), (4, "invalid_csv"), (5, good.as_str())]
        );
    }

    #[test]
    fn other_columns_are_text_unless_types_are_asked_for() {
        let text = b"event_type,user_id,n,flag,zip,big,name\nlogin,1,2.50,true,007,12345678901234567890,x\n";
        let head = r#"{"event_type":"login","user_id":"1","properties":{"big":"12345678901234567890","#;
        let plain = rows(text, false).remove(0).2;
        assert_eq!(plain, format!(r#"{head}"flag":"true","n":"2.50","name":"x","zip":"007"}}}}"#));
        let typed = rows(text, true).remove(0).2;
        assert_eq!(typed, format!(r#"{head}"flag":true,"n":2.50,"name":"x","zip":"007"}}}}"#));
    }

    #[test]
    fn an_empty_file_has_no_rows() {
        assert!(rows(b"", false).is_empty());
        assert!(rows(b"event_type,user_id\n", false).is_empty());
        assert!(CsvRows::new(trickle(b"a,b\n", 9), &Mapping::default(), false).is_err());
    }
}
