use std::io;

use crate::Row;
use crate::fault::Fault;
use crate::field::Mapping;
use crate::json_object;
use crate::window::{LARGEST_ROW, Window};

/// The rows of a file with one JSON object a line.
pub(crate) struct JsonLines {
    window: Window,
    mapping: Mapping,
    given: usize,
    overlong: bool,
}

impl JsonLines {
    pub(crate) fn new(window: Window, mapping: Mapping) -> Self {
        Self { window, mapping, given: 0, overlong: false }
    }

    /// The next row; `None` at the end of the file.
    pub(crate) fn next_row(&mut self) -> io::Result<Option<Row<'_>>> {
        self.window.consume(std::mem::take(&mut self.given));
        if std::mem::take(&mut self.overlong) && !self.window.skip_until(|byte| byte == b'\n')? {
            return Ok(None);
        }
        // Blank lines are no rows.
        if !self.window.skip_until(|byte| !byte.is_ascii_whitespace())? {
            return Ok(None);
        }
        let found = self.window.first_line()?;
        self.overlong = found.is_none();
        let (length, whole) = found.unwrap_or((self.window.bytes().len(), self.window.bytes().len()));
        self.given = whole;
        let (line, raw) = (self.window.line(), self.window.bytes().get(..length).unwrap_or_default());
        let draft = if found.is_some() {
            json_object::draft(raw, &self.mapping, line)
        } else {
            Err(Fault::new("invalid_json", format!("the line has no end within {LARGEST_ROW} bytes")))
        };
        Ok(Some(Row { line, raw, draft }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::window::tests::trickle;

    #[test]
    fn bad_lines_are_told_and_passed_over() {
        let long = "x".repeat(2 * LARGEST_ROW);
        let text = format!("{{\"user_id\":\"a\"}}\n\nnot json\r\n{long}\n  {{\"user_id\":\"b\"}}");
        for step in [5000, usize::MAX] {
            let mut rows = JsonLines::new(trickle(text.as_bytes(), step), Mapping::default());
            let mut seen = Vec::new();
            while let Some(row) = rows.next_row().unwrap() {
                seen.push((row.line, row.draft.is_ok()));
            }
            assert_eq!(seen, [(1, true), (3, false), (4, false), (5, true)]);
        }
    }

    #[test]
    fn a_row_is_its_line_without_the_line_end() {
        let mut rows = JsonLines::new(trickle(b" {\"a\":1}\r\n", 3), Mapping::default());
        assert_eq!(rows.next_row().unwrap().unwrap().raw, b"{\"a\":1}");
    }
}
