use std::io;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::Row;
use crate::fault::Fault;
use crate::field::Mapping;
use crate::json_object;
use crate::window::Window;

/// The rows of a JSON document: the elements of an array.
///
/// An element that is broken ends, if its brackets close on its first line, where they close.
/// Otherwise reading goes on with the next line that begins with `{` at the element's indentation,
/// which is where the next element begins in every file that a program has laid out in lines.
pub(crate) struct JsonArray {
    window: Window,
    mapping: Mapping,
    given: usize,
    place: Place,
    /// How far the current element is indented; `None` if it does not begin its line.
    indent: Option<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Between elements.
    Between,
    /// After the line on which a broken element began.
    Lost,
    /// Within a line that is too long.
    LostInLine,
    /// After the array.
    Behind,
}

impl JsonArray {
    /// The elements of the array whose `[` was just consumed.
    pub(crate) fn new(window: Window, mapping: Mapping) -> Self {
        Self { window, mapping, given: 0, place: Place::Between, indent: None }
    }

    /// The next row; `None` at the end of the array.
    pub(crate) fn next_row(&mut self) -> io::Result<Option<Row<'_>>> {
        self.window.consume(std::mem::take(&mut self.given));
        if !self.find_element()? {
            return Ok(None);
        }
        let Some(first) = self.window.bytes().first() else {
            self.place = Place::Behind;
            let draft = Err(Fault::new("invalid_json", "the file ends before its array does"));
            return Ok(Some(Row { line: self.window.line(), raw: &[], draft }));
        };
        if *first == b']' {
            self.place = Place::Behind;
            return Ok(None);
        }
        let line = self.window.line();
        match self.element()? {
            Ok(length) => {
                self.given = length;
                let raw = self.window.bytes().get(..length).unwrap_or_default();
                Ok(Some(Row { line, raw, draft: json_object::draft(raw, &self.mapping, line) }))
            }
            Err(fault) => {
                let found = self.window.first_line()?;
                self.place = if found.is_some() { Place::Lost } else { Place::LostInLine };
                let (length, whole) = found.unwrap_or((self.window.bytes().len(), self.window.bytes().len()));
                self.given = whole;
                let raw = self.window.bytes().get(..length).unwrap_or_default();
                Ok(Some(Row { line, raw, draft: Err(fault) }))
            }
        }
    }

    /// Goes to where the next element, the end of the array or the end of input is. False if there
    /// is nothing more to find.
    fn find_element(&mut self) -> io::Result<bool> {
        match self.place {
            Place::Behind => return Ok(false),
            Place::Between => {}
            Place::LostInLine | Place::Lost => {
                if self.place == Place::LostInLine && !self.window.skip_until(|byte| byte == b'\n')? {
                    return Ok(false);
                }
                if !self.find_line()? {
                    return Ok(false);
                }
                self.place = Place::Between;
                return Ok(true);
            }
        }
        let mut indent = None;
        self.window.skip_until(|byte| {
            match byte {
                b'\n' => indent = Some(0),
                b' ' | b'\t' => indent = indent.map(|width: usize| width + 1),
                b'\r' => {}
                b',' => indent = None,
                _ => return true,
            }
            false
        })?;
        self.indent = indent;
        Ok(true)
    }

    /// Goes to the next line on which an element can begin, beyond its indentation.
    fn find_line(&mut self) -> io::Result<bool> {
        loop {
            let mut width = 0;
            let found = self.window.skip_until(|byte| {
                width = if matches!(byte, b'\n' | b'\r') { 0 } else { width + 1 };
                !byte.is_ascii_whitespace()
            })?;
            if !found {
                return Ok(false);
            }
            let begins = self.window.bytes().first() == Some(&b'{');
            if begins && self.indent.is_none_or(|indent| indent + 1 == width) {
                return Ok(true);
            }
            if !self.window.skip_until(|byte| byte == b'\n')? {
                return Ok(false);
            }
        }
    }

    /// The length of the element that begins here. Inside are the elements whose end could not be
    /// told.
    fn element(&mut self) -> io::Result<Result<usize, Fault>> {
        let fault = loop {
            let bytes = self.window.bytes();
            match value_length(bytes) {
                // A number may go on.
                Ok(length) if length == bytes.len() && self.window.may_grow() => {}
                Ok(length) => return Ok(Ok(length)),
                Err(error) if error.is_eof() && self.window.may_grow() => {}
                Err(error) => break Fault::json(&error, self.window.line()),
            }
            self.window.grow()?;
        };
        let first_line = self.window.first_line()?.map_or(0, |(length, _)| length);
        let line = self.window.bytes().get(..first_line).unwrap_or_default();
        Ok(closing_bracket(line).ok_or(fault))
    }
}

/// The length of the JSON value at the beginning of some bytes.
pub(crate) fn value_length(bytes: &[u8]) -> Result<usize, serde_json::Error> {
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    <&RawValue>::deserialize(&mut deserializer).map(|value| value.get().len())
}

/// Where the brackets that open at the beginning of a line have closed, whatever is between them.
fn closing_bracket(line: &[u8]) -> Option<usize> {
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    for (at, byte) in line.iter().enumerate() {
        match byte {
            _ if std::mem::take(&mut escaped) => {}
            b'\\' => escaped = in_string,
            b'"' => in_string = !in_string,
            _ if in_string => {}
            b'{' | b'[' => depth += 1,
            b'}' | b']' => {
                depth = depth.checked_sub(1)?;
                if depth == 0 {
                    return Some(at + 1);
                }
            }
            _ if depth == 0 => return None,
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::window::LARGEST_ROW;
    use crate::window::tests::trickle;

    /// The line of each row, and its user or that it is bad.
    fn rows(text: &str) -> Vec<(u64, String)> {
        let collect = |step| {
            let mut window = trickle(text.as_bytes(), step);
            window.skip_until(|byte| byte == b'[').unwrap();
            window.consume(1);
            let mut rows = JsonArray::new(window, Mapping::default());
            let mut collected = Vec::new();
            while let Some(row) = rows.next_row().unwrap() {
                let event = row.draft.ok().map(|draft| serde_json::to_value(&draft).unwrap());
                let user =
                    event.map_or("bad".to_owned(), |event| event["user_id"].as_str().unwrap().to_owned());
                collected.push((row.line, user));
            }
            collected
        };
        let whole = collect(usize::MAX);
        assert!(text.len() > 4096 || whole == collect(1), "the same, however little is read at a time");
        whole
    }

    fn expect(text: &str, expected: &[(u64, &str)]) {
        let expected: Vec<_> = expected.iter().map(|(line, user)| (*line, (*user).to_owned())).collect();
        assert_eq!(rows(text), expected);
    }

    #[test]
    fn elements_are_found_in_any_layout() {
        expect("[]", &[]);
        expect(r#"[{"user_id":"a"},{"user_id":"b"}]"#, &[(1, "a"), (1, "b")]);
        expect(
            "[\n  {\n    \"user_id\": \"a]}\"\n  },\n  {\"user_id\": \"b\"}\n]\n",
            &[(2, "a]}"), (5, "b")],
        );
    }

    #[test]
    fn a_broken_element_in_a_line_costs_itself_only() {
        expect(
            r#"[{"user_id":"a"},{"user_id":tru, "x":"}\""},7,{"user_id":"b"}]"#,
            &[(1, "a"), (1, "bad"), (1, "bad"), (1, "b")],
        );
    }

    #[test]
    fn a_broken_element_over_lines_costs_itself_only() {
        let text = "[\n  {\n    \"user_id\": \"a,\n    \"list\": [\n      {}\n    ]\n  },\n  {\n    \"user_id\": \"b\"\n  }\n]";
        expect(text, &[(2, "bad"), (8, "b")]);
    }

    #[test]
    fn a_bracket_that_is_missing_does_not_swallow_the_next_line() {
        expect(
            "[\n{\"user_id\":\"a\",\"p\":{\n{\"user_id\":\"b\"},\n{\"user_id\":\"c\"}]",
            &[(2, "bad"), (3, "b"), (4, "c")],
        );
    }

    #[test]
    fn an_array_that_is_cut_short_is_told() {
        expect("[{\"user_id\":\"a\"},\n", &[(1, "a"), (2, "bad")]);
        expect("[{\"user_id\":\"a\"},\n{\"user_", &[(1, "a"), (2, "bad")]);
    }

    #[test]
    fn an_element_beyond_all_measure_is_one_bad_row() {
        let long = "x".repeat(2 * LARGEST_ROW);
        expect(&format!("[\n{{\"user_id\":\"{long}\"}},\n{{\"user_id\":\"b\"}}]"), &[(2, "bad"), (3, "b")]);
    }
}
